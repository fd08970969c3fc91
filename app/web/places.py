"""A place of a list as an address has it: days, instants and an id, with _ between. Pure."""

import datetime as dt
from typing import Any, Final

_INSTANT: Final = "%Y%m%dT%H%M%S%f"


def place_text(*key: Any) -> str:
    """A place as an address has it."""
    return "_".join(_part(each) for each in key)


def parts_of(text: str, many: int) -> list[str]:
    """The parts of a place. Raises ValueError for what is none."""
    found = text.split("_")
    if len(found) != many:
        raise ValueError("that is no place of this list")
    return found


def day_of(text: str) -> dt.date:
    """A day of a place. Raises ValueError."""
    return dt.date.fromisoformat(text)


def instant_of(text: str) -> dt.datetime:
    """An instant of a place, in UTC. Raises ValueError."""
    return dt.datetime.strptime(text, _INSTANT).replace(tzinfo=dt.UTC)


def rank_of(text: str) -> int:
    """The rank of a place, one digit. Raises ValueError."""
    if len(text) != 1 or not (text.isascii() and text.isdigit()):
        raise ValueError("that is no rank")
    return int(text)


def _part(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):{_INSTANT}}"
    return "" if value is None else str(value)
