"""Erase payloads of the log, so that the log itself tells which it lost, and by which act.

An erasure lists the payloads that it took. Its own payload is never erased, its digest is signed:
a payload that is gone and stands in no such list was destroyed behind the application's back.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from app.audit.log import record
from app.audit.model import Actor, Event
from app.db.tables import audit_event, audit_payload
from app.db.work import Work

ERASED: Final = "erase audit payloads"
#: What stood erased when the release came that lists erasures: by whom, nobody can prove.
ERASED_BEFORE: Final = "erased payloads noted"
#: The events whose payloads list what was erased, under `LIST`.
LISTING: Final = (ERASED, ERASED_BEFORE)
LIST: Final = "erased"
_LOG: Final = ("audit log", "payloads")
#: Values that one statement names.
_AT_ONCE: Final = 500


def erase(work: Work, actor: Actor, *, patient_id: str, reason: str) -> int:
    """Erase the payloads that tell of a patient, and record that; returns how many there were.

    The events stay, with digests that tell nothing once their salt is gone.
    """
    c = audit_payload.c
    query = sa.select(c.id).where(c.patient_id == patient_id, c.erased_at.is_(None))
    # Locked: what a rival erases meanwhile is in the rival's list, not in this one.
    ids = work.connection.execute(query.order_by(c.id).with_for_update()).scalars().all()
    _erase(work, actor, ("patient", patient_id), ids, reason)
    return len(ids)


def erase_told_of(
    work: Work,
    actor: Actor,
    about: tuple[str, str],
    objects: Mapping[str, Collection[str]],
    reason: str,
) -> int:
    """Erase the payloads of every event of these objects; returns how many there were.

    `objects`: a type of object, `treatment` and `request` meaning what happened on them too, and
    ids. It is recorded as an event of `about`, a type of object and an id, unless there were none.
    """
    e, p = audit_event.c, audit_payload.c
    found: set[str] = set()
    for kind, ids in objects.items():
        for some in _some(ids):
            of_them = sa.and_(e.object_type == kind, e.object_id.in_(some))
            on_them = {"treatment": e.treatment_id, "request": e.request_id}.get(kind)
            if on_them is not None:
                of_them = sa.or_(of_them, on_them.in_(some))
            query = (
                sa.select(p.id)
                .join_from(audit_event, audit_payload, p.id == e.payload_id)
                .where(of_them, p.erased_at.is_(None), e.action.not_in(LISTING))
                .order_by(p.id)
                .with_for_update(of=audit_payload)
            )
            found.update(work.connection.execute(query).scalars())
    if found:
        _erase(work, actor, about, found, reason)
    return len(found)


def note_erased_before(work: Work, actor: Actor) -> int | None:
    """List, once, what is erased and stands in no erasure's list; returns how many.

    Run at the upgrade to revision 0056: later, such a payload is a fault. None where it was done
    before, or where the log holds no row of before.
    """
    e, p = audit_event.c, audit_payload.c
    done = sa.select(e.id).where(e.object_type == _LOG[0], e.object_id == _LOG[1])
    oldest = sa.select(e.payload_of).where(e.payload_id.is_not(None)).order_by(e.id).limit(1)
    first = work.connection.execute(oldest).one_or_none()
    if first is None or first.payload_of is not None or work.connection.execute(done).first():
        return None
    gone = (
        sa.select(p.id)
        .join_from(audit_event, audit_payload, p.id == e.payload_id)
        .where(p.erased_at.is_not(None), e.payload_of.is_(None))
    )
    ids = sorted(work.connection.execute(gone).scalars())
    after = {"payloads": len(ids), LIST: ids}
    record(work, actor, Event(ERASED_BEFORE, *_LOG, after=after))
    return len(ids)


def _erase(
    work: Work, actor: Actor, about: tuple[str, str], payloads: Iterable[str], reason: str
) -> None:
    ids = sorted(payloads)
    values: dict[str, Any] = {"body": None, "salt": None, "erased_at": work.moment.instant}
    for some in _some(ids):
        chosen = sa.update(audit_payload).where(audit_payload.c.id.in_(some))
        work.connection.execute(chosen.values(**values))
    after = {"payloads": len(ids), "reason": reason, LIST: ids}
    record(work, actor, Event(ERASED, *about, after=after))


def _some(values: Collection[str]) -> Iterable[list[str]]:
    every = sorted(values)
    return (every[first : first + _AT_ONCE] for first in range(0, len(every), _AT_ONCE))
