"""A provider's words as a commissioner may read them: without who the patients are. Pure."""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Final

from app.reconciliation.hidden_columns import HIDDEN, without_nhs_numbers

#: A shorter hospital number would take figures out of text that tell of nobody.
SHORTEST_LOCAL_ID: Final = 4
#: What a line names a patient by beside the NHS number: hospital number and birth date.
Named = tuple[str | None, dt.date | None]
#: What `re.IGNORECASE` takes for a plain letter.
_PLAIN: Final = str.maketrans("ſKİı", "skii")
_BEGINS, _ENDS = "(?<![0-9A-Za-z])", "(?![0-9A-Za-z])"
#: Whatever may be a day, each wherever it begins: as many lines as a challenge has need not be
#: looked for one by one, each by an expression of its own.
_DAYS: Final = (
    re.compile(rf"{_BEGINS}(?=(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d){_ENDS})"),
    re.compile(
        rf"{_BEGINS}(?=(?P<day>\d\d?)[/. -](?P<month>\d\d?)[/. -](?P<year>\d{{4}}|\d\d){_ENDS})"
    ),
    re.compile(rf"{_BEGINS}(?=(?P<day>\d\d?)[/. -][^\W\d_]{{3,}}[/. -](?P<year>\d{{4}}){_ENDS})"),
)


def bare_words(words: str, named: Iterable[Named]) -> str:
    """The words without NHS numbers, and without these hospital numbers and birth dates."""
    told = without_nhs_numbers(words)
    plain, days = _folded(told), _days_in(told)
    for local, born in named:
        before = told
        if local is not None and len(local) >= SHORTEST_LOCAL_ID and _may_hold(plain, local):
            told = _whole_word(re.escape(local)).sub(HIDDEN, told)
        if born is not None and (before != told or _may_be_told(days, born)):
            told = _without_day(told, born)
        if before != told:  # what is left may spell another one's day or number
            plain, days = _folded(told), _days_in(told)
    return told


def _without_day(told: str, born: dt.date) -> str:
    written = (
        f"{born:%Y-%m-%d}",
        f"0?{born.day}[/. -]0?{born.month}[/. -](?:{born:%Y}|{born:%y})",
        f"0?{born.day}[/. -]{born:%b}[a-z]*[/. -]{born:%Y}",
    )
    return _whole_word("|".join(written)).sub(f"{born:%Y}", told)


def _folded(words: str) -> str:
    return words.translate(_PLAIN).lower()


def _may_hold(plain: str, local: str) -> bool:
    """Whether folded words may hold a number: never False where they do."""
    return not local.isascii() or local.lower() in plain


def _days_in(words: str) -> set[tuple[int, int | None, int]]:
    """Day, month (None: in letters) and year in its century of whatever may be a day."""
    return {
        (int(found["day"]), None if month is None else int(month), int(found["year"]) % 100)
        for pattern in _DAYS
        for found in pattern.finditer(words)
        for month in (found.groupdict().get("month"),)
    }


def _may_be_told(days: set[tuple[int, int | None, int]], born: dt.date) -> bool:
    """Whether these days may be of a birth: never False where one is."""
    year = born.year % 100
    return (born.day, born.month, year) in days or (born.day, None, year) in days


def _whole_word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"{_BEGINS}(?:{pattern}){_ENDS}", re.IGNORECASE)
