"""Cells of an import to values. Pure; a fault says why and never repeats the cell.

A date of figures with the year last is read day first, as the UK writes it. Where the column
itself speaks against that, a date that both readings allow is not read.
"""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.clock import london_day

_ABSENT = frozenset({"", "-", "null", "(null)", "none", "n/a", "na", "#n/a", "nan"})
_SPACES = re.compile("[\\s\u00a0\u2007\u2009\u202f\u200b\ufeff]+")
_MOJIBAKE_SPACE = re.compile("\u00c2[\u00a0 ]")
_MONTH_NAMES = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_TIME = r"(?:[T ]+(?P<time>[0-9].*))?"
_YEAR_FIRST = re.compile(
    rf"(?P<y>[0-9]{{4}})([-/.])(?P<m>[0-9]{{1,2}})\2(?P<d>[0-9]{{1,2}}){_TIME}"
)
_COMPACT = re.compile(r"(?P<y>[12][0-9]{3})(?P<m>[0-9]{2})(?P<d>[0-9]{2})")
_YEAR_LAST = re.compile(
    rf"(?P<d>[0-9]{{1,2}})([-/.])(?P<m>[0-9]{{1,2}})\2(?P<y>[0-9]{{4}}|[0-9]{{2}}){_TIME}"
)
_NAMED = re.compile(
    rf"(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?[-/. ]*(?P<name>[A-Za-z]{{3,9}})[-/., ]*"
    rf"(?P<y>[0-9]{{4}}|[0-9]{{2}}){_TIME}"
)
_SERIAL = re.compile(r"[1-4][0-9]{4}(?:\.[0-9]+)?")  # Excel's count of days: 1927 to 2036
_EXCEL_DAY_ZERO = dt.date(1899, 12, 30)
_AM_PM = re.compile(r"[AaPp]\.?[Mm]\.?$")
_MONTHS_FULL = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december", "sept"),
)


class CellFault(ValueError):
    """Why a cell cannot be read. Its text may be shown: it never holds the cell's own."""


@dataclass(frozen=True, slots=True)
class DayRule:
    """What a column of days may hold. `two_way` is False where both readings are in doubt."""

    earliest: dt.date
    latest: dt.date
    two_digit_years: bool
    two_way: bool = True


def clean(text: str) -> str:
    """The cell with every run of spaces, damaged ones too, made one, and trimmed."""
    mended = _MOJIBAKE_SPACE.sub(" ", text)
    return _SPACES.sub(" ", mended).strip().removeprefix("'").strip()


def is_absent(text: str) -> bool:
    """Whether a cell states nothing: empty, or a database's word for empty."""
    return clean(text).casefold() in _ABSENT


def read_day(text: str, rule: DayRule) -> dt.date | None:
    """The Europe/London day that a cell states, None where it states nothing; else CellFault."""
    if is_absent(text):
        return None
    day = _any_form(clean(text), rule)
    if not rule.earliest <= day <= rule.latest:
        raise CellFault("the date is out of the range that is possible here")
    return day


def rule_for(rule: DayRule, column: Iterable[str]) -> DayRule:
    """The rule, with two-way dates in doubt where the column holds month-first dates.

    04/25/2025 can only be month first. A lone slip among many is that cell's own fault; from one
    in ten on, the column mixes both ways.
    """
    day_first = month_first = 0
    for text in column:
        match = _YEAR_LAST.fullmatch(clean(text))
        if match is None:
            continue
        first, second = int(match["d"]), int(match["m"])
        day_first += second <= 12 < first <= 31
        month_first += first <= 12 < second <= 31
    doubtful = month_first > 0 and month_first * 10 >= day_first
    return DayRule(rule.earliest, rule.latest, rule.two_digit_years, two_way=not doubtful)


def _any_form(body: str, rule: DayRule) -> dt.date:
    if match := _YEAR_FIRST.fullmatch(body):
        return _year_first(body, match)
    if match := _COMPACT.fullmatch(body):
        return _day(match["y"], int(match["m"]), match["d"])
    if match := _YEAR_LAST.fullmatch(body):
        return _year_last(match, rule)
    if match := _NAMED.fullmatch(body):
        name = match["name"].casefold()
        if name in _MONTH_NAMES or name in _MONTHS_FULL:
            month = _MONTH_NAMES.index(name[:3]) + 1
            return _day(_year(match["y"], rule), month, match["d"])
    elif _SERIAL.fullmatch(body):
        return _EXCEL_DAY_ZERO + dt.timedelta(days=int(body.split(".")[0]))
    raise CellFault("it is not a date in a form that is read (write 31/03/2026 or 2026-03-31)")


def _year_first(body: str, match: re.Match[str]) -> dt.date:
    """With an offset from UTC it is an instant: 23:00Z in June is the morrow in London."""
    day = _day(match["y"], int(match["m"]), match["d"])
    if not match["time"]:
        return day
    try:
        instant = dt.datetime.fromisoformat(body.replace("/", "-"))
    except ValueError:
        return day  # a broken time: the day in front of it is whole
    return day if instant.tzinfo is None else london_day(instant)


def _year_last(match: re.Match[str], rule: DayRule) -> dt.date:
    first, second = int(match["d"]), int(match["m"])
    # AM and PM are how a US export writes its times.
    american = bool(match["time"] and _AM_PM.search(match["time"]))
    if (american or not rule.two_way) and first != second and max(first, second) <= 12:
        raise CellFault("day and month could be either way round (write 2026-03-31)")
    return _day(_year(match["y"], rule), second, match["d"])


def _year(year: str, rule: DayRule) -> str:
    if len(year) == 4:
        return year
    if not rule.two_digit_years:
        raise CellFault("the year has two figures, so the century is not known")
    return f"20{year}"


def _day(year: str, month: int, day: str) -> dt.date:
    try:
        return dt.date(int(year), month, int(day))
    except ValueError:
        raise CellFault("there is no such day; dates are read day first") from None
