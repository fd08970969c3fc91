"""A day and a time of three boxes and one, as one instant with its offset from UTC. Pure.

What can't be read stands as it was typed, the day and the time with a space between.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.web.form.fields import Field
from app.web.form.typed import day_parts, typed_day

_LONDON: Final = ZoneInfo("Europe/London")
_TIME: Final = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})")


@dataclass(frozen=True, slots=True)
class InstantWords:
    """How a page asks for an instant: the fields' names, their labels and hints, what is wrong."""

    day_name: str
    time_name: str
    day: str
    day_hint: str
    time: str
    time_hint: str
    wrong_day: str
    wrong_time: str


def instant_fields(words: InstantWords, stored: Any, fault: str | None) -> tuple[Field, Field]:
    """The day's field and the time's; a fault is told at the one, or both, that can't be read."""
    parts, time = instant_parts(stored)
    at_day, at_time = fault, None
    if fault is not None and read_instant(stored) is None:
        is_day = _day(str(stored or "").partition(" ")[0].partition("T")[0]) is not None
        at_day = None if is_day else words.wrong_day
        at_time = None if not is_day and clock_of(time) is not None else words.wrong_time
    return (
        Field(
            name=words.day_name,
            id=f"{words.day_name}-day",
            control="day",
            label=words.day,
            hint=words.day_hint,
            parts=parts,
            error=at_day,
        ),
        Field(
            name=words.time_name,
            id=words.time_name,
            control="text",
            label=words.time,
            hint=words.time_hint,
            value=time,
            error=at_time,
        ),
    )


def typed_instant(day_name: str, time_name: str, posted: Mapping[str, str]) -> str | None:
    """The instant as ISO with its offset; as typed where it is none; None where all is empty."""
    day, time = typed_day(day_name, posted), posted.get(time_name, "").strip()[:10]
    if day is None and not time:
        return None
    read, parsed = clock_of(time), _day(day)
    if read is not None and parsed is not None:
        local = dt.datetime.combine(parsed, read, tzinfo=_LONDON)
        if local.astimezone(dt.UTC).astimezone(_LONDON).hour == read.hour:  # clocks showed it
            return local.isoformat()
    return f"{day or ''} {time}"


def read_instant(stored: Any) -> dt.datetime | None:
    """What is stored as an instant; None where it cannot be read, or has no offset."""
    try:
        found = dt.datetime.fromisoformat(stored or "")
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def clock_of(typed: str) -> dt.time | None:
    """A time of 24 hours as it is typed; None where it is none."""
    read = _TIME.fullmatch(typed)
    if read is None or int(read.group(1)) > 23 or int(read.group(2)) > 59:
        return None
    return dt.time(int(read.group(1)), int(read.group(2)))


def instant_parts(stored: Any) -> tuple[dict[str, str], str]:
    """The three boxes of the day, and the time, of what is stored."""
    text = stored if isinstance(stored, str) else ""
    found = read_instant(text)
    if found is not None:
        local = found.astimezone(_LONDON)
        return day_parts(local.date().isoformat()), f"{local:%H:%M}"
    day, _, time = text.partition(" ")
    return day_parts(day), time


def _day(typed: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(typed) if isinstance(typed, str) else None
    except ValueError:
        return None
