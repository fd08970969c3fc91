"""The outbox: a person's digest of a day is written once, then sent until the server takes it.

A message is taken from here, sent outside any transaction, and marked. A worker that is killed
after the server took it and before it is marked leaves it waiting, and another sends it again:
that one case makes a second copy, with the same Message-ID.
"""

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.db.tables import reminder_address, reminder_message
from app.db.work import Work
from app.reminders.model import Message

#: For how long a message is left to the worker that took it.
HELD: Final = dt.timedelta(minutes=5)
_FIRST_PAUSE: Final = dt.timedelta(minutes=1)
_LONGEST_PAUSE: Final = dt.timedelta(hours=2)
KEPT: Final = dt.timedelta(days=30)
_WAITING: Final = "waiting"
_c = reminder_message.c


def put(
    work: Work, organisation: str, person_id: str, address: str, subject: str, body: str
) -> bool:
    """Write a person's digest of today; False where it was written before."""
    insert = postgresql.insert if work.on_postgres else sqlite.insert
    made = insert(reminder_message).values(
        id=work.new_id(),
        organisation=organisation,
        person_id=person_id,
        day=work.moment.day,
        address=address,
        subject=subject,
        body=body,
        state=_WAITING,
        attempts=0,
        due_at=work.moment.instant,
        made_at=work.moment.instant,
    )
    done = made.on_conflict_do_nothing().returning(_c.id)
    return work.connection.execute(done).first() is not None


def has(work: Work, organisation: str, person_id: str) -> bool:
    """Whether a person's digest of today was written."""
    query = sa.select(_c.id).where(
        _c.organisation == organisation, _c.person_id == person_id, _c.day == work.moment.day
    )
    return work.connection.execute(query).first() is not None


def take(work: Work) -> Message | None:
    """The message that waits longest, left to the caller for HELD; None where none is due."""
    now = work.moment.instant
    oldest = (
        sa.select(_c.id)
        .where(_c.state == _WAITING, _c.due_at <= now)
        .order_by(_c.due_at, _c.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # SQLite has one writer and ignores this
    )
    found = work.connection.execute(oldest).scalar()
    if found is None:
        return None
    taken = (
        sa.update(reminder_message)
        .where(_c.id == found)
        .values(attempts=_c.attempts + 1, due_at=now + HELD)
        .returning(*(_c[name] for name in Message.__slots__))
    )
    return Message(**work.connection.execute(taken).one()._asdict())


def sent(work: Work, message: Message) -> None:
    """The mail server has taken it."""
    _end(work, message, "sent")


def refused(work: Work, message: Message) -> None:
    """The mail server takes nothing for the address: nothing more is written to it."""
    _end(work, message, "refused")
    c = reminder_address.c
    work.connection.execute(
        sa.update(reminder_address)
        .where(
            c.organisation == message.organisation,
            c.person_id == message.person_id,
            c.address == message.address,
        )
        .values(refused_at=work.moment.instant)
    )


def not_taken(work: Work, message: Message) -> None:
    """Try it again after a pause that doubles with each attempt."""
    pause = min(_FIRST_PAUSE * 2 ** min(message.attempts - 1, 10), _LONGEST_PAUSE)
    _mark(work, message, due_at=work.moment.instant + pause)


def give_up(work: Work, message: Message) -> None:
    """Its day is over, so it is not sent any more."""
    _end(work, message, "given up")


def waiting(work: Work) -> tuple[int, dt.datetime | None]:
    """How many messages have not gone out, and since when the oldest waits."""
    query = sa.select(sa.func.count(), sa.func.min(_c.made_at)).where(_c.state == _WAITING)
    count, oldest = work.connection.execute(query).one()
    return int(count), oldest


def forget_old(work: Work) -> int:
    """Erase messages that went out, or did not, KEPT ago; returns how many."""
    past = work.moment.instant - KEPT
    old = sa.delete(reminder_message).where(_c.made_at < past)
    return work.connection.execute(old).rowcount


def _end(work: Work, message: Message, state: str) -> None:
    _mark(work, message, state=state, ended_at=work.moment.instant)


def _mark(work: Work, message: Message, **values: Any) -> None:
    """Unless another worker took it since: then it is that one's."""
    work.connection.execute(
        sa.update(reminder_message)
        .where(_c.id == message.id, _c.state == _WAITING, _c.attempts == message.attempts)
        .values(**values)
    )
