"""The terms that an approval carries from its policy version, as plain JSON.

What a version does not say is left out, so that approvals of before and of now read alike.
"""

from typing import Any

from app.policy import ApprovalTerms, MaxDose, PolicyVersion, Span


def terms_of(version: PolicyVersion) -> dict[str, Any]:
    """The terms that an approval carries, as plain JSON."""
    terms = version.approval
    newer = {
        "lasts": span_json(terms.lasts),
        "then_lasts": span_json(terms.then_lasts),
        "phases": _phases(terms),
        "courses": [each.name for each in terms.courses],
        "doses": terms.doses,
        "barred_with": [
            {"drugs": list(each.drugs), "overlap_days": each.overlap_days, "reason": each.reason}
            for each in terms.barred_with
        ],
        "supersedes": list(terms.supersedes),
        "max_supply_days": terms.max_supply_days,
        "best_value": _best_value(terms),
    }
    return {
        "pattern": terms.pattern,
        "grace_days": terms.grace_days,
        "max_dose": dose_json(terms.max_dose),
        "products": list(terms.products),
        "interchangeable": terms.interchangeable,
        "source": {
            "id": terms.source.id,
            "title": terms.source.title,
            "url": terms.source.url,
            "read_on": terms.source.read_on.isoformat() if terms.source.read_on else None,
        },
        "evidence": terms.evidence,
        **{name: value for name, value in newer.items() if value},
    }


def span_json(span: Span | None) -> dict[str, int] | None:
    """A length as JSON."""
    return {"months": span.months, "days": span.days} if span else None


def dose_json(dose: MaxDose | None) -> dict[str, str] | None:
    """A largest dose as JSON, its amount as text."""
    return {"amount": str(dose.amount), "unit": dose.unit, "per": dose.per} if dose else None


def _phases(terms: ApprovalTerms) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "lasts": span_json(each.lasts),
            "max_dose": dose_json(each.max_dose or terms.max_dose),
        }
        for each in terms.phases
    ]


def _best_value(terms: ApprovalTerms) -> list[dict[str, Any]]:
    if terms.best_value is None:
        return []
    return [
        {
            "product": each.product,
            "from": each.from_.isoformat(),
            "until": each.until.isoformat() if each.until else None,
            "target": each.target,
        }
        for each in terms.best_value.products
    ]
