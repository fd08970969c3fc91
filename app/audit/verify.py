"""Check that the audit log is as it was written.

What a row-by-row check cannot see: the last events of an object cut off together. That takes
seals over the whole log, published elsewhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.audit.seal import digest, signed_by
from app.db.tables import audit_event, audit_payload
from app.db.work import Work

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with one row of the log."""

    event_id: int
    object_type: str
    object_id: str
    object_number: int
    what: str


def verify_rows(work: Work) -> list[Fault]:
    """Every fault of the log: altered rows, missing numbers, altered or missing payloads."""
    query = (
        sa.select(
            audit_event,
            audit_payload.c.id.label("held_payload"),
            audit_payload.c.salt,
            audit_payload.c.body,
            audit_payload.c.erased_at,
        )
        .outerjoin_from(audit_event, audit_payload, audit_event.c.payload_id == audit_payload.c.id)
        .order_by(audit_event.c.object_type, audit_event.c.object_id, audit_event.c.object_number)
        .execution_options(yield_per=BATCH)
    )
    faults: list[Fault] = []
    last: tuple[str, str, int] | None = None
    for found in work.connection.execute(query).mappings():
        row = dict(found)
        same = last is not None and last[:2] == (row["object_type"], row["object_id"])
        expected = last[2] + 1 if same and last is not None else 1
        faults += [_fault(row, what) for what in _wrong(row, expected, work.audit_key)]
        last = (row["object_type"], row["object_id"], row["object_number"])
    return faults


def _wrong(row: dict[str, Any], expected: int, key: bytes) -> Iterator[str]:
    if not signed_by(row, key):
        yield "the row is not as it was signed"
    if row["object_number"] != expected:
        yield f"event {expected} of this object is missing"
    if row["payload_id"] is None:
        return
    if row["held_payload"] is None:
        yield "the payload is missing"
    elif row["erased_at"] is None and not _payload_matches(row):
        yield "the payload is not as it was recorded"


def _payload_matches(row: dict[str, Any]) -> bool:
    if row["body"] is None or row["salt"] is None:
        return False
    try:
        body = json.loads(row["body"])
        return bool(
            digest(row["salt"], "before", body["before"]) == row["before_digest"]
            and digest(row["salt"], "after", body["after"]) == row["after_digest"]
        )
    except (ValueError, KeyError, TypeError):
        return False


def _fault(row: dict[str, Any], what: str) -> Fault:
    return Fault(row["id"], row["object_type"], row["object_id"], row["object_number"], what)
