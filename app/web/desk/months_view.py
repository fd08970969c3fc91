"""Slices and worklists in words. Pure."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.api.slices_model import CommissionerDocument, SliceDocument, SliceList
from app.reconciliation.untested import sum_known
from app.reconciliation.worklists import Entry, Worklist
from app.web.decision import Colour
from app.web.desk.common import drug_words, organisation_words, period_words
from app.web.desk.deltas_view import signed, untested_words
from app.web.words import day_words


@dataclass(frozen=True, slots=True)
class ListWords:
    """A worklist's name, what is on it, and what to do with it."""

    title: str
    what: str


LISTS: Final[dict[str, ListWords]] = {
    Worklist.NOT_STARTED: ListWords(
        "Not started",
        "Approvals with no supply after their start-by date. Ask whether treatment began: a late "
        "invoice looks the same.",
    ),
    Worklist.SUPPLIED_AFTER_STOP: ListWords(
        "Supplied after a stop",
        "Supplies after treatment was recorded as stopped. A last delivery to a home may be among "
        "them.",
    ),
    Worklist.NO_RECENT_SUPPLY: ListWords(
        "No recent supply",
        "Live approvals without a supply for four months, measured to the newest supply that the "
        "provider invoiced.",
    ),
    Worklist.TWO_TRUSTS: ListWords(
        "Supplied by two trusts",
        "Supplies of two trusts at the same time, of which one is not approved to supply.",
    ),
}


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice: `where` it is between flex and freeze."""

    provider: str
    commissioner: str
    month: str
    href: str
    version: int
    lines: int
    total: Decimal
    accepted: Decimal | None
    queried: Decimal | None
    untested: str  # of what is accepted
    change: str  # the deltas of a closed month; empty where there are none
    change_href: str
    corrections: int
    corrected: Decimal
    stated: Decimal | None
    difference: Decimal | None
    where: str
    colour: Colour
    days: str
    stale: str  # that changes are not seen yet; empty where all are


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One thing to look at, with the lines that it rests on."""

    drug: str
    reference: str
    treatment: str
    providers: str
    day: str
    why: str
    lines: tuple[tuple[str, str], ...]  # words, address


def slice_rows(found: SliceList, today: dt.date) -> tuple[SliceRow, ...]:
    """The newest month first."""
    ordered = sorted(
        found.slices,
        key=lambda s: (s.financial_year, s.financial_month),
        reverse=True,
    )
    return tuple(_slice(each, today) for each in ordered)


@dataclass(frozen=True, slots=True)
class SumRow:
    """A commissioner's months, summed."""

    each: CommissionerDocument
    untested: str


def sum_rows(found: SliceList) -> tuple[SumRow, ...]:
    """The sums of each commissioner."""
    return tuple(
        SumRow(each, untested_words(each.accepted, each.not_testable))
        for each in found.commissioners
    )


def years_of(found: SliceList, chosen: str) -> tuple[tuple[str, str, bool], ...]:
    """The financial years that there are, and which is chosen."""
    years = sorted({each.financial_year for each in found.slices}, reverse=True)
    all_years = (("", "All years", not chosen),)
    return all_years + tuple((y, f"{y[:4]}/{y[4:]}", y == chosen) for y in years)


def entry_rows(found: Iterable[Entry]) -> tuple[EntryRow, ...]:
    """The entries in their order."""
    return tuple(
        EntryRow(
            drug_words(each.drug),
            each.reference or "",
            each.treatment_id,
            ", ".join(organisation_words(code) for code in each.providers),
            day_words(each.day),
            each.why,
            tuple(
                (f"row {row}", f"/submissions/runs/{run}/lines/{row}") for run, row in each.lines
            ),
        )
        for each in found
    )


def _slice(each: SliceDocument, today: dt.date) -> SliceRow:
    where, colour = _where(each, today)
    return SliceRow(
        provider=each.provider,
        commissioner=each.commissioner,
        month=period_words(each.financial_year, each.financial_month),
        href=f"/submissions/{each.submission}",
        version=each.version,
        lines=each.lines,
        total=each.total,
        accepted=None if each.accepted is None else each.accepted + each.accepted_more,
        queried=None if each.queried is None else each.queried + each.queried_more,
        untested=untested_words(
            each.accepted, sum_known((each.not_testable, each.not_testable_more))
        ),
        change=_change(each),
        change_href=f"/slices/deltas?financial_year={each.financial_year}"
        f"&financial_month={each.financial_month}&provider={each.provider}",
        corrections=each.corrections,
        corrected=each.corrected,
        stated=each.stated_total,
        difference=each.difference,
        where=where,
        colour=colour,
        days=_days(each),
        stale=_stale(each),
    )


def _change(each: SliceDocument) -> str:
    if not each.deltas:
        return ""
    lines = "1 line" if each.deltas == 1 else f"{each.deltas:,} lines"
    return f"{signed(each.accepted_more)} accepted since, {lines}"


def _stale(each: SliceDocument) -> str:
    if not each.out_of_date:
        return ""
    changes = "1 change" if each.out_of_date == 1 else f"{each.out_of_date:,} changes"
    if each.matching_failed:
        return (
            f"{changes} of approvals not matched: it failed each time and was given up. Open the "
            "submission and reconcile it again; if that fails too, tell the people who run the "
            "service."
        )
    return f"{changes} of approvals not matched yet"


def _where(each: SliceDocument, today: dt.date) -> tuple[str, Colour]:
    if each.closed:
        return "Frozen", "blue"
    if each.flex is None or each.freeze is None:
        return "No calendar", "grey"
    if today <= each.flex:
        return "Before flex", "grey"
    return "Between flex and freeze", "yellow"


def _days(each: SliceDocument) -> str:
    said = [("flex", each.flex), ("freeze", each.freeze), ("challenge by", each.challenge_by)]
    return "; ".join(f"{name} {day_words(day)}" for name, day in said if day is not None)
