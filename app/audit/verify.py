"""Check that the audit log is as it was written.

What a row-by-row check cannot see: the last events of an object cut off together. That takes
seals over the whole log, published elsewhere.
"""

import datetime as dt
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
    faults: list[Fault] = []
    last: tuple[object, object] = ("", "")
    expected = 1
    for found in work.connection.execute(_rows(work)).mappings():
        row = dict(found)
        row["at"] = _instant(row["at"])
        this = (row["object_type"], row["object_id"])
        expected = expected if this == last else 1
        faults += [_fault(row, what) for what in _wrong(row, expected, work.audit_key)]
        number = row["object_number"]
        last, expected = this, (number if isinstance(number, int) else expected) + 1
    return faults


def _rows(work: Work) -> sa.Select[Any]:
    e, p = audit_event.c, audit_payload.c
    # SQLite keeps whatever text an intruder puts there: read it raw, or the check itself stops.
    at = e.at if work.on_postgres else sa.type_coerce(e.at, sa.String).label("at")
    columns = [at, *(column for column in e if column.name != "at")]
    return (
        sa.select(*columns, p.id.label("held_payload"), p.salt, p.body, p.erased_at)
        .outerjoin_from(audit_event, audit_payload, e.payload_id == p.id)
        .order_by(e.object_type, e.object_id, e.object_number)
        .execution_options(yield_per=BATCH)
    )


def _instant(at: object) -> object:
    """The instant that SQLite's text stands for; any other value as it is."""
    if not isinstance(at, str):
        return at
    try:
        return dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC)
    except ValueError:
        return at


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
