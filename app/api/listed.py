"""Lists over the API page by page: a page goes on behind a place, which its `next` names.

Every text that fits a pattern below is a place: what is none is refused as malformed.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar

from fastapi import Query

from app.approvals.handed import HandedPlace
from app.approvals.handing_model import HandOver
from app.approvals.second_person import SHOWN, Place, Proposed
from app.approvals.second_person import place_of as _place_of

R = TypeVar("R")

#: One more than is shown tells that there are more.
ASKED_FOR: Final = SHOWN + 1
NEXT: Final = "Ask again with this as `after`; null at the end"
_AFTER: Final = "Go on behind this place: the `next` of the page before"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ONE: Final = dt.timedelta(microseconds=1)
#: An instant in microseconds, up to the year 2286, and an id.
_BEHIND: Final = "[0-9]{1,16}_[0-9a-z-]{1,36}"
AfterProposal = Annotated[
    str | None, Query(pattern=f"^[01]_{_BEHIND}$", max_length=60, description=_AFTER)
]
AfterHandOver = Annotated[
    str | None, Query(pattern=f"^{_BEHIND}$", max_length=60, description=_AFTER)
]


def shown(found: Sequence[R], text: Callable[[R], str]) -> tuple[Sequence[R], str | None]:
    """The rows of a page of what was found, and the place behind which the next one goes on."""
    rows = found[:SHOWN]
    return rows, text(rows[-1]) if len(found) > SHOWN else None


def proposal_text(proposal: Proposed) -> str:
    """The place of a proposal, as `next` names it."""
    rank, at, id_ = _place_of(proposal)
    return f"{rank}_{(at - _EPOCH) // _ONE}_{id_}"


def proposal_place(after: str | None) -> Place | None:
    """The place of a list of proposals behind which a page goes on."""
    if after is None:
        return None
    rank, at, id_ = after.split("_")
    return Place(int(rank), _EPOCH + int(at) * _ONE, id_)


def hand_over_text(found: HandOver) -> str:
    """The place of what was handed over, as `next` names it."""
    assert found.decided_at is not None  # what was handed over was confirmed
    return f"{(found.decided_at - _EPOCH) // _ONE}_{found.id}"


def hand_over_place(after: str | None) -> HandedPlace | None:
    """The place of a list of hand-overs behind which a page goes on."""
    if after is None:
        return None
    at, id_ = after.split("_")
    return HandedPlace(_EPOCH + int(at) * _ONE, id_)
