"""Write to the audit log, in the same transaction as the change that it tells of."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from app.audit.keys import key_id
from app.audit.model import Actor, Event
from app.audit.seal import bound, canonical, digest_of_text, sign
from app.db.statements import Statement
from app.db.tables import audit_event, audit_payload
from app.db.work import Work

SALT_BYTES = 32
#: The epoch before any restore; a restored database opens the next one (`sealing.open_epoch`).
FIRST_EPOCH = 1
#: The kind of object that a reading is: new each time, so its one event has the number 1.
READING = "reading"
#: An event's row, and its payload's.
_Told = tuple[dict[str, Any], dict[str, Any] | None]
#: Where a block of `recorded_together` keeps its events.
_WAITING = "audit events that wait"
_INSERT_PAYLOAD = Statement(sa.insert(audit_payload), by_json=True)
_INSERT_EVENT = Statement(sa.insert(audit_event), by_json=True)
_PLACES_ON_SQLITE = Statement(
    sa.text(
        """SELECT
    1 + coalesce(
        (SELECT max(e.object_number) FROM audit_event e
         WHERE e.object_type = json_extract(o.value, '$[0]')
         AND e.object_id = json_extract(o.value, '$[1]')),
        0
    ) AS number,
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit_event'), 0) AS seq,
    (SELECT coalesce(max(number), 1) FROM audit_epoch) AS epoch
    FROM json_each(:objects) o ORDER BY o.key"""
    )
)
_WAIT = Statement(
    sa.text("SELECT pg_advisory_xact_lock(lock) FROM unnest(CAST(:locks AS bigint[])) lock")
)
_PLACES = Statement(
    sa.text(
        """SELECT
    ARRAY(SELECT nextval('audit_event_id_seq') FROM generate_series(1, :count)) AS ids,
    ARRAY(
        SELECT CASE WHEN o.kind = 'reading' THEN 1
               ELSE assent_next_event_number(o.kind, o.name) END
        FROM unnest(CAST(:kinds AS text[]), CAST(:names AS text[]))
            WITH ORDINALITY AS o (kind, name, place)
        ORDER BY o.place
    ) AS numbers,
    (SELECT coalesce(max(number), 1) FROM audit_epoch) AS epoch,
    CAST(CAST(pg_current_xact_id() AS text) AS bigint) AS xid"""
    )
)


def record(work: Work, actor: Actor, event: Event) -> None:
    """Add an event to the log; it is saved, or not, together with the rest of the transaction.

    The payload goes to an erasable row of its own, the event holds its salted digests. Raises
    UnauditableValue for a payload that has no exact text.
    """
    waiting = work.kept.get(_WAITING)
    told = _told(work, actor, event)
    if waiting is None:
        _write(work, [told])
    else:
        waiting.append(told)


@contextmanager
def recorded_together(work: Work) -> Iterator[None]:
    """Write the events of the block at its end, all at once, in the order they were recorded.

    They are saved, or not, with the rest of the transaction, as ever; an error in the block leaves
    none behind, and rolls the transaction back. Nothing in the block may read the log, or open a
    savepoint. The block also keeps what it reads under its locks (`Work.keeping`).
    """
    with work.keeping():
        waiting: list[_Told] = []
        work.kept[_WAITING] = waiting
        yield
        del work.kept[_WAITING]
        if waiting:
            _write(work, waiting)


def _told(work: Work, actor: Actor, event: Event) -> _Told:
    """The rows of an event, all but its place in the log; and its payload's, if it has one."""
    row = _row(work, actor, event)
    if event.before is None and event.after is None:
        without = dict.fromkeys(("payload_id", "payload_of", "before_digest", "after_digest"))
        return row | without, None
    payload_id, salt = work.new_id(), work.random_bytes(SALT_BYTES).hex()
    before, after = canonical(event.before), canonical(event.after)
    payload = {
        "id": payload_id,
        "patient_id": event.patient_id,
        "organisation": actor.organisation,
        "salt": salt,
        # The canonical text of the two together, put together of their own.
        "body": f'{{"after":{after},"before":{before}}}',
    }
    row |= {
        "payload_id": payload_id,
        "payload_of": bound(payload_id, event.patient_id, actor.organisation),
        "before_digest": None if event.before is None else digest_of_text(salt, "before", before),
        "after_digest": None if event.after is None else digest_of_text(salt, "after", after),
    }
    return row, payload


def _write(work: Work, told: list[_Told]) -> None:
    """Give events their places, sign them, and insert them with their payloads."""
    payloads = [payload for _, payload in told if payload is not None]
    if payloads:
        work.write(_INSERT_PAYLOAD, *payloads)
    rows = [row for row, _ in told]
    key = key_id(work.audit_key)
    for row, place in zip(rows, _places(work, rows), strict=True):
        row |= place
        row["key_id"] = key
        row["hmac"] = sign(row, work.audit_key)
    work.write(_INSERT_EVENT, *rows)


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


def _places(work: Work, rows: list[dict[str, Any]]) -> list[dict[str, int]]:
    """Each row's id, its number within its object, its epoch and its transaction's id, in order."""
    objects = sorted({(row["object_type"], row["object_id"]) for row in rows})
    if work.on_postgres:
        _wait_for(work, [each for each in objects if each[0] != READING])
        ids, numbers, epoch, xid = _places_on_postgres(work, len(rows), objects)
    else:
        ids, numbers, epoch, xid = _places_on_sqlite(work, len(rows), objects)
    following = dict(zip(objects, numbers, strict=True))
    places = []
    for id_, row in zip(ids, rows, strict=True):
        name = (row["object_type"], row["object_id"])
        places.append({"id": id_, "object_number": following[name], "epoch": epoch, "xid": xid})
        following[name] += 1
    return places


_Places = tuple[list[int], list[int], int, int]


def _places_on_postgres(work: Work, count: int, objects: list[tuple[str, str]]) -> _Places:
    # A statement of its own: it must see what the rivals that we waited for have committed.
    # The database counts: other organisations' events of an object are hidden from us.
    (found,) = work.ask(
        _PLACES,
        {"count": count, "kinds": [kind for kind, _ in objects], "names": [n for _, n in objects]},
    )
    return sorted(found["ids"]), list(found["numbers"]), found["epoch"], found["xid"]


def _places_on_sqlite(work: Work, count: int, objects: list[tuple[str, str]]) -> _Places:
    # SQLite has one writer, so nobody can take these ids or numbers in between. The sequence,
    # not max(id), so that the id of a row that was cut off is never given again.
    found = work.ask(_PLACES_ON_SQLITE, {"objects": json.dumps(objects)})
    first = found[0]["seq"] + 1
    ids = list(range(first, first + count))
    return ids, [row["number"] for row in found], found[0]["epoch"], 0


def _wait_for(work: Work, objects: list[tuple[str, str]]) -> None:
    """Hold a lock on each object until the transaction ends, so that its numbers stay dense.

    In the order of the locks' names, so that two transactions with the same objects queue.
    """
    names = (hashlib.sha256(f"{kind}\n{id_}".encode()).digest()[:8] for kind, id_ in objects)
    locks = sorted(int.from_bytes(name, "big", signed=True) for name in names)
    if locks:
        work.write(_WAIT, {"locks": locks})
