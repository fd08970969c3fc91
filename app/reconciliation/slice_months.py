"""A year of current slices, month by month, with what is challenged and not yet closed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import NamedTuple

from app.approvals.permissions import Action, can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import challenge_store
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.slice_report import SliceRow, untested_in
from app.reconciliation.slice_store import Period
from app.reconciliation.slices import ZERO


class Challenged(NamedTuple):
    """Challenges that still wait for somebody, and the pounds that they query."""

    challenges: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MonthSum:
    """The current slices of a month, summed, in pounds.

    `total`, `accepted`, `queried` and `not_testable` are of the statements, but for the total with
    the `deltas` of closed slices, which are `accepted_more` of it. `not_testable` is None, not
    known, where a slice does not know it, as runs and deltas of before it was kept do not. `more`
    is what signed corrections after the freeze add, and `corrected` both. `difference` is how far
    the slices that have an Aggregate Contract Monitoring figure are over it; `untied` counts those
    that differ.
    """

    period: Period
    slices: int
    closed: int
    lines: int
    total: Decimal
    accepted: Decimal
    queried: Decimal
    deltas: int
    accepted_more: Decimal
    not_testable: Decimal | None
    corrections: int
    more: Decimal
    corrected: Decimal
    with_figure: int
    untied: int
    difference: Decimal
    challenges: int
    challenged: Decimal


def challenged_by_month(
    work: Work, caller: Caller, provider: str | None = None, commissioner: str | None = None
) -> Mapping[Period, Challenged]:
    """What is challenged and open by the month of its lines, as far as the caller may read it."""
    if not can(caller, Action.READ_CHALLENGES):
        return {}
    found: dict[Period, list[tuple[str, Decimal]]] = defaultdict(list)
    for id, month, amount in challenge_store.open_lines(work, caller, provider, commissioner):
        year, _, number = month.partition(" M")
        found[Period(year, int(number))].append((id, amount))
    with localcontext(prec=EXACT_DIGITS):
        return {
            period: Challenged(len({id for id, _ in lines}), _sum(amount for _, amount in lines))
            for period, lines in found.items()
        }


def by_month(
    rows: Iterable[SliceRow], challenged: Mapping[Period, Challenged]
) -> tuple[MonthSum, ...]:
    """The slices summed for each month, exactly, in order of time."""
    grouped: dict[Period, list[SliceRow]] = defaultdict(list)
    for row in rows:
        grouped[Period(row.key.financial_year, row.key.financial_month)].append(row)
    nothing = Challenged(0, ZERO)
    with localcontext(prec=EXACT_DIGITS):
        return tuple(
            _month(period, grouped[period], challenged.get(period, nothing))
            for period in sorted(grouped)
        )


def _month(period: Period, rows: list[SliceRow], challenged: Challenged) -> MonthSum:
    told = [row for row in rows if row.figure is not None]
    total, corrected = _sum(row.total for row in rows), _sum(row.corrected for row in rows)
    return MonthSum(
        period=period,
        slices=len(rows),
        closed=sum(row.frozen_on is not None for row in rows),
        lines=sum(row.lines for row in rows),
        total=total,
        accepted=_sum(row.accepted_now for row in rows),
        queried=_sum(row.queried_now for row in rows),
        deltas=sum(row.deltas for row in rows),
        accepted_more=_sum(row.accepted_more for row in rows),
        not_testable=untested_in(rows),
        corrections=sum(row.corrections for row in rows),
        more=corrected - total,
        corrected=corrected,
        with_figure=len(told),
        untied=sum(bool(row.difference) for row in told),
        difference=_sum(row.difference for row in told),
        challenges=challenged.challenges,
        challenged=challenged.amount,
    )


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount or ZERO for amount in amounts), ZERO)
