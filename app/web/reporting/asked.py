"""What a report is asked for: its days and its policy, as the address says them. Pure."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from app.web.form.typed import day_parts, typed_day
from app.web.paging import ON_A_PAGE, Onward, place_in

R = TypeVar("R")
#: What rows are ordered by: of one list always the same kinds.
Key = tuple[int | str, ...]

USUAL: Final = dt.timedelta(days=30)
_WRONG_DAY: Final = "Enter a day, such as 15 7 2026."
_WRONG_POLICY: Final = "Choose a policy of the list. This one may have another key by now."
#: Between the parts of a place: no key and no code has it.
_JOINT: Final = "~"


@dataclass(frozen=True, slots=True)
class Asked:
    """The days and the policy of a report. `faults`: what is wrong with which of them."""

    first: str
    last: str
    policy: str | None
    faults: Mapping[str, str]

    @property
    def days(self) -> tuple[dt.date, dt.date]:
        """The first and the last day. Raises ValueError where `faults` names one."""
        return dt.date.fromisoformat(self.first), dt.date.fromisoformat(self.last)

    @property
    def has_wrong_days(self) -> bool:
        return "from" in self.faults or "to" in self.faults

    @property
    def parts(self) -> dict[str, dict[str, str]]:
        """The boxes of the two days."""
        return {"from": day_parts(self.first), "to": day_parts(self.last)}

    def address(self, path: str) -> str:
        """The address of just this report, whatever day it is opened on."""
        return period_address(path, *self.days, self.policy)


@dataclass(frozen=True, slots=True)
class Period:
    """Days that readers often ask for. `chosen`: the ones that are shown."""

    words: str
    href: str
    chosen: bool


def asked_of(
    query: Mapping[str, str], today: dt.date, policies: Sequence[tuple[str, str]] = ()
) -> Asked:
    """What the address asks for; of the last 31 days where it states none."""
    first = typed_day("from", query) or (today - USUAL).isoformat()
    last = typed_day("to", query) or today.isoformat()
    faults = {name: _WRONG_DAY for name, day in (("from", first), ("to", last)) if not _is_day(day)}
    policy = query.get("policy") or None
    if policy is not None and policy not in {key for key, _ in policies}:
        faults["policy"], policy = _WRONG_POLICY, None  # it is not said back
    return Asked(first, last, policy, faults)


def periods(path: str, asked: Asked, today: dt.date) -> tuple[Period, ...]:
    """The days that analysts ask for: months as invoices have them, and the financial year."""
    year = today.year if today.month > 3 else today.year - 1
    month = today.replace(day=1)
    before = month - dt.timedelta(days=1)
    third = (before.replace(day=1) - dt.timedelta(days=1)).replace(day=1)
    third = (third - dt.timedelta(days=1)).replace(day=1)
    found = (
        ("Last 31 days", today - USUAL, today),
        (f"{month:%B %Y}", month, today),
        (f"{before:%B %Y}", before.replace(day=1), before),
        ("Last 3 whole months", third, before),
        ("This financial year", dt.date(year, 4, 1), today),
    )
    return tuple(
        Period(
            words,
            period_address(path, first, last, asked.policy),
            (first.isoformat(), last.isoformat()) == (asked.first, asked.last),
        )
        for words, first, last in found
    )


def period_address(path: str, first: dt.date, last: dt.date, policy: str | None) -> str:
    """The address of a report of these days, and of one policy or of all."""
    said = {
        f"{name}-{part}": getattr(day, part)
        for name, day in (("from", first), ("to", last))
        for part in ("day", "month", "year")
    }
    return f"{path}?{urlencode(said | ({} if policy is None else {'policy': policy}))}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of an ordered list: its rows, where it goes on, and which of the list they are."""

    rows: Sequence[Any]
    onward: Onward
    first: int
    last: int


def page_behind(found: Sequence[R], key: Callable[[R], Key], here: str, after: str | None) -> Shown:
    """A page of rows that are in the order of their keys, behind the place that the address says.

    A row that has moved since is found where it stands by then. Raises DoorProblem, a 400, for
    what is no place.
    """
    begin = 0
    if found and after is not None:
        like = key(found[0])
        behind = place_in(after, lambda text: _key_in(text, like))
        begin = sum(1 for each in found if behind is not None and key(each) <= behind)
    rows = found[begin : begin + ON_A_PAGE]
    end = begin + len(rows)
    onward = Onward(
        f"{here}&{urlencode({'after': _JOINT.join(map(str, key(rows[-1])))})}"
        if end < len(found)
        else None,
        here if after is not None else None,
    )
    return Shown(rows, onward, begin + 1, end)


def _key_in(text: str, like: Key) -> Key:
    """The key in an address, of the same kinds as one of the list. Raises ValueError."""
    parts = text.split(_JOINT)
    if len(parts) != len(like):
        raise ValueError("that is no place of this list")
    return tuple(
        int(part) if isinstance(each, int) else part for each, part in zip(like, parts, strict=True)
    )


def _is_day(text: str) -> bool:
    """Whether it is a day that a report may begin or end with, as the API's `PlausibleDay`."""
    try:
        return 1900 <= dt.date.fromisoformat(text).year < 2200
    except ValueError:
        return False
