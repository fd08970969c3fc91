"""The deltas of closed months as tables of text."""

import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.table import Table

from app.reconciliation.delta_report import ClosedMonth, DeltaRow, closed_months
from app.reconciliation.months_report import NOT_KNOWN
from app.reconciliation.report import pounds
from app.reconciliation.slices import SliceKey

_WIDTH: Final = 120
_KEY: Final = ("Provider", "Commissioner", "Month")


def deltas_text(rows: Sequence[DeltaRow]) -> str:
    """Closed months that changed, what of them could not be tested, and their deltas by line."""
    if not rows:
        return "No line of a closed month has changed since it was frozen.\n"
    out = io.StringIO()
    console = Console(file=out, width=_WIDTH, color_system=None, highlight=False, markup=False)
    months = closed_months(rows)
    for table in (_months(months), _untested(months), _lines(rows)):
        console.print(table)
    return out.getvalue()


def _months(months: Iterable[ClosedMonth]) -> Table:
    names = ("Lines", "Frozen (£)", "Deltas (£)", "Accepted (£)", "Queried (£)")
    table = _table("Closed months that changed", _KEY, names)
    for each in months:
        amounts = (each.accepted, each.accepted_more, each.accepted_now, each.queried_now)
        table.add_row(*_named(each.key), str(each.deltas), *map(pounds, amounts))
    return table


def _untested(months: Iterable[ClosedMonth]) -> Table:
    names = ("Frozen (£)", "Deltas (£)", "Untested (£)")
    table = _table("Of what is accepted: with a test that could not be made", _KEY, names)
    for each in months:
        amounts = (each.not_testable, each.not_testable_more, each.not_testable_now)
        table.add_row(*_named(each.key), *map(_if_known, amounts))
    return table


def _lines(rows: Iterable[DeltaRow]) -> Table:
    table = _table(
        "Line by line",
        ("Month", "Row", "Was", "Is now"),
        ("Accepted more (£)", "Queried more (£)", "Untested more (£)"),
    )
    table.add_column("What changed")
    for row in rows:
        delta = row.delta
        table.add_row(
            _month(row.key), str(delta.row), delta.outcome_was, delta.outcome,
            pounds(delta.accepted_more), pounds(delta.queried_more),
            _if_known(delta.not_testable_more), delta.cause or "",
        )  # fmt: skip
    return table


def _table(title: str, words: Iterable[str], amounts: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in words:
        table.add_column(name)
    for name in amounts:
        table.add_column(name, justify="right")
    return table


def _named(key: SliceKey) -> tuple[str, str, str]:
    return key.provider, key.commissioner, _month(key)


def _month(key: SliceKey) -> str:
    return f"{key.financial_year} M{key.financial_month:02d}"


def _if_known(amount: Decimal | None) -> str:
    return NOT_KNOWN if amount is None else pounds(amount)
