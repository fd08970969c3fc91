"""The approval terms of a policy version as a document."""

import datetime as dt

from pydantic import Field

from app.api.documents import Document
from app.api.types import ExactNumber
from app.policy import ApprovalTerms, MaxDose, Span
from app.policy.model import Evidence


class SpanDocument(Document):
    """A length: whole months, or days. One of the two is 0."""

    months: int
    days: int


class MaxDoseDocument(Document):
    """The largest dose that an approval covers."""

    amount: ExactNumber
    unit: str
    per: str


class PhaseDocument(Document):
    """A stretch of treatment with its own largest dose, counted from the first dose."""

    name: str
    lasts: SpanDocument | None = Field(description="null for the last phase, which has no end")
    max_dose: MaxDoseDocument | None


class EscalationDocument(Document):
    """A dose above the largest, allowed on one of the grounds."""

    name: str
    max_dose: MaxDoseDocument
    lasts: SpanDocument | None = Field(description="Temporary: the former dose follows it")
    grounds: dict[str, str]
    source: str
    evidence: Evidence


class CourseDocument(Document):
    """One course of a fixed number; `after` and `within` count from the course before."""

    name: str
    lasts: SpanDocument | None
    after: SpanDocument | None
    within: SpanDocument | None


class BarredDocument(Document):
    """Drugs that are not funded together with this one."""

    drugs: list[str]
    overlap_days: int = Field(description="Days that may overlap when switching")
    reason: str
    source: str
    evidence: Evidence


class BestValueProductDocument(Document):
    """A product to be used first between two days."""

    product: str
    from_: dt.date = Field(serialization_alias="from")
    until: dt.date | None
    target: str | None


class BestValueDocument(Document):
    """The products to be used first, and the reasons that permit another."""

    products: list[BestValueProductDocument]
    reasons: dict[str, str]
    source: str
    evidence: Evidence


class ConversionDocument(Document):
    """How a treatment that began outside NHS funding is judged."""

    judged_on: str
    source: str
    evidence: Evidence


class TermsDocument(Document):
    """What an approval under the version covers, and for how long."""

    pattern: str
    lasts_months: int | None
    lasts_days: int | None
    then_lasts: SpanDocument | None = Field(
        description="The length of a continuation, where it is not that of the first approval"
    )
    clock: str = Field(description="From which day the length of a first approval is counted")
    start_within_days: int | None
    grace_days: int
    retrospective_reasons: dict[str, str]
    retrospective_days: int
    max_dose: MaxDoseDocument | None
    phases: list[PhaseDocument]
    escalations: list[EscalationDocument]
    courses: list[CourseDocument]
    doses: int | None = Field(description="The most doses that one episode covers")
    barred_with: list[BarredDocument]
    supersedes: list[str] = Field(
        description="Policies whose running approval ends when one under this version begins"
    )
    max_supply_days: int | None = Field(description="The most days supplied at a time")
    best_value: BestValueDocument | None
    conversion: ConversionDocument | None
    products: list[str] = Field(description="Product keys; empty means any product of the drug")
    interchangeable: bool
    source: str
    evidence: Evidence


CLOCK = (
    "The day on which the approval begins, until the first dose is recorded; from then on the day "
    "of the first dose."
)


def terms_document(terms: ApprovalTerms) -> TermsDocument:
    """The terms of a version."""
    same = (
        *("pattern", "lasts_months", "lasts_days", "start_within_days", "grace_days", "doses"),
        *("retrospective_reasons", "retrospective_days", "max_supply_days", "interchangeable"),
        "evidence",
    )
    return TermsDocument(
        **{name: getattr(terms, name) for name in same},
        then_lasts=_span(terms.then_lasts),
        clock=CLOCK,
        max_dose=_dose(terms.max_dose),
        phases=[
            PhaseDocument(name=p.name, lasts=_span(p.lasts), max_dose=_dose(p.max_dose))
            for p in terms.phases
        ],
        escalations=_escalations(terms),
        courses=[
            CourseDocument(
                name=c.name, lasts=_span(c.lasts), after=_span(c.after), within=_span(c.within)
            )
            for c in terms.courses
        ],
        barred_with=_barred(terms),
        supersedes=list(terms.supersedes),
        best_value=_best_value(terms),
        conversion=_conversion(terms),
        products=list(terms.products),
        source=terms.source.id,
    )


def _span(span: Span | None) -> SpanDocument | None:
    return None if span is None else SpanDocument(months=span.months, days=span.days)


def _dose(dose: MaxDose | None) -> MaxDoseDocument | None:
    if dose is None:
        return None
    return MaxDoseDocument(amount=dose.amount, unit=dose.unit, per=dose.per)


def _escalations(terms: ApprovalTerms) -> list[EscalationDocument]:
    return [
        EscalationDocument(
            name=each.name,
            max_dose=MaxDoseDocument(
                amount=each.max_dose.amount, unit=each.max_dose.unit, per=each.max_dose.per
            ),
            lasts=_span(each.lasts),
            grounds=each.grounds,
            source=each.source.id,
            evidence=each.evidence,
        )
        for each in terms.escalations
    ]


def _barred(terms: ApprovalTerms) -> list[BarredDocument]:
    return [
        BarredDocument(
            drugs=list(each.drugs),
            overlap_days=each.overlap_days,
            reason=each.reason,
            source=each.source.id,
            evidence=each.evidence,
        )
        for each in terms.barred_with
    ]


def _best_value(terms: ApprovalTerms) -> BestValueDocument | None:
    found = terms.best_value
    if found is None:
        return None
    return BestValueDocument(
        products=[
            BestValueProductDocument(
                product=each.product, from_=each.from_, until=each.until, target=each.target
            )
            for each in found.products
        ],
        reasons=found.reasons,
        source=found.source.id,
        evidence=found.evidence,
    )


def _conversion(terms: ApprovalTerms) -> ConversionDocument | None:
    found = terms.conversion
    if found is None:
        return None
    return ConversionDocument(
        judged_on=found.judged_on, source=found.source.id, evidence=found.evidence
    )
