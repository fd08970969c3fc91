"""The financial years that the demonstration tells of, worked out from its day."""

import datetime as dt
from typing import Final

#: With fewer finished months than this, the file is the last financial year's final one.
FEWEST_MONTHS: Final = 3


def period_of(day: dt.date) -> tuple[dt.date, dt.date]:
    """First and last day of the months that the submission states.

    Finished months of the financial year; in its first months the whole year before, as hospitals
    then send the final file of that year.
    """
    last = day.replace(day=1) - dt.timedelta(days=1)
    begins = last.year if last.month >= 4 else last.year - 1
    months = (last.year - begins) * 12 + last.month - 3
    if months < FEWEST_MONTHS:
        return dt.date(begins - 1, 4, 1), dt.date(begins, 3, 31)
    return dt.date(begins, 4, 1), last


def year_of(day: dt.date) -> int:
    """The calendar year in which the demonstration year begins: the one before the file's year.

    It is over, and every month of it is closed, on the demonstration's day.
    """
    return period_of(day)[0].year - 1


def delegation_of(day: dt.date) -> dt.date:
    """The INVENTED day, in the middle of the demonstration year, on which one drug's commissioner
    changes. Real delegations took effect on a 1 April."""
    return dt.date(year_of(day), 10, 1)
