"""Lines of a run as rows of a table, and the filter above it, in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from app.api.submissions_model import LineDocument
from app.reconciliation.line_choice import Order
from app.reconciliation.line_filter import NOT_LEGIBLE, LineFilter
from app.reconciliation.report import untested_told
from app.reconciliation.untested import ANY_TEST
from app.web.decision import Colour
from app.web.desk.common import drug_words, key_words, outcome_colour
from app.web.words import day_words, first_upper

FIELDS: Final = ("outcome", "drug", "provider", "commissioner", "month", "untested", "total")
_LABELS: Final = {
    "outcome": "Outcome",
    "drug": "Drug",
    "provider": "Provider",
    "commissioner": "Commissioner",
    "month": "Month",
    "untested": "Accepted, not tested",
    "total": "Total",
}


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line: it names no patient."""

    row: int
    href: str
    day: str
    drug: str
    provider: str
    outcome: str
    colour: Colour
    total: Decimal | None
    queried: Decimal
    reason: str
    reference: str


@dataclass(frozen=True, slots=True)
class FilterField:
    """One choice of the filter."""

    name: str
    label: str
    options: tuple[tuple[str, str, bool], ...]  # value, words, chosen


@dataclass(frozen=True, slots=True)
class Filters:
    """The filter as it stands, and where the next page is."""

    fields: tuple[FilterField, ...]
    said: str
    next_href: str | None
    first_href: str


def line_rows(run: str, lines: Sequence[LineDocument]) -> tuple[LineRow, ...]:
    """The lines of a page."""
    return tuple(
        LineRow(
            row=each.row,
            href=f"/submissions/runs/{run}/lines/{each.row}",
            day=day_words(each.supply_date),
            drug=drug_words(each.drug),
            provider=each.provider or "not stated",
            outcome=first_upper(each.outcome),
            colour=outcome_colour(each.outcome),
            total=each.total,
            queried=each.queried,
            reason=each.reason,
            reference=each.reference or "",
        )
        for each in lines
    )


def filter_words(
    run: str,
    summary: Mapping[str, Any],
    asked: LineFilter,
    next_row: int | None,
    order: Order = Order.FILE,
) -> Filters:
    """The choices that the run's own breakdowns offer, and what is chosen of them."""
    fields = (*(_field(name, summary, getattr(asked, name)) for name in FIELDS), _order(order))
    chosen = {name: getattr(asked, name) for name in FIELDS if getattr(asked, name)}
    at = f"/submissions/runs/{run}/lines"
    said = ", ".join(_said(name, value) for name, value in chosen.items())
    if order is Order.QUERIED:
        chosen["order"] = order.value
    more = None if next_row is None else f"{at}?{urlencode({**chosen, 'after': next_row})}"
    return Filters(fields, said, more, f"{at}?{urlencode(chosen)}" if chosen else at)


def _said(name: str, value: str) -> str:
    words = key_words(name, value)
    return f"{_LABELS[name]}: {words}" if name in ("untested", "total") else words


def _keys(name: str, summary: Mapping[str, Any]) -> list[str]:
    """What the run's own breakdowns name; an older run has not all of them."""
    if name == "total":
        return [NOT_LEGIBLE] if summary["total"]["unreadable_totals"] else []
    if name != "untested":
        return [each[name] for each in summary.get(f"by_{name}", ())]
    untested = untested_told(summary)
    return [ANY_TEST, *untested.by_test] if untested and untested.by_test else []


def _order(order: Order) -> FilterField:
    by_queried = order is Order.QUERIED
    options = (
        ("", "As in the file", not by_queried),
        ("queried", "Most queried first", by_queried),
    )
    return FilterField("order", "Order", options)


def _field(name: str, summary: Mapping[str, Any], chosen: str | None) -> FilterField:
    keys = _keys(name, summary)
    options = [(key, key_words(name, key), key == chosen) for key in keys]
    if name != "month":
        options.sort(key=lambda option: option[1])
    return FilterField(name, _LABELS[name], (("", "All", chosen is None), *options))
