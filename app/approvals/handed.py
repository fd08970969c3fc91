"""What was handed over and received, in lists that go on page by page."""

import datetime as dt
from typing import NamedTuple

import sqlalchemy as sa

from app.approvals import second_person
from app.approvals.handing_model import HandOver
from app.approvals.permissions import Action, check_can
from app.approvals.second_person import CONFIRMED, SHOWN
from app.auth.model import Caller
from app.db.tables import hand_over as hand_overs
from app.db.work import Work


class HandedPlace(NamedTuple):
    """A place in a list of what was handed over: a page goes on behind one."""

    decided_at: dt.datetime
    id: str


def handed_and_received(
    work: Work, caller: Caller, limit: int = SHOWN, after: HandedPlace | None = None
) -> tuple[HandOver, ...]:
    """What the organisation handed over, and what was handed to it, the newest first."""
    c, own = hand_overs.c, caller.organisation
    either = sa.or_(c.organisation == own, c.receiver == own)
    return _handed(work, caller, either, limit, after)


def handed(
    work: Work, caller: Caller, limit: int, after: HandedPlace | None = None
) -> tuple[HandOver, ...]:
    """What the organisation handed over, the newest first; `after`: only what is behind a place."""
    return _handed(work, caller, hand_overs.c.organisation == caller.organisation, limit, after)


def received(
    work: Work, caller: Caller, limit: int, after: HandedPlace | None = None
) -> tuple[HandOver, ...]:
    """What was handed to the organisation; otherwise as `handed`."""
    return _handed(work, caller, hand_overs.c.receiver == caller.organisation, limit, after)


def _handed(
    work: Work,
    caller: Caller,
    whose: sa.ColumnElement[bool],
    limit: int,
    after: HandedPlace | None,
) -> tuple[HandOver, ...]:
    check_can(caller, Action.HAND_OVER)
    c = hand_overs.c
    query = sa.select(hand_overs).where(c.state == CONFIRMED, whose)
    query = second_person.behind(query, (c.decided_at, c.id), after).limit(limit)
    return tuple(HandOver(**row._mapping) for row in work.connection.execute(query))
