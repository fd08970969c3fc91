"""Check that the audit log is as it was written.

What a row-by-row check cannot see, the last events of an object cut off together, is found by
the seals (`verify_seals`); the end of the whole log cut off, only by checkpoints kept elsewhere.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from app.audit.erasing import ERASED_BEFORE, LIST, LISTING
from app.audit.keys import Keyring
from app.audit.model import Fault
from app.audit.seal import bound, digest, signed_by
from app.db.tables import audit_event, audit_payload
from app.db.work import Work

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Verified:
    """Every fault of the rows; how many payloads lack because they were erased before revision
    0056, when an erasure did not yet list what it took: by whom, nobody can prove."""

    faults: list[Fault]
    not_attributable: int


@dataclass(frozen=True, slots=True)
class _Listed:
    """Payloads by the sound lists of the log: what erasures took, and what was gone before.

    `before` is None where nobody noted it.
    """

    taken: frozenset[str]
    before: frozenset[str] | None


def verify_rows(work: Work, keys: Keyring | None = None) -> list[Fault]:
    """Every fault of the log: altered rows, missing numbers, payloads altered, gone or destroyed.

    Without `keys`, rows must be signed with the key in use.
    """
    return verify_log(work, keys or Keyring.of(work.audit_key)).faults


def verify_log(work: Work, keys: Keyring) -> Verified:
    """The same, with what cannot be held against an erasure on record."""
    listed = _listed(work, keys)
    faults: list[Fault] = []
    not_attributable = 0
    last: tuple[object, object] = ("", "")
    expected = 1
    for found in work.connection.execute(_rows(work)).mappings():
        row = as_written(found, "at")
        this = (row["object_type"], row["object_id"])
        expected = expected if this == last else 1
        wrong = [*_wrong(row, expected, keys)]
        if row["payload_id"] is not None:
            wrong += _wrong_payload(row, listed)
            not_attributable += _is_of_before(row, listed)
        faults += [_fault(row, what) for what in wrong]
        number = row["object_number"]
        last, expected = this, (number if isinstance(number, int) else expected) + 1
    return Verified(faults, not_attributable)


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
        .add_columns(p.id.label("held_payload"), p.salt, p.body, _erased_at(work))
        .add_columns(p.patient_id.label("payload_patient"))
        .add_columns(p.organisation.label("payload_organisation"))
        .outerjoin_from(audit_event, audit_payload, e.payload_id == p.id)
        .order_by(e.object_type, e.object_id, e.object_number)
        .execution_options(yield_per=BATCH)
    )


def _erased_at(work: Work) -> sa.ColumnElement[Any]:
    """When a payload was erased, unread on SQLite, as `raw` has it."""
    at = audit_payload.c.erased_at
    return at if work.on_postgres else sa.type_coerce(at, sa.String).label("erased_at")


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


def _listed(work: Work, keys: Keyring) -> _Listed:
    """What the log itself lists as erased, by events that are sound."""
    taken: set[str] = set()
    before: set[str] | None = None
    query = _rows(work).where(audit_event.c.action.in_(LISTING))
    for found in work.connection.execute(query).mappings():
        row = as_written(found, "at")
        if not signed_by(row, keys) or not _payload_matches(row):
            continue  # and told as a fault
        ids = (json.loads(row["body"])["after"] or {}).get(LIST, ())
        if row["action"] == ERASED_BEFORE:
            before = {*(before or ()), *ids}
        else:
            taken.update(ids)
    return _Listed(frozenset(taken), None if before is None else frozenset(before))


def _wrong_payload(row: dict[str, Any], listed: _Listed) -> Iterator[str]:
    if row["held_payload"] is None:
        yield "the payload is missing"
        return
    if not _is_whose_it_was(row):
        yield "the payload is not of the patient and organisation it was recorded of"
    is_listed = row["payload_id"] in listed.taken
    if row["erased_at"] is None:
        if not _payload_matches(row):
            yield "the payload is not as it was recorded"
        elif is_listed:
            yield "the payload is there, though an erasure on record took it"
    elif row["body"] is not None or row["salt"] is not None:
        yield "the payload is not as it was recorded"
    elif row["action"] in LISTING:
        yield "the list of what was erased was destroyed"
    elif not is_listed and not _is_of_before(row, listed):
        yield "the payload was destroyed, by no erasure on record"


def _is_of_before(row: dict[str, Any], listed: _Listed) -> bool:
    """Whether a payload's erasure is of the time when erasures did not list what they took."""
    if row["erased_at"] is None or row["payload_of"] is not None:
        return False
    if row["payload_id"] in listed.taken:
        return False
    return listed.before is None or row["payload_id"] in listed.before


def _is_whose_it_was(row: dict[str, Any]) -> bool:
    if row["payload_of"] is None:
        return True  # of before revision 0056, which bound none
    whose = (row["payload_id"], row["payload_patient"], row["payload_organisation"])
    return bool(bound(*whose) == row["payload_of"])


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
