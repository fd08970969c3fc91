"""Write to the audit log, in the same transaction as the change that it tells of."""

import hashlib
from typing import Any

import sqlalchemy as sa

from app.audit.keys import key_id
from app.audit.model import Actor, Event
from app.audit.seal import canonical, digest, sign
from app.db.tables import audit_epoch, audit_event, audit_payload
from app.db.work import Work

SALT_BYTES = 32
#: The epoch before any restore; a restored database opens the next one (`sealing.open_epoch`).
FIRST_EPOCH = 1
#: The kind of object that a reading is: new each time, so its one event has the number 1.
READING = "reading"


def record(work: Work, actor: Actor, event: Event) -> None:
    """Add an event to the log; it is saved, or not, together with the rest of the transaction.

    The payload goes to an erasable row of its own, the event holds its salted digests. Raises
    UnauditableValue for a payload that has no exact text.
    """
    payload_id = salt = None
    if event.before is not None or event.after is not None:
        payload_id, salt = work.new_id(), work.random_bytes(SALT_BYTES).hex()
        body = canonical({"before": event.before, "after": event.after})
        work.connection.execute(
            sa.insert(audit_payload).values(
                id=payload_id,
                patient_id=event.patient_id,
                organisation=actor.organisation,
                salt=salt,
                body=body,
            )
        )
    row = _row(work, actor, event) | {
        "payload_id": payload_id,
        "before_digest": digest(salt or "", "before", event.before),
        "after_digest": digest(salt or "", "after", event.after),
    }
    row |= _place(work, event.object_type, event.object_id)
    row["key_id"] = key_id(work.audit_key)
    row["hmac"] = sign(row, work.audit_key)
    work.connection.execute(sa.insert(audit_event).values(**row))


def erase(work: Work, actor: Actor, *, patient_id: str, reason: str) -> int:
    """Erase the payloads that tell of a patient, and record that; returns how many there were.

    The events stay, with digests that tell nothing once their salt is gone.
    """
    erased = work.connection.execute(
        sa.update(audit_payload)
        .where(audit_payload.c.patient_id == patient_id, audit_payload.c.erased_at.is_(None))
        .values(body=None, salt=None, erased_at=work.moment.instant)
    ).rowcount
    after = {"payloads": erased, "reason": reason}
    record(work, actor, Event("erase audit payloads", "patient", patient_id, after=after))
    return erased


def _row(work: Work, actor: Actor, event: Event) -> dict[str, Any]:
    return {
        "at": work.moment.instant,
        "actor": actor.id,
        "actor_kind": actor.kind,
        "organisation": actor.organisation,
        "role": actor.role,
        "client": actor.client,
        "correlation_id": actor.correlation_id,
        "action": event.action,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "treatment_id": event.treatment_id,
        "request_id": event.request_id,
        "policy_hash": event.policy_hash,
    }


def _place(work: Work, object_type: str, object_id: str) -> dict[str, int]:
    """The row's id, its number within its object, its epoch and its transaction's id."""
    e = audit_event.c
    number: sa.ColumnElement[int] = (
        sa.select(sa.func.coalesce(sa.func.max(e.object_number), 0) + 1)
        .where(e.object_type == object_type, e.object_id == object_id)
        .scalar_subquery()
    )
    epoch = sa.select(
        sa.func.coalesce(sa.func.max(audit_epoch.c.number), FIRST_EPOCH)
    ).scalar_subquery()
    if object_type == READING:
        number = sa.literal(1)
    elif work.on_postgres:
        _wait_for_object(work, object_type, object_id)
        # The database counts: other organisations' events of the object are hidden from us.
        number = sa.func.assent_next_event_number(object_type, object_id)
    if work.on_postgres:
        # A statement of its own: it must see what the rival that we waited for has committed.
        query = sa.select(
            sa.func.nextval("audit_event_id_seq"),
            number,
            epoch,
            sa.cast(sa.cast(sa.func.pg_current_xact_id(), sa.Text), sa.BigInteger),
        )
    else:
        # SQLite has one writer, so nobody can take this id or number in between. The sequence,
        # not max(id), so that the id of a row that was cut off is never given again.
        last = sa.text("(SELECT seq FROM sqlite_sequence WHERE name = 'audit_event')")
        query = sa.select(
            sa.func.coalesce(last, 0) + 1,
            number,
            epoch,
            sa.literal(0),
        )
    id_, object_number, in_epoch, xid = work.connection.execute(query).one()
    return {"id": id_, "object_number": object_number, "epoch": in_epoch, "xid": xid}


def _wait_for_object(work: Work, object_type: str, object_id: str) -> None:
    """Hold a lock on the object until the transaction ends, so that its numbers stay dense."""
    name = hashlib.sha256(f"{object_type}\n{object_id}".encode()).digest()
    lock = int.from_bytes(name[:8], "big", signed=True)
    work.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
