"""One day for several measurements of a visit, typed once. Pure.

The day is put beside each of the values that the page named with the box, as if it had been typed
there; each is stored and told by itself. A day that is given beside a value counts for that one,
and a measurement that is left open gets none. An older day than the choices beside the boxes offer
is so one box to fill, not three for each value.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.policy import Question
from app.web.form.fields import Field
from app.web.form.same_day import RECENT, TICK, days_of
from app.web.form.typed import PREFIX, day_parts, typed_day

NAME: Final = "shared_day"
#: A hidden field for each question that the page named with the box: the day is for those alone.
NAMED: Final = "dated."
LABEL: Final = "Day on which all of these were measured or reviewed"
_FEWEST: Final = 2
_EARLIEST_YEAR: Final = 1900
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_SHORT: Final = 3
_ISO: Final = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})", re.ASCII)
_WRITTEN: Final = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[\s/.\-]+(?P<month>\d{1,2}|[a-z]{3,9})[\s/.\-,]+(?P<year>\d{4})",
    re.ASCII,
)
_UNREAD: Final = "“{}” is no day that can be read. Write it as 4/3/2026 or as 4 March 2026."
_NOTHING: Final = (
    "You gave a day for all of these, and each has a day of its own or no value. Empty this box, "
    "or give a value."
)


@dataclass(frozen=True, slots=True)
class SharedDay:
    """The box as a page shows it: the questions it is for by name and label, and what is in it."""

    questions: tuple[tuple[str, str], ...]
    value: str = ""
    error: str | None = None
    label: str = LABEL

    @property
    def as_field(self) -> Field:
        """The box itself, for the error summary."""
        return Field(NAME, NAME, "text", LABEL, value=self.value, error=self.error)


def members(questions: Sequence[Question]) -> tuple[Question, ...]:
    """The questions of a page with a day of now; none where the box would stand for one."""
    names = set(days_of(questions))
    found = tuple(
        each for each in questions if names & {f"{PREFIX}{each.name}", f"{PREFIX}{each.name}.on"}
    )
    return found if len(found) >= _FEWEST else ()


def shown(
    questions: Sequence[Question],
    posted: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> SharedDay | None:
    """The box of a page that shows these questions; `posted` is a page that comes again.

    What was typed stays only where it could not be taken: else each day stands beside its value.
    """
    named = tuple((each.name, each.label) for each in members(questions))
    if not named:
        return None
    said = (wrong or {}).get(NAME)
    typed = (posted or {}).get(NAME, "") if said else ""
    return SharedDay(named, typed, said)


def with_shared(
    questions: Sequence[Question], form: Mapping[str, str], *, halfway: bool = False
) -> tuple[dict[str, str], dict[str, str]]:
    """The posted form with the day in the empty boxes of each value, and what is wrong.

    `halfway`: somebody is still typing, so that what cannot be read yet is not told.
    """
    filled, said = dict(form), form.get(NAME, "").strip()
    if not said:
        return filled, {}
    day = read_day(said)
    if day is None:
        return filled, {} if halfway else {NAME: _UNREAD.format(said[:30])}
    boxes = [name for name in days_of(questions) if _takes(name, form)]
    for name in boxes:
        filled |= {f"{name}-{part}": value for part, value in day_parts(day.isoformat()).items()}
    return filled, {} if boxes or halfway else {NAME: _NOTHING}


def read_day(text: str) -> dt.date | None:
    """The day that somebody wrote in one box, with the day first; None where it is none."""
    said = " ".join(text.casefold().split())
    found = _ISO.fullmatch(said) or _WRITTEN.fullmatch(said)
    if found is None:
        return None
    month = _month(found["month"])
    if month is None or int(found["year"]) < _EARLIEST_YEAR:
        return None
    try:
        return dt.date(int(found["year"]), month, int(found["day"]))
    except ValueError:
        return None


def _month(said: str) -> int | None:
    if said.isdigit():
        return int(said)
    fits = [n for n, name in enumerate(_MONTHS, 1) if name.startswith(said)]
    return fits[0] if len(fits) == 1 and len(said) >= _SHORT else None


def _takes(name: str, form: Mapping[str, str]) -> bool:
    """Whether the boxes of this name are for the day: named with it, empty, beside a value."""
    question = name.removeprefix(PREFIX).removesuffix(".on")
    measured = name.endswith(".on")
    if f"{NAMED}{question}" not in form or typed_day(name, form) is not None:
        return False
    chosen = form.get(f"{name}{TICK}") == "yes" or bool(form.get(f"{name}{RECENT}"))
    return not chosen and (not measured or bool(form.get(f"{PREFIX}{question}", "").strip()))
