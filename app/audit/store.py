"""Read the audit log: the trail of an object or a request, and the change feed."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from app.audit.errors import InvalidCursor
from app.audit.log import FIRST_EPOCH
from app.audit.model import Actor, TrailEntry
from app.audit.sealing import current_epoch
from app.db.tables import audit_event, audit_payload
from app.db.work import Work

#: An epoch, a transaction and a row. The first release gave out the last two alone.
START = "1.0.0"
#: How many events one page of the feed looks at, at most, for those that the caller may see.
MOST_LOOKED_AT: Final = 5_000
_NUMBER = "(0|[1-9][0-9]{0,17})"
CURSOR = re.compile(rf"(?:{_NUMBER}\.)?{_NUMBER}\.{_NUMBER}")

_EVENTS = sa.select(audit_event, audit_payload.c.body, audit_payload.c.erased_at).outerjoin_from(
    audit_event, audit_payload, audit_event.c.payload_id == audit_payload.c.id
)


def trail(work: Work, object_type: str, object_id: str) -> tuple[TrailEntry, ...]:
    """Every event of one object, in the order of their numbers."""
    query = _EVENTS.where(
        audit_event.c.object_type == object_type, audit_event.c.object_id == object_id
    ).order_by(audit_event.c.object_number)
    return _entries(work.connection.execute(query).all())


def request_trail(work: Work, request_id: str) -> tuple[TrailEntry, ...]:
    """Every event that belongs to a request, whatever its object, in the order of its row."""
    query = _EVENTS.where(audit_event.c.request_id == request_id).order_by(audit_event.c.id)
    return _entries(work.connection.execute(query).all())


def entries_where(work: Work, where: sa.ColumnElement[bool]) -> tuple[TrailEntry, ...]:
    """The events that fit a condition on `audit_event`, in the order of their rows."""
    query = _EVENTS.where(where).order_by(audit_event.c.id)
    return _entries(work.connection.execute(query).all())


def changes_after(
    work: Work,
    cursor: str | None,
    limit: int,
    visible: sa.ColumnElement[bool] | None = None,
    most: int = MOST_LOOKED_AT,
) -> tuple[tuple[TrailEntry, ...], str]:
    """At most `limit` events after `cursor` (None: from the start), and the next cursor.

    At most the next `most` events are looked at, whoever may see them: a page may hold fewer than
    `limit`, or none, and there is more behind it.

    No event is ever skipped. On PostgreSQL an event waits until every transaction that began to
    write before its own has ended, since one that commits late would else slip in behind the
    cursor. `visible` narrows the events to what the caller may see. Raises InvalidCursor, and
    ValueError for a limit under 1.
    """
    if limit < 1:
        raise ValueError("a page of the change feed holds at least one event")
    start = parse_cursor(cursor)
    # Read before the rows: every transaction below the horizon has ended by then.
    horizon = _horizon(work)
    e = audit_event.c
    epoch = current_epoch(work)
    # One range of the index on both databases. Before this epoch everything has been committed.
    after = sa.tuple_(e.epoch, e.xid, e.id) > sa.tuple_(*start)
    query = _EVENTS.where(after, sa.or_(e.epoch < epoch, e.xid < horizon))
    end = (epoch, *_end(work, horizon))
    if visible is not None:
        query = query.where(visible)
        reach = _reach(work, after, most)
        if reach is not None:
            query = query.where(sa.tuple_(e.epoch, e.xid, e.id) <= sa.tuple_(*reach))
            end = min(end, reach)
    rows = work.connection.execute(query.order_by(e.epoch, e.xid, e.id).limit(limit)).all()
    if len(rows) == limit:
        return _entries(rows), f"{rows[-1].epoch}.{rows[-1].xid}.{rows[-1].id}"
    # All up to there was looked at: a caller who may see little need not look there again.
    return _entries(rows), "{}.{}.{}".format(*max(end, start))


def feed_position(work: Work) -> str:
    """Where the feed is now: every event before it is seen by this very transaction's snapshot."""
    return "{}.{}.{}".format(current_epoch(work), *_end(work, _horizon(work)))


def parse_cursor(cursor: str | None) -> tuple[int, int, int]:
    """The (epoch, xid, id) after which the feed goes on. Raises InvalidCursor."""
    found = CURSOR.fullmatch(cursor or START)
    if found is None:
        raise InvalidCursor
    return int(found[1] or FIRST_EPOCH), int(found[2]), int(found[3])


def _horizon(work: Work) -> int:
    """The xid below which every transaction has ended; SQLite's one writer leaves no gaps."""
    if not work.on_postgres:
        return 1
    query = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    return int(work.connection.execute(sa.text(query)).scalar_one())


def _end(work: Work, horizon: int) -> tuple[int, int]:
    """A position that every event below the horizon lies before, and no later one does."""
    if work.on_postgres:
        return horizon, 0
    return 0, work.connection.execute(sa.select(sa.func.max(audit_event.c.id))).scalar() or 0


def _reach(work: Work, after: sa.ColumnElement[bool], most: int) -> tuple[int, int, int] | None:
    """The position of the last of the next `most` events, None where there are fewer."""
    e = audit_event.c
    query = (
        sa.select(e.epoch, e.xid, e.id)
        .where(after)
        .order_by(e.epoch, e.xid, e.id)
        .offset(most - 1)
        .limit(1)
    )
    with work.beyond_scope():  # row-level security would look into each event that it passes
        row = work.connection.execute(query).one_or_none()
    return None if row is None else (row.epoch, row.xid, row.id)


def _entries(rows: Sequence[sa.Row[Any]]) -> tuple[TrailEntry, ...]:
    return tuple(_entry(row) for row in rows)


def _entry(row: sa.Row[Any]) -> TrailEntry:
    body = {} if row.body is None else json.loads(row.body)
    actor = Actor(
        row.actor, row.actor_kind, row.organisation, row.role, row.client, row.correlation_id
    )
    return TrailEntry(
        id=row.id,
        at=row.at,
        actor=actor,
        action=row.action,
        object_type=row.object_type,
        object_id=row.object_id,
        object_number=row.object_number,
        treatment_id=row.treatment_id,
        request_id=row.request_id,
        policy_hash=row.policy_hash,
        before=body.get("before"),
        after=body.get("after"),
        erased_at=row.erased_at,
    )
