"""Cells to days, financial months and financial years.

Convention. A date of figures with the year last is read day first, as the UK writes it. It is
read month first only when it carries AM or PM, as a US export does. Where the file itself speaks
against the convention (see `Tally`), a date that both readings allow stays unread.
"""

import calendar
import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.reconciliation.parse import Reading, clean, is_absent

_LONDON = ZoneInfo("Europe/London")
_EXCEL_DAY_ZERO = dt.date(1899, 12, 30)
_MONTHS = {name.casefold(): n for n, name in enumerate(calendar.month_name) if name} | {
    name.casefold(): n for n, name in enumerate(calendar.month_abbr) if name
}
_MONTHS["sept"] = 9

_TIME = r"(?:[T ]+(?P<time>[0-9].*))?"
_YEAR_FIRST = re.compile(
    rf"(?P<y>[0-9]{{4}})([-/.])(?P<m>[0-9]{{1,2}})\2(?P<d>[0-9]{{1,2}}){_TIME}"
)
_COMPACT = re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})")
_YEAR_LAST = re.compile(
    rf"(?P<a>[0-9]{{1,2}})([-/.])(?P<b>[0-9]{{1,2}})\2(?P<y>[0-9]{{4}}|[0-9]{{2}}){_TIME}"
)
_NAMED = re.compile(
    rf"(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?[-/. ]*(?P<name>[A-Za-z]{{3,9}})[-/., ]*"
    rf"(?P<y>[0-9]{{4}}|[0-9]{{2}}){_TIME}"
)
_SERIAL = re.compile(r"(?P<serial>[0-9]{5})(?:\.[0-9]+)?")
_MARKER = re.compile(r"[AaPp]\.?[Mm]\.?$")

WHY_NOT_A_DATE = "it is not a date in a form that is read"
WHY_IMPOSSIBLE = "there is no such day"
WHY_AMBIGUOUS = "day and month could be either way round, and the file writes them both ways"
WHY_MONTHS = (
    "day and month could be either way round, and the months that the file's rows state fit the "
    "other way than UK files write"
)
WHY_CENTURY = "the year has two figures, so the century is not known"
WHY_RANGE = "the year is out of range"


@dataclass(frozen=True, slots=True)
class DateRule:
    """What a date column may hold: its years, Excel serials, and what its file speaks against."""

    earliest: dt.date
    latest: dt.date
    serials: range
    two_digit_years: bool
    day_first_doubtful: bool = False
    month_first_doubtful: bool = False
    why_doubtful: str = WHY_AMBIGUOUS


# Patient-level drug returns began in 2019; serials 40000 to 49999 are July 2009 to November 2036.
SUPPLY = DateRule(dt.date(2000, 1, 1), dt.date(2099, 12, 31), range(40000, 50000), True)
BIRTH = DateRule(dt.date(1890, 1, 1), dt.date(2099, 12, 31), range(10000, 50000), False)


def parse_date(text: str, rule: DateRule = SUPPLY) -> Reading[dt.date]:
    """The day a cell states, in Europe/London, or why it states none."""
    if is_absent(text):
        return None, None
    day, why = _any_form(clean(text), rule)
    if day is not None and not rule.earliest <= day <= rule.latest:
        return None, WHY_RANGE
    return day, why


def _any_form(body: str, rule: DateRule) -> Reading[dt.date]:
    if match := _YEAR_FIRST.fullmatch(body):
        return _instant(body, match)
    if match := _COMPACT.fullmatch(body):
        return _day(match["y"], match["m"], match["d"])
    if match := _YEAR_LAST.fullmatch(body):
        return _year_last(match, rule)
    if match := _NAMED.fullmatch(body):
        return _named(match, rule)
    if (match := _SERIAL.fullmatch(body)) and int(match["serial"]) in rule.serials:
        return _EXCEL_DAY_ZERO + dt.timedelta(days=int(match["serial"])), None
    return None, WHY_NOT_A_DATE


def _day(year: str, month: str | int, day: str) -> Reading[dt.date]:
    try:
        return dt.date(int(year), int(month), int(day)), None
    except ValueError:
        return None, WHY_IMPOSSIBLE


def _instant(body: str, match: re.Match[str]) -> Reading[dt.date]:
    """A year-first date. With an offset from UTC it is an instant: 23:00Z in June is the morrow."""
    day, why = _day(match["y"], match["m"], match["d"])
    if day is None or not match["time"]:
        return day, why
    try:
        instant = dt.datetime.fromisoformat(body.replace("/", "-"))
    except ValueError:
        return day, None  # a broken suffix: the day in front of it is whole
    if instant.tzinfo is None:
        return day, None
    try:
        return instant.astimezone(_LONDON).date(), None
    except OverflowError:
        return None, WHY_RANGE


def _year_last(match: re.Match[str], rule: DateRule) -> Reading[dt.date]:
    year, why = _full_year(match["y"], rule)
    if year is None:
        return None, why
    marked = bool(match["time"] and _MARKER.search(match["time"]))
    doubtful = rule.month_first_doubtful if marked else rule.day_first_doubtful
    first, second = match["a"], match["b"]
    if doubtful and int(first) != int(second) and max(int(first), int(second)) <= 12:
        return None, rule.why_doubtful
    return _day(year, first, second) if marked else _day(year, second, first)


def _named(match: re.Match[str], rule: DateRule) -> Reading[dt.date]:
    month = _MONTHS.get(match["name"].casefold())
    if month is None:
        return None, WHY_NOT_A_DATE
    year, why = _full_year(match["y"], rule)
    return (None, why) if year is None else _day(year, month, match["d"])


def _full_year(year: str, rule: DateRule) -> Reading[str]:
    if len(year) == 4:
        return year, None
    return (f"20{year}", None) if rule.two_digit_years else (None, WHY_CENTURY)


class Tally:
    """Counts the dates of a column that keep the convention and those that break it.

    A date such as 04/25/2025 can only be month first; 25/04/2025 only day first. Where those that
    break the convention are at least a tenth as many as those that keep it, the column mixes both
    ways, and its two-way dates cannot be told. A lone slip among many is that cell's fault only.

    Where every day is at most 12 nothing of that shows. Then the months that the rows state tell:
    a date that lies in its row's month only the other way round speaks against the convention,
    one that does so only as it is written by it speaks for it, and the same share decides.
    """

    def __init__(self, rule: DateRule) -> None:
        self._rule = rule
        self._kept, self._broken = [0, 0], [0, 0]
        self._fits, self._against = [0, 0], [0, 0]
        self._two_way = 0

    def add(self, texts: Iterable[str]) -> None:
        """Count these cells."""
        for text, count in Counter(texts).items():
            match = _YEAR_LAST.fullmatch(clean(text))
            if match is None:
                continue
            marked = bool(match["time"] and _MARKER.search(match["time"]))
            month, day = (match["a"], match["b"]) if marked else (match["b"], match["a"])
            if int(month) <= 12 < int(day) <= 31:
                self._kept[marked] += count
            elif int(day) <= 12 < int(month) <= 31:
                self._broken[marked] += count

    def add_stated(self, stated: Iterable[tuple[str, str, str]]) -> None:
        """Count dates with the financial year and month of their rows, all as they are written."""
        for (text, year, month), count in Counter(stated).items():
            ways = _two_ways(text, self._rule)
            if ways is None:
                continue
            usual, other, marked = ways
            self._two_way += count
            period = _stated_period(year, month)
            if period is None:
                continue
            fits, against = (period[0] <= day <= period[1] for day in (usual, other))
            self._fits[marked] += count * (fits and not against)
            self._against[marked] += count * (against and not fits)

    def rule(self) -> DateRule:
        """The rule, with what the column's own dates speak against marked as doubtful."""
        mixed = [b > 0 and b * 10 >= k for b, k in zip(self._broken, self._kept, strict=True)]
        spoken = zip(self._against, self._fits, self._kept, strict=True)
        told = [a > 0 and a * 10 >= fits + kept for a, fits, kept in spoken]
        return replace(
            self._rule,
            day_first_doubtful=mixed[0] or told[0],
            month_first_doubtful=mixed[1] or told[1],
            why_doubtful=WHY_MONTHS if any(told) and not any(mixed) else WHY_AMBIGUOUS,
        )

    @property
    def tells_nothing(self) -> bool:
        """Whether there are dates that could be either way round and nothing tells which."""
        known = (*self._kept, *self._broken, *self._fits, *self._against)
        return self._two_way > 0 and not any(known)


def _two_ways(text: str, rule: DateRule) -> tuple[dt.date, dt.date, bool] | None:
    """A date by the convention and the other way round, and whether AM or PM marks it."""
    match = _YEAR_LAST.fullmatch(clean(text))
    if match is None:
        return None
    first, second = int(match["a"]), int(match["b"])
    year, _ = _full_year(match["y"], rule)
    if first == second or not (1 <= first <= 12 and 1 <= second <= 12) or not year or int(year) < 1:
        return None
    marked = bool(match["time"] and _MARKER.search(match["time"]))
    by_day, by_month = dt.date(int(year), second, first), dt.date(int(year), first, second)
    return (by_month, by_day, True) if marked else (by_day, by_month, False)


@lru_cache(maxsize=1_000)
def _stated_period(year: str, month: str) -> tuple[dt.date, dt.date] | None:
    """The days of a financial month as a row states it; None where that is not legible."""
    (stated, _), (number, _) = parse_financial_year(year), parse_financial_month(month)
    return None if stated is None or number is None else financial_period(stated, number)


def convention_of(texts: Iterable[str], rule: DateRule) -> DateRule:
    """The rule for a column of these dates."""
    tally = Tally(rule)
    tally.add(texts)
    return tally.rule()


_MONTH = re.compile(r"(?:m|mth|month|p|period)?\s*0?(?P<n>[0-9]{1,2})(?:\.0+)?", re.IGNORECASE)


def parse_financial_month(text: str) -> Reading[int]:
    """1 (April) to 12 (March); `M03` and month names too. 13 and junk such as 400 are not read."""
    if is_absent(text):
        return None, None
    body = clean(text)
    if (calendar_month := _MONTHS.get(body.casefold())) is not None:
        return (calendar_month - 4) % 12 + 1, None
    match = _MONTH.fullmatch(body)
    if match and 1 <= int(match["n"]) <= 12:
        return int(match["n"]), None
    return None, "it is not a financial month from 1 (April) to 12 (March)"


_YEAR_PAIR = re.compile(
    r"(?:FY)?\s*(?P<a>(?:20)?[0-9]{2})\s*[-/ ]\s*(?P<b>(?:20)?[0-9]{2})", re.IGNORECASE
)
_YEAR_RUN = re.compile(r"(?:FY)?\s*(?P<a>20[0-9]{2})(?P<b>(?:20)?[0-9]{2})(?:\.0+)?", re.IGNORECASE)


def parse_financial_year(text: str) -> Reading[str]:
    """`202526` from its many spellings; the two years must follow each other. Not 2020 alone."""
    if is_absent(text):
        return None, None
    body = clean(text).translate({0x2013: "-", 0x2212: "-"})
    if re.fullmatch(r"(?:20[0-9]{2})(?:\.0+)?", body):
        return None, "one year alone may be the year in which the financial year begins or ends"
    match = _YEAR_RUN.fullmatch(body) or _YEAR_PAIR.fullmatch(body)
    if match is None:
        return None, "it is not a financial year such as 202526"
    begins, ends = int(match["a"]) % 100, int(match["b"]) % 100
    if (begins + 1) % 100 != ends:
        return None, "its two years do not follow each other"
    return f"20{begins:02d}{ends:02d}", None


def financial_period(year: str, month: int) -> tuple[dt.date, dt.date]:
    """First and last day of a financial month: ("202526", 1) is April 2025."""
    calendar_month = (month + 2) % 12 + 1
    calendar_year = int(year[:4]) + (1 if calendar_month < 4 else 0)
    last = calendar.monthrange(calendar_year, calendar_month)[1]
    return dt.date(calendar_year, calendar_month, 1), dt.date(calendar_year, calendar_month, last)


def financial_month_of(day: dt.date) -> tuple[str, int]:
    """The financial year and month in which a day lies."""
    begins = day.year if day.month >= 4 else day.year - 1
    return f"{begins}{(begins + 1) % 100:02d}", (day.month - 4) % 12 + 1
