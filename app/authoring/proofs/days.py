"""Days and calendar months as whole numbers for the prover.

A day is its proleptic Gregorian ordinal. Adding months goes through year, month and day of the
month, exactly as `app.policy.calendar.add_months` clamps; years 1801 to 2199 are exact.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import z3

FIRST_DAY = date(1920, 1, 1)
LAST_DAY = date(2030, 12, 31)
_START_OF_1900 = date(1900, 1, 1).toordinal()
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Calendar:
    """Splits days into year, month and day of the month, once for each day."""

    def __init__(self) -> None:
        self.constraints: list[Any] = []
        self._split: dict[int, tuple[Any, Any, Any]] = {}
        self._kept: list[Any] = []  # z3 reuses the id of a term that nobody holds

    def add_months(self, day: Any, months: int) -> Any:
        """The ordinal of the day some months away, clamped to the end of the month."""
        year, month, in_month = self.civil(day)
        years, rest = divmod(months, 12)
        over = month + rest > 12
        year = z3.If(over, year + years + 1, year + years)
        month = z3.If(over, month + rest - 12, month + rest)
        length = month_length(year, month)
        return ordinal(year, month, z3.If(in_month > length, length, in_month))

    def civil(self, day: Any) -> tuple[Any, Any, Any]:
        """A day as year, month and day of the month."""
        key = day.get_id()
        if key not in self._split:
            number = len(self._split)
            year, month, in_month = (z3.Int(f"calendar {number} {part}") for part in "ymd")
            self.constraints += [
                z3.And(year >= 1801, year <= 2199, month >= 1, month <= 12),
                z3.And(in_month >= 1, in_month <= month_length(year, month)),
                ordinal(year, month, in_month) == day,
            ]
            self._split[key] = (year, month, in_month)
            self._kept.append(day)
        return self._split[key]


def ordinal(year: Any, month: Any, in_month: Any) -> Any:
    """The day's ordinal, as `date.toordinal` gives it."""
    leaps = (year - 1901) / 4 + z3.If(year <= 1900, 1, z3.If(year > 2100, -1, 0))
    start_of_year = _START_OF_1900 + 365 * (year - 1900) + leaps
    before = 0
    passed: list[int] = [before := before + length for length in _LENGTHS[:-1]]
    start_of_month: Any = z3.IntVal(0)
    for number, days in enumerate(passed, start=2):
        start_of_month = z3.If(month == number, days, start_of_month)
    leap_day = z3.If(z3.And(month > 2, is_leap(year)), 1, 0)
    return start_of_year + start_of_month + leap_day + in_month - 1


def is_leap(year: Any) -> Any:
    """Whether a year between 1801 and 2199 is a leap year."""
    return z3.And(year % 4 == 0, year != 1900, year != 2100)


def month_length(year: Any, month: Any) -> Any:
    """The number of days of a month."""
    short = z3.Or(month == 4, month == 6, month == 9, month == 11)
    return z3.If(month == 2, z3.If(is_leap(year), 29, 28), z3.If(short, 30, 31))
