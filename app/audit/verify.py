"""Check that the audit log is as it was written.

What a row-by-row check cannot see, the last events of an object cut off together, is found by
the seals (`verify_seals`); the end of the whole log cut off, only by checkpoints kept elsewhere.
"""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from app.audit.keys import Keyring
from app.audit.model import Fault
from app.audit.seal import digest, signed_by
from app.db.tables import audit_event, audit_payload
from app.db.work import Work

BATCH = 1_000


def verify_rows(work: Work, keys: Keyring | None = None) -> list[Fault]:
    """Every fault of the log: altered rows, missing numbers, altered or missing payloads.

    Without `keys`, rows must be signed with the key in use.
    """
    keys = keys or Keyring.of(work.audit_key)
    faults: list[Fault] = []
    last: tuple[object, object] = ("", "")
    expected = 1
    for found in work.connection.execute(_rows(work)).mappings():
        row = as_written(found, "at")
        this = (row["object_type"], row["object_id"])
        expected = expected if this == last else 1
        faults += [_fault(row, what) for what in _wrong(row, expected, keys)]
        number = row["object_number"]
        last, expected = this, (number if isinstance(number, int) else expected) + 1
    return faults


def raw_rows(work: Work, where: sa.ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    """Rows of the log as they lie in the database, whatever somebody put there, by id."""
    query = raw(work, audit_event, "at").where(where).order_by(audit_event.c.id)
    options = query.execution_options(yield_per=BATCH)
    for found in work.connection.execute(options).mappings():
        yield as_written(found, "at")


def raw(work: Work, table: sa.Table, instant: str) -> sa.Select[Any]:
    """A table's rows with their instant unread on SQLite.

    SQLite keeps whatever text an intruder puts there: read as an instant, the check itself stops.
    """
    found = table.c[instant]
    unread = found if work.on_postgres else sa.type_coerce(found, sa.String).label(instant)
    return sa.select(unread, *(column for column in table.c if column.name != instant))


def as_written(found: RowMapping, instant: str) -> dict[str, Any]:
    """A row of `raw` with its instant read where it can be."""
    row: dict[str, Any] = {str(name): value for name, value in found.items()}
    row[instant] = _instant(row[instant])
    return row


def _rows(work: Work) -> sa.Select[Any]:
    e, p = audit_event.c, audit_payload.c
    return (
        raw(work, audit_event, "at")
        .add_columns(p.id.label("held_payload"), p.salt, p.body, p.erased_at)
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


def _wrong(row: dict[str, Any], expected: int, keys: Keyring) -> Iterator[str]:
    if not signed_by(row, keys):
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
