"""The evidence of one line, in words and rows. Pure; it shows what the API's document holds."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.api.line_decisions import CoverageDocument, EvidenceDocument
from app.reconciliation.decision_store import DecisionRecord
from app.reconciliation.engines.explain import Tried
from app.reconciliation.model import DecisionKind
from app.web.decision import Colour
from app.web.desk.common import (
    TEST_COLOURS,
    drug_words,
    month_words,
    organisation_words,
    outcome_colour,
)
from app.web.words import (
    day_words,
    first_upper,
    instant_words,
    nhs_words,
    pounds,
    with_days_in_words,
)

_TRIED: Final[dict[str, tuple[str, Colour]]] = {
    Tried.FOUND: ("Found", "green"),
    Tried.NOTHING: ("Nothing found", "grey"),
    Tried.NOT_TRIED: ("Not tried", "grey"),
}
_KINDS: Final = {
    DecisionKind.MATCH: "Matched by hand",
    DecisionKind.ACCEPT: "Accepted by hand",
    DecisionKind.QUERY: "Queried by hand",
}
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """A pass or a test: its name, what came of it, and why."""

    name: str
    result: str
    colour: Colour
    why: str


@dataclass(frozen=True, slots=True)
class LineView:
    """Everything that one page tells of a line."""

    row: int
    title: str
    outcome: str
    colour: Colour
    reason: str
    remedy: str
    total: Decimal | None
    accepted: Decimal
    queried: Decimal
    stated: Pairs
    passes: tuple[Tested, ...]
    tests: tuple[Tested, ...]
    coverage: Pairs
    unchanged: bool
    preparing: bool


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision by hand."""

    id: str
    words: str
    reason: str
    made: str
    line: str
    href: str
    undone: str
    may_undo: bool


def _supplied(day: dt.date | None) -> str:
    return "day of supply not known" if day is None else day_words(day)


def _said(why: str) -> str:
    return first_upper(with_days_in_words(why))


def line_view(document: EvidenceDocument, *, preparing: bool = False) -> LineView:
    """The page of a line; `preparing`: it is not known yet whom its pseudonym names."""
    line = document.line
    return LineView(
        row=line.row,
        title=f"{drug_words(line.drug)}, {_supplied(line.supply_date)}",
        outcome=first_upper(line.outcome),
        colour=outcome_colour(line.outcome),
        reason=with_days_in_words(line.reason),
        remedy=with_days_in_words(line.remedy),
        total=line.total,
        accepted=line.accepted,
        queried=line.queried,
        stated=_stated(document),
        passes=tuple(
            Tested(
                first_upper(each.name),
                *_TRIED[each.result],
                _said(each.why),
            )
            for each in document.passes
        ),
        tests=tuple(
            Tested(
                first_upper(each.name),
                first_upper(each.result),
                TEST_COLOURS[each.result],
                _said(each.detail),
            )
            for each in line.tests
        ),
        coverage=_coverage(document.coverage) if document.coverage else (),
        unchanged=document.unchanged,
        preparing=preparing,
    )


def decision_rows(made: Sequence[DecisionRecord], *, may_undo_all: bool) -> tuple[DecisionRow, ...]:
    """Decisions as rows; an override is undone by a commissioner only."""
    return tuple(_decision(each, may_undo_all) for each in made)


def _decision(made: DecisionRecord, may_undo_all: bool) -> DecisionRow:
    decision = made.decision
    words = _KINDS[decision.kind]
    if decision.approval_reference is not None:
        words += f" to {decision.approval_reference}"
    undone = ""
    if made.undone_at is not None:
        undone = f"Undone on {instant_words(made.undone_at)}: {made.undone_reason}"
    return DecisionRow(
        id=made.id,
        words=words,
        reason=made.reason,
        made=f"{instant_words(made.made_at)}, as {made.role}",
        line=f"Row {made.row}, which was '{decision.outcome.value}'",
        href=f"/submissions/runs/{made.run_id}/lines/{made.row}",
        undone=undone,
        may_undo=made.undone_at is None and (may_undo_all or decision.kind is DecisionKind.MATCH),
    )


def _stated(document: EvidenceDocument) -> Pairs:
    stated, line = document.stated, document.line
    quantity = ""
    if stated.quantity is not None:
        quantity = f"{stated.quantity:f} {stated.unit or '(unit not stated)'}"
    charged = {True: "yes", False: "no"}
    pairs = [
        ("Month", month_words(stated.month) if stated.month else ""),
        ("Provider", organisation_words(line.provider) if line.provider else ""),
        ("Commissioner", stated.commissioner or ""),
        ("NHS number", nhs_words(stated.nhs_number) if stated.nhs_number else ""),
        ("Hospital number", stated.local_patient_id or ""),
        ("Patient (pseudonym of the NHS number)", stated.nhs_pseudonym or ""),
        ("Patient (pseudonym of the hospital number)", stated.local_pseudonym or ""),
        ("Day of supply", day_words(line.supply_date) if line.supply_date else ""),
        ("Kind of line", line.kind),
        ("Drug code", stated.drug_code or ""),
        ("Indication code", stated.indication_code or ""),
        ("Reference", stated.reference or ""),
        ("Quantity", quantity),
        ("Unit price", pounds(stated.unit_price) if stated.unit_price is not None else ""),
        (
            "Home delivery charge",
            pounds(stated.home_delivery_charge) if stated.home_delivery_charge is not None else "",
        ),
        (
            "VAT charged",
            charged.get(stated.vat_charged, "") if stated.vat_charged is not None else "",
        ),
    ]
    unread = [
        (f"{first_upper(name.replace('_', ' '))} (could not be read)", why)
        for name, why in stated.not_read.items()
    ]
    return tuple((key, value) for key, value in pairs if value) + tuple(unread)


def _coverage(coverage: CoverageDocument) -> Pairs:
    ends = day_words(coverage.to) if coverage.to else "no end"
    grace = f", with grace to {day_words(coverage.grace_to)}" if coverage.grace_to else ""
    pairs = (
        ("Approval", coverage.reference or "none"),
        ("State", coverage.status),
        ("Drug", drug_words(coverage.drug)),
        ("Product", coverage.product or ""),
        ("Covers", f"{day_words(coverage.from_)} to {ends}{grace}"),
        ("Provider", organisation_words(coverage.provider)),
        ("May supply", ", ".join(coverage.supplying_providers)),
        ("Who pays", coverage.commissioner),
        ("Funding", coverage.funding_origin),
    )
    return tuple((key, value) for key, value in pairs if value)
