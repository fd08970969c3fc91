"""Deltas of closed months in words. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from app.api.deltas import ClosedMonthDocument, DeltaDocument
from app.clock import london_day
from app.reconciliation.model import LineOutcome
from app.web.decision import Colour
from app.web.desk.common import outcome_colour, period_words
from app.web.words import day_words, first_upper, pounds

_EXPORT: Final = "/slices/deltas/export"
#: What the log calls a change, as the desk reads it.
_CAUSES: Final[dict[str, str]] = {
    "approval: withdraw": "Approval withdrawn",
    "approval: uphold": "Approval upheld after a query",
    "approval: mark entered in error": "Approval marked as entered in error",
    "approval under query": "Approval under query after a correction",
    "approval issued": "Approval given",
    "approval imported": "Approval brought over from another system",
    "approval ended": "Approval ended",
    "coverage cut by a stop": "Treatment stopped",
    "treatment transferred": "Treatment transferred to another trust",
    "earlier month stated anew": "An earlier month was stated anew",
}
#: What no run counted.
NOT_KNOWN: Final = "Not known"
_NO_CAUSE: Final = "No single change: prices, terms or reference data"


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A closed month: frozen, deltas and both."""

    month: str
    href: str
    provider: str
    commissioner: str
    deltas: int
    accepted: Decimal
    untested: str
    untested_more: str
    untested_now: str
    accepted_more: str
    accepted_now: Decimal
    queried_now: Decimal


@dataclass(frozen=True, slots=True)
class DeltaLine:
    """A line of a closed month with what became of it."""

    month: str
    row: int
    href: str
    was: str
    was_colour: Colour
    now: str
    now_colour: Colour
    accepted_before: Decimal
    accepted: Decimal
    accepted_more: str
    queried_more: str
    untested_before: str  # of what was accepted, as all of these empty where nothing was untested
    untested: str
    untested_more: str
    cause: str
    day: str
    reference: str
    reason: str
    added: str


def month_rows(found: Iterable[ClosedMonthDocument]) -> tuple[MonthRow, ...]:
    """The newest month first; each leads to its own deltas."""
    return tuple(
        MonthRow(
            month=period_words(each.financial_year, each.financial_month),
            href="/slices/deltas?" + urlencode(_month(each)),
            provider=each.provider,
            commissioner=each.commissioner,
            deltas=each.deltas,
            accepted=each.accepted,
            untested=untested_words(each.accepted, each.not_testable),
            untested_more=_signed_if_known(each.not_testable_more),
            untested_now=untested_words(each.accepted_now, each.not_testable_now),
            accepted_more=signed(each.accepted_more),
            accepted_now=each.accepted_now,
            queried_now=each.queried_now,
        )
        for each in reversed(list(found))
    )


def untested_words(accepted: Decimal | None, untested: Decimal | None) -> str:
    """What was accepted untested; nothing before anything was accepted or queried by a run."""
    if accepted is None:
        return ""
    return NOT_KNOWN if untested is None else pounds(untested)


def delta_rows(found: Iterable[DeltaDocument]) -> tuple[DeltaLine, ...]:
    """The newest month first, within it as they were added, the last first."""
    return tuple(_line(each) for each in reversed(list(found)))


def export_href(year: str | None, month: str | None, provider: str | None) -> str:
    """Where the same deltas are as a file."""
    named = {"financial_year": year, "financial_month": month, "provider": provider}
    asked = urlencode({name: value for name, value in named.items() if value})
    return f"{_EXPORT}?{asked}" if asked else _EXPORT


def signed(amount: Decimal) -> str:
    """Pounds with their sign: "+£1,000.00", "−£12.50"."""
    sign = "+" if amount > 0 else "−" if amount < 0 else ""
    return f"{sign}£{abs(amount):,.2f}"


def _signed_if_known(amount: Decimal | None) -> str:
    return NOT_KNOWN if amount is None else signed(amount)


def cause_words(cause: str | None) -> str:
    """What changed."""
    return _NO_CAUSE if cause is None else _CAUSES.get(cause, first_upper(cause))


def _month(each: ClosedMonthDocument) -> dict[str, str | int]:
    return {
        "financial_year": each.financial_year,
        "financial_month": each.financial_month,
        "provider": each.provider,
    }


def _colour(outcome: str) -> Colour:
    """Grey for what a line stood at before a correction added it, and after one took it away."""
    return outcome_colour(outcome) if outcome in set(LineOutcome) else "grey"


def _line(each: DeltaDocument) -> DeltaLine:
    changed = each.changed_at
    nothing = each.not_testable_before == each.not_testable == Decimal(0)
    before, now = (
        "" if nothing else untested_words(each.accepted, amount)
        for amount in (each.not_testable_before, each.not_testable)
    )
    return DeltaLine(
        month=period_words(each.financial_year, each.financial_month),
        row=each.row,
        href=f"/submissions/runs/{each.run}/lines/{each.row}",
        was=first_upper(each.outcome_before),
        was_colour=_colour(each.outcome_before),
        now=first_upper(each.outcome),
        now_colour=_colour(each.outcome),
        accepted_before=each.accepted_before,
        accepted=each.accepted,
        accepted_more=signed(each.accepted_more),
        queried_more=signed(each.queried_more),
        untested_before=before,
        untested=now,
        untested_more=now and _signed_if_known(each.not_testable_more),
        cause=cause_words(each.changed),
        day="" if changed is None else day_words(london_day(changed)),
        reference=each.reference or "",
        reason=each.reason,
        added=day_words(london_day(each.added_at)),
    )
