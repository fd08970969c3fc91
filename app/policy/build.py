"""Makes the parts of a policy version out of data that has the right shape."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from app.policy.model import (
    Arm,
    Criterion,
    Derived,
    Indication,
    InForce,
    Kind,
    NewStarts,
    OverrideRule,
    Question,
    QuestionType,
    Section,
    Source,
)
from app.policy.terms import (
    ApprovalTerms,
    Barred,
    BestValue,
    BestValueProduct,
    Conversion,
    Course,
    Escalation,
    MaxDose,
    Phase,
    Span,
)

PICKS = ("latest", "earliest", "highest", "lowest")


def day(text: str | None) -> date | None:
    """A day from ISO text, or None."""
    return None if text is None else date.fromisoformat(text)


def amount(value: Any) -> Decimal | None:
    """An exact number from a whole number, a decimal or text; None stays None."""
    return None if value is None else Decimal(value)


def source(name: str, data: Mapping[str, Any]) -> Source:
    """One entry of `sources`."""
    return Source(name, data["title"], data.get("url"), day(data.get("read_on")))


def question(name: str, data: Mapping[str, Any]) -> Question:
    """One entry of `questions`, or one field of a list."""
    kinds = frozenset(Kind(kind) for kind in data.get("kinds", ()))
    return Question(
        name=name,
        type=QuestionType(data["type"]),
        label=data["label"],
        help=data.get("help"),
        unit=data.get("unit"),
        minimum=amount(data.get("minimum")),
        maximum=amount(data.get("maximum")),
        decimals=data.get("decimals"),
        options=dict(data.get("options", {})),
        fields={key: question(key, value) for key, value in data.get("of", {}).items()},
        carried=data.get("carried", False),
        measured=data.get("measured", False),
        kinds=kinds,
    )


def derived(name: str, data: Mapping[str, Any]) -> Derived:
    """One entry of `derive`."""
    mode = next((each for each in PICKS if each in data), None)
    return Derived(
        name=name,
        count=data.get("count"),
        where=data.get("where"),
        value=data.get("value"),
        unit=data.get("unit"),
        mode=mode,
        list_name=None if mode is None else data[mode],
        by=data.get("by"),
        choose=tuple((each["when"], plain(each["value"])) for each in data.get("choose") or ()),
        otherwise=plain(data["else"]) if "else" in data else None,
        options=dict(data.get("options", {})),
    )


def plain(value: Any) -> str:
    """The text of an expression that may stand in a file as a bare number."""
    return value.strip() if isinstance(value, str) else format(Decimal(value), "f")


def _arms(data: Mapping[str, Any]) -> tuple[Arm, ...]:
    return tuple(
        Arm(each["id"], each["text"].strip(), each["met_when"].strip())
        for each in data.get("arms") or ()
    )


def _test(data: Mapping[str, Any]) -> str:
    """A criterion's test; that of arms is met when one of them is."""
    if "arms" not in data:
        return str(data["met_when"]).strip()
    return " OR ".join(f"({arm.met_when})" for arm in _arms(data))


def criteria(
    data: Mapping[str, Any], section: Section, sources: Mapping[str, Source]
) -> tuple[Criterion, ...]:
    """The criteria of one section."""
    return tuple(
        Criterion(
            id=each["id"],
            section=section,
            text=each["text"].strip(),
            met_when=_test(each),
            source=sources[each["source"]],
            evidence=each["evidence"],
            on_failure=each.get("on_failure", "not met"),
            waivable=each.get("waivable", False),
            override=override(each.get("override"), sources),
            arms=_arms(each),
        )
        for each in data.get(section.value) or ()
    )


def override(data: Mapping[str, Any] | None, sources: Mapping[str, Source]) -> OverrideRule | None:
    """The `override` of a criterion, if it may be overridden."""
    if data is None:
        return None
    return OverrideRule(dict(data["reasons"]), sources[data["source"]], data["evidence"])


def indication(data: Mapping[str, Any]) -> Indication:
    """The `indication` of a file."""
    return Indication(data["key"], data["term"], data.get("snomed"))


def in_force(data: Mapping[str, Any]) -> InForce:
    """The `in_force` dates of a file."""
    return InForce(
        from_=date.fromisoformat(data["from"]),
        published=day(data.get("published")),
        funding_from=day(data.get("funding_from")),
        last_new_start=day(data.get("last_new_start")),
        last_continuation=day(data.get("last_continuation")),
        afterwards=data["afterwards"].strip() if data.get("afterwards") else None,
    )


def new_starts(data: Mapping[str, Any] | None, sources: Mapping[str, Source]) -> NewStarts | None:
    """The `new_starts` of a file, if it has any."""
    if data is None:
        return None
    return NewStarts(
        data["decide"], data["reason"].strip(), sources[data["source"]], data["evidence"]
    )


def span(data: Mapping[str, Any] | None) -> Span | None:
    """A length of months, weeks or days; None stays None."""
    if not data:
        return None
    return Span(data.get("months", 0), data.get("days", 7 * data.get("weeks", 0)))


def max_dose(data: Mapping[str, Any] | None) -> MaxDose | None:
    """A largest dose; None stays None."""
    return MaxDose(Decimal(data["amount"]), data["unit"], data["per"]) if data else None


def approval(data: Mapping[str, Any], sources: Mapping[str, Source]) -> ApprovalTerms:
    """The `approval` terms of a file."""
    lasts = span(data.get("lasts"))
    retrospective = data.get("retrospective") or {}
    return ApprovalTerms(
        pattern=data["pattern"],
        lasts_months=lasts.months or None if lasts else None,
        lasts_days=lasts.days or None if lasts else None,
        start_within_days=(data.get("start_within") or {}).get("days"),
        grace_days=(data.get("grace") or {}).get("days", 0),
        retrospective_reasons=dict(retrospective.get("reasons", {})),
        retrospective_days=retrospective.get("days", 0),
        max_dose=max_dose(data.get("max_dose")),
        products=tuple(data.get("products") or ()),
        interchangeable=data.get("interchangeable", False),
        max_unit_price=None,
        source=sources[data["source"]],
        evidence=data["evidence"],
        then_lasts=span(data.get("then_lasts")),
        phases=tuple(_phase(each) for each in data.get("phases") or ()),
        escalations=tuple(_escalation(each, sources) for each in data.get("escalations") or ()),
        courses=tuple(_course(each) for each in data.get("courses") or ()),
        doses=data.get("doses"),
        barred_with=tuple(_barred(each, sources) for each in data.get("barred_with") or ()),
        supersedes=tuple(data.get("supersedes") or ()),
        max_supply_days=(data.get("max_supply") or {}).get("days"),
        best_value=_best_value(data.get("best_value"), sources),
        conversion=_conversion(data.get("conversion"), sources),
    )


def _phase(data: Mapping[str, Any]) -> Phase:
    return Phase(data["name"], span(data.get("lasts")), max_dose(data.get("max_dose")))


def _course(data: Mapping[str, Any]) -> Course:
    after, within = span(data.get("after")), span(data.get("within"))
    return Course(data["name"], span(data.get("lasts")), after, within)


def _escalation(data: Mapping[str, Any], sources: Mapping[str, Source]) -> Escalation:
    dose = max_dose(data["max_dose"])
    assert dose is not None
    return Escalation(
        name=data["name"],
        max_dose=dose,
        lasts=span(data.get("lasts")),
        grounds=dict(data["grounds"]),
        source=sources[data["source"]],
        evidence=data["evidence"],
    )


def _barred(data: Mapping[str, Any], sources: Mapping[str, Source]) -> Barred:
    return Barred(
        drugs=tuple(data["drugs"]),
        overlap_days=(data.get("overlap") or {}).get("days", 0),
        reason=data["reason"].strip(),
        source=sources[data["source"]],
        evidence=data["evidence"],
    )


def _best_value(data: Mapping[str, Any] | None, sources: Mapping[str, Source]) -> BestValue | None:
    if not data:
        return None
    products = tuple(
        BestValueProduct(
            each["product"],
            date.fromisoformat(each["from"]),
            day(each.get("until")),
            each.get("target"),
        )
        for each in data["products"]
    )
    return BestValue(products, dict(data["reasons"]), sources[data["source"]], data["evidence"])


def _conversion(data: Mapping[str, Any] | None, sources: Mapping[str, Source]) -> Conversion | None:
    if not data:
        return None
    return Conversion(data["judged_on"], sources[data["source"]], data["evidence"])
