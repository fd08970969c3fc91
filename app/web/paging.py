"""A list's pages by key: the rows of one, and the address behind which the next goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query

from app.approvals.second_person import Place
from app.problems import BAD_REQUEST, DoorProblem
from app.web.places import instant_of, parts_of, place_text, rank_of

R = TypeVar("R")
P = TypeVar("P")

ON_A_PAGE: Final = 50
#: Rows to ask for: one more than is shown tells that there are more.
ASKED_FOR: Final = ON_A_PAGE + 1
AfterQuery = Annotated[str | None, Query(pattern="^[0-9a-zT_-]+$", max_length=80)]


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a list goes on: `next` its next page or None, `first` its first or None on that one."""

    next: str | None
    first: str | None


def one_page(
    found: Sequence[R], key: Callable[[R], Sequence[Any]], here: str, after: str | None
) -> tuple[Sequence[R], Onward]:
    """The rows of a page of what was found, and where it goes on.

    `here`: the list's address, with a query where it needs one.
    """
    shown = found[:ON_A_PAGE]
    more = len(found) > ON_A_PAGE
    joint = "&" if "?" in here else "?"
    behind = f"{here}{joint}after={place_text(*key(shown[-1]))}" if more else None
    return shown, Onward(behind, here if after is not None else None)


def place_in(after: str | None, read: Callable[[str], P]) -> P | None:
    """The place that an address names. Raises DoorProblem, a 400, for what is none."""
    if after is None:
        return None
    try:
        return read(after)
    except ValueError:
        raise DoorProblem(
            BAD_REQUEST, "The address names no place of this list. Begin at its first page."
        ) from None


def second_place(text: str) -> Place:
    """A place of a list of proposals that wait for a second person. Raises ValueError."""
    rank, at, id_ = parts_of(text, 3)
    return Place(rank_of(rank), instant_of(at), id_)
