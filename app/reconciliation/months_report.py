"""A year month by month, and what could not be tested of it, as tables of text."""

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from typing import Final

from rich.console import Console
from rich.table import Table

from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.report import pounds
from app.reconciliation.slice_months import MonthSum
from app.reconciliation.slice_report import SliceRow
from app.reconciliation.slices import ZERO

_WIDTH: Final = 136
NOT_KNOWN: Final = "not known"
_AMOUNTS: Final = ("total", "accepted", "queried", "not_testable", "more", "challenged")
_NAMES: Final = (
    *("Stated (£)", "Accepted (£)", "Queried (£)", "Untested (£)", "Deltas (£)"),
    "Challenged (£)",
)


def months_text(months: Sequence[MonthSum], title: str) -> str:
    """A row for each month: what is stated, accepted and queried, deltas, challenges that are open.

    *Untested* is part of what is accepted, with later changes as that is; it is not known where it
    is not of one slice. *Deltas* are the signed
    corrections after the freeze; *challenged* is what still waits for somebody, in that many
    challenges.
    """
    with localcontext(prec=EXACT_DIGITS):
        sums = [_sum([getattr(m, n) for m in months]) for n in _AMOUNTS]
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("Month", footer="total")
    table.add_column("Lines", justify="right", footer=str(sum(m.lines for m in months)))
    for name, footer in zip(_NAMES, sums, strict=True):
        table.add_column(name, justify="right", footer=footer)
    open_ = str(sum(m.challenges for m in months))
    table.add_column("Open", justify="right", footer=open_)
    table.add_column("Over ACM (£)", footer=_tie(months))
    for month in months:
        amounts = [_sum([getattr(month, name)]) for name in _AMOUNTS]
        period = f"{month.period.financial_year} M{month.period.financial_month:02d}"
        closed = "" if month.closed == month.slices else " open"
        table.add_row(
            period + closed, str(month.lines), *amounts, str(month.challenges), _tie([month])
        )
    return _printed(table)


def _sum(amounts: Sequence[Decimal | None]) -> str:
    known = [amount for amount in amounts if amount is not None]
    return NOT_KNOWN if len(known) < len(amounts) else pounds(sum(known, ZERO))


def _tie(months: Sequence[MonthSum]) -> str:
    """How the slices lie to the Aggregate Contract Monitoring figures that are stated for them."""
    told = sum(m.with_figure for m in months)
    apart = sum(m.untied for m in months)
    if not told:
        return ""
    if not apart:
        return f"{told} tie"
    with localcontext(prec=EXACT_DIGITS):
        difference = sum((m.difference for m in months), ZERO)
    return f"{apart} not: {'+' if difference > 0 else ''}{pounds(difference)}"


def untested_text(rows: Iterable[SliceRow], title: str) -> str:
    """The accepted pounds of lines that each test could not be made on, the largest first.

    Closed slices count as they were frozen: their deltas do not say which test it was. Slices of
    which it is not known are counted under them, and left out.
    """
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    unknown = changed = 0
    with localcontext(prec=EXACT_DIGITS):
        for row in rows:
            unknown += not row.knows_untested
            changed += row.not_testable_more != 0
            for name, stated in (row.untested or {}).items():
                found[name] += Decimal(stated)
    table = Table()
    table.add_column("Test")
    table.add_column("Accepted (£)", justify="right")
    for name, amount in sorted(found.items(), key=lambda each: (-each[1], each[0])):
        table.add_row(name, pounds(amount))
    told = f"{title}\n{_printed(table)}"  # a table as narrow would wrap it
    if changed:
        told += (
            f"Without what changed since the freeze of {changed} slice(s): of that it is not kept "
            "which test it was.\n"
        )
    if unknown:
        told += (
            f"Without {unknown} slice(s) of which it is not known: their runs are of before it was "
            "kept.\n"
        )
    return told


def _printed(table: Table) -> str:
    out = io.StringIO()
    Console(file=out, width=_WIDTH, color_system=None, highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
