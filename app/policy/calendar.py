"""Calendar arithmetic of the criteria language. Every date is an argument."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from functools import lru_cache


@lru_cache(maxsize=65_536)
def add_months(day: date, months: int) -> date | None:
    """The day `months` calendar months from `day`, clamped to the end of the month.

    31 January plus one month is 28 or 29 February. None where the calendar ends (years 1 to 9999).
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return None
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
