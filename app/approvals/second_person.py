"""Proposals that wait for a second person of an organisation: what all kinds of them share.

Each kind has a table of its own with the columns `id`, `organisation`, `state`, `proposed_by`,
`proposed_at`, `decided_by` and `decided_at`, and says itself who may do what with it.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa

from app.approvals.errors import NotFound, TransitionNotAllowed
from app.auth.holders import check_second
from app.auth.model import Caller
from app.db.work import Work

#: For how long a proposal may be confirmed: who made it may have lost their role since.
CONFIRMABLE: Final = dt.timedelta(days=7)
SHOWN: Final = 200
WAITING, CONFIRMED, DECLINED = "waiting", "confirmed", "declined"


class Proposed(Protocol):
    """What waits for a second person."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def proposed_by(self) -> str: ...
    @property
    def proposed_at(self) -> dt.datetime: ...


class Place(NamedTuple):
    """A place in a list of proposals: a page goes on behind one. `rank`: 1 while it waits, or 0."""

    rank: int
    at: dt.datetime
    id: str


def place_of(proposal: Proposed) -> Place:
    """Where a proposal stands in its list."""
    return Place(int(proposal.state == WAITING), proposal.proposed_at, proposal.id)


def listed(
    work: Work,
    table: sa.Table,
    organisation: str,
    limit: int = SHOWN,
    after: Place | None = None,
    without: str | None = None,
) -> Sequence[Any]:
    """The organisation's proposals: those that wait first, then the newest.

    `after`: only those behind a place. `without`: a state that is left out.
    """
    c = table.c
    query = sa.select(table).where(c.organisation == organisation)
    if without is not None:
        query = query.where(c.state != without)
    rank = sa.case((c.state == WAITING, 1), else_=0)
    return work.connection.execute(
        behind(query, (rank, c.proposed_at, c.id), after).limit(limit)
    ).all()


def behind(
    query: sa.Select[Any],
    order: tuple[sa.ColumnElement[Any], ...],
    after: tuple[Any, ...] | None,
) -> sa.Select[Any]:
    """The query from the highest of an order down; `after`: from behind a place of it on."""
    if after is not None:
        place = (sa.literal(value, each.type) for value, each in zip(after, order, strict=True))
        query = query.where(sa.tuple_(*order) < sa.tuple_(*place))
    return query.order_by(*(each.desc() for each in order))


def found(work: Work, table: sa.Table, organisation: str, id: str, lock: bool = False) -> Any:
    """The row of one proposal; NotFound for another organisation's."""
    query = sa.select(table).where(table.c.id == id, table.c.organisation == organisation)
    row = work.connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("proposal")
    return row


def waiting(work: Work, table: sa.Table, organisation: str, id: str) -> Any:
    """The row of a proposal that waits, held; TransitionNotAllowed once it was decided."""
    row = found(work, table, organisation, id, lock=True)
    if row.state != WAITING:
        raise TransitionNotAllowed(f"The proposal was {row.state} before. Make a new one.")
    return row


def check_confirms(work: Work, caller: Caller, proposal: Proposed, action: str, ask: str) -> None:
    """Raise unless the caller may be the second of two: NotAllowed, TransitionNotAllowed if late.

    `ask`: what to do instead of confirming one's own.
    """
    check_second(work, caller, proposal.proposed_by, action, ask)
    if work.moment.instant - proposal.proposed_at > CONFIRMABLE:
        raise TransitionNotAllowed(
            f"The proposal is older than {CONFIRMABLE.days} days. Decline it and make a new one."
        )


def decide(
    work: Work, caller: Caller, table: sa.Table, id: str, state: str, **more: Any
) -> dict[str, Any]:
    """Store what became of a proposal, and who decided it; the columns that changed."""
    changes = {
        "state": state,
        "decided_by": caller.id,
        "decided_at": work.moment.instant,
        **more,
    }
    work.connection.execute(sa.update(table).where(table.c.id == id).values(changes))
    return changes
