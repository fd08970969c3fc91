"""Whether a month may still be challenged in time, by its commissioner's calendar. Pure.

A calendar says until when; it forbids nothing. The standard contract's clause could not be read
(facts of November 2026), so a late challenge is told as late to both parties and is not refused.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.reconciliation.slice_store import ContractMonth, Period


class Window(StrEnum):
    """Where the time for challenging stands."""

    OPEN = "open"
    CLOSED = "closed"
    NOT_SET = "not set"


@dataclass(frozen=True, slots=True)
class Timing:
    """The earliest day by which months are to be challenged, and where that is on a day."""

    challenge_by: dt.date | None
    window: Window


NO_CALENDAR = Timing(None, Window.NOT_SET)


def timing_of(
    periods: Iterable[Period], calendar: Mapping[Period, ContractMonth], on: dt.date
) -> Timing:
    """Of several months the earliest day counts. A month without one leaves the window not set,
    unless another is over."""
    asked = tuple(periods)
    set_ = [month.challenge_by for p in asked if (month := calendar.get(p)) is not None]
    days = [day for day in set_ if day is not None]
    if not days:
        return NO_CALENDAR
    first = min(days)
    if first < on:
        return Timing(first, Window.CLOSED)
    return Timing(first, Window.OPEN if len(days) == len(asked) else Window.NOT_SET)


def period_of_month(month: str) -> Period | None:
    """The month of a challenged line, `202526 M01`; None where it is none."""
    year, mark, number = month.partition(" M")
    return Period(year, int(number)) if mark and number.isdigit() else None
