"""Choosing lines of a run by what they have in common, page by page."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum
from functools import cache, partial
from typing import Final

from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.large_queries import Figures
from app.reconciliation.line_filter import EVERY_LINE, LineFilter, folding
from app.reconciliation.model import MatchedLine
from app.reconciliation.run_lines import RunLines
from app.reconciliation.slices import Fold
from app.reconciliation.summary import NOT_STATED, ZERO, commissioner_named, month_named
from app.reconciliation.untested import ANY_TEST, lacking_of


class Order(StrEnum):
    """In which order lines are read: as the file has them, or those with most queried first."""

    FILE = "file"
    QUERIED = "queried"


#: What tells the month that a line is of (`month_of`).
_MONTH: Final = ("financial_year", "financial_month", "supply_date")


@dataclass(frozen=True, slots=True)
class LinesChosen:
    """A page of lines, with the count and the pounds of all that were chosen.

    `next` is the row number to go on after; None at the end.
    """

    lines: tuple[MatchedLine, ...]
    next: int | None
    count: int
    total: Decimal
    accepted: Decimal
    queried: Decimal


def choose_lines(
    opened: RunLines | LargeLines,
    asked: LineFilter,
    after: int,
    limit: int,
    order: Order = Order.FILE,
    fold: Fold | None = None,
) -> LinesChosen:
    """The lines after a row (0: from the first), in an order; the sums are of every page, exact.

    Only the page's lines are read whole. The sums of every line are the run's own. RunNotFound
    where lines are read by what is queried of them and the run has no row `after` which to go on.
    By commissioner it takes the `fold` of organisations.
    """
    if isinstance(opened, LargeLines):
        return _of_files(opened, asked, after, limit, order, fold)
    (rows,) = opened.came_to("row")
    wanted = range(len(rows)) if asked == EVERY_LINE else _wanted(opened, asked, fold)
    if order is Order.QUERIED:
        (queried,) = opened.came_to("queried")

        def stake(at: int) -> tuple[Decimal, int]:
            return -Decimal(queried[at]), rows[at]

        wanted = sorted(wanted, key=stake)
        begins = bisect_right(wanted, stake(opened.position(after)), key=stake) if after else 0
    else:
        begins = bisect_right(wanted, after, key=rows.__getitem__)
    shown = wanted[begins : begins + limit]
    total, accepted, queried_ = _sums(opened, asked, wanted)
    return LinesChosen(
        lines=_in_order(opened, shown),
        next=rows[shown[-1]] if begins + limit < len(wanted) else None,
        count=len(wanted),
        total=total,
        accepted=accepted,
        queried=queried_,
    )


def _in_order(opened: RunLines, shown: Sequence[int]) -> tuple[MatchedLine, ...]:
    ascending = sorted(shown)
    found = dict(zip(ascending, opened.at(ascending), strict=True))
    return tuple(found[at] for at in shown)


def _wanted(opened: RunLines, asked: LineFilter, fold: Fold | None) -> Sequence[int]:
    """The positions of the lines that are asked for."""
    wanted: Sequence[int] = range(opened.run.lines)
    for name in ("outcome", "drug", "provider"):
        value = getattr(asked, name)
        if value is not None:
            (told,) = opened.came_to(name)
            wanted = [at for at in wanted if (told[at] or NOT_STATED) == value]
    if asked.month is not None:
        years, months, days = opened.stated(*_MONTH)
        wanted = [
            at for at in wanted if month_named(years[at], months[at], days[at]) == asked.month
        ]
    if asked.commissioner is not None:
        codes, *stated = opened.stated("commissioner", *_MONTH)
        named = cache(partial(commissioner_named, fold=folding(fold)))
        every = list(zip(codes, *stated, strict=True))
        wanted = [at for at in wanted if named(*every[at]) == asked.commissioner]
    if asked.total is not None:
        (totals,) = opened.stated("total_cost")
        wanted = [at for at in wanted if totals[at] is None]
    if asked.untested is not None:
        accepted, tests = opened.came_to("accepted", "tests")
        wanted = [at for at in wanted if _lacks(asked.untested, accepted[at], tests[at])]
    return wanted


def _lacks(test: str, accepted: str, tests: str) -> bool:
    told = ((name, result) for name, result, _ in json.loads(tests))
    lacking = lacking_of(Decimal(accepted), told)
    return bool(lacking) if test == ANY_TEST else test in lacking


def _sums(
    opened: RunLines, asked: LineFilter, wanted: Sequence[int]
) -> tuple[Decimal, Decimal, Decimal]:
    if asked == EVERY_LINE:
        return opened.run.total, opened.run.accepted, opened.run.queried
    columns = (*opened.stated("total_cost"), *opened.came_to("accepted", "queried"))
    with localcontext(prec=EXACT_DIGITS):
        total, accepted, queried = (
            sum((Decimal(told[at] or 0) for at in wanted), ZERO) for told in columns
        )
    return total, accepted, queried


# --- where the lines are not held in memory -------------------------------------------------------


def _of_files(
    opened: LargeLines,
    asked: LineFilter,
    after: int,
    limit: int,
    order: Order,
    fold: Fold | None,
) -> LinesChosen:
    with opened.asking() as reading:
        reading.narrow(asked, fold)
        figures = reading.figures() if asked != EVERY_LINE else _of_run(opened)
        rows = reading.rows_after(after, limit + 1, by_queried=order is Order.QUERIED)
        lines = reading.lines(rows[:limit])
    return LinesChosen(
        lines=tuple(lines),
        next=rows[limit - 1] if len(rows) > limit else None,
        count=figures.lines,
        total=figures.accepted + figures.queried,
        accepted=figures.accepted,
        queried=figures.queried,
    )


def _of_run(opened: LargeLines) -> Figures:
    return Figures(opened.run.lines, opened.run.accepted, opened.run.queried)
