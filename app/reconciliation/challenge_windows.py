"""Challenges beside their commissioner's calendar: in time, late, or no day set."""

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, and_, false, not_, or_

from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.reconciliation import challenge_store, slice_store
from app.reconciliation.challenge_model import Challenge
from app.reconciliation.challenge_store import with_line
from app.reconciliation.slice_store import ContractMonth, Period
from app.reconciliation.windows import NO_CALENDAR, Timing, Window, period_of_month, timing_of

_MONTH = tables.challenge_line.c.month


def timings(work: Work, challenges: Iterable[Challenge]) -> Mapping[str, Timing]:
    """By challenge: of one that was raised, on that day; of a draft, today.

    Both parties read the commissioner's day: it is the contract's, and tells of no patient.
    """
    found = tuple(challenges)
    months = challenge_store.months_of(work, [each.id for each in found])
    calendars = _calendars(work, {each.commissioner for each in found})
    told: dict[str, Timing] = {}
    for each in found:
        day = work.moment.day if each.raised_at is None else london_day(each.raised_at)
        periods = [p for p in map(period_of_month, months.get(each.id, ())) if p is not None]
        told[each.id] = timing_of(periods, calendars[each.commissioner], day)
    return told


def timing(work: Work, challenge: Challenge) -> Timing:
    """The same of one challenge."""
    return timings(work, [challenge]).get(challenge.id, NO_CALENDAR)


def within(work: Work, caller: Caller, window: Window) -> ColumnElement[bool]:
    """Condition on `challenge`: where the time for challenging its months stands today."""
    commissioners = sorted(challenge_store.commissioners_of(work, caller))
    calendars = _calendars(work, set(commissioners))
    return or_(
        false(),
        *(
            and_(
                tables.challenge.c.commissioner == code,
                _stands(calendars[code], window, work),
            )
            for code in commissioners
        ),
    )


def _stands(
    calendar: Mapping[Period, ContractMonth], window: Window, work: Work
) -> ColumnElement[bool]:
    """As `timing_of` has it, over the months of the calendar."""
    over: list[str] = []
    ahead: list[str] = []
    for period, month in calendar.items():
        if month.challenge_by is not None:
            late = month.challenge_by < work.moment.day
            (over if late else ahead).append(
                f"{period.financial_year} M{period.financial_month:02d}"
            )
    closed = with_line(_MONTH.in_(over))
    open_ = and_(
        not_(closed),
        with_line(_MONTH.in_(ahead)),
        not_(with_line(and_(_MONTH.is_not(None), _MONTH.not_in(ahead)))),
    )
    if window is Window.CLOSED:
        return closed
    return open_ if window is Window.OPEN else and_(not_(closed), not_(open_))


def _calendars(
    work: Work, commissioners: Iterable[str]
) -> Mapping[str, Mapping[Period, ContractMonth]]:
    with work.beyond_scope():  # the contract's days, which both parties work by
        return {code: slice_store.calendar_of(work, code) for code in commissioners}
