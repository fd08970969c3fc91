"""A log that somebody altered behind the triggers' back is found out, row by row."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.audit import Fault, UnauditableValue, verify_rows
from app.audit.keys import NO_ID, Keyring, key_id
from app.audit.seal import (
    SIGNED,
    SIGNED_BEFORE_KEY_IDS,
    canonical,
    digest,
    sign,
    signed_by,
)
from app.db.tables import audit_event, audit_payload
from app.db.transaction import Database
from app.db.work import Work
from tests.conftest import AUDIT_KEY, Transact
from tests.integration.audit.rows import drop_triggers, note
from tests.integration.db.run import Run

SIGNATURE, MISSING = "the row is not as it was signed", "event 2 of this object is missing"
NO_PAYLOAD, PAYLOAD = "the payload is missing", "the payload is not as it was recorded"


def three_events(work: Work) -> None:
    """Three events of one request, then one of another."""
    for _ in range(3):
        note(work)
    note(work, "r-2")


SECOND = "object_id = 'r-1' AND object_number = 2"
PAYLOAD_OF_SECOND = f"id = (SELECT payload_id FROM audit_event WHERE {SECOND})"
TAMPERED = [
    (f"UPDATE audit_event SET organisation = 'DEMO2' WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"UPDATE audit_event SET actor = 'somebody' WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"UPDATE audit_event SET policy_hash = NULL WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"UPDATE audit_event SET at = '2026-01-01 00:00:00' WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"UPDATE audit_event SET id = 1000 WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"UPDATE audit_event SET hmac = '{'0' * 64}' WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"UPDATE audit_event SET hmac = 'é' WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"UPDATE audit_event SET payload_id = NULL WHERE {SECOND}", [(2, SIGNATURE)]),
    (f"DELETE FROM audit_event WHERE {SECOND}", [(3, MISSING)]),
    (
        "UPDATE audit_event SET object_id = 'r-9' WHERE object_id = 'r-2'",
        [(1, SIGNATURE)],
    ),
    (
        f'UPDATE audit_payload SET body = \'{{"before":null,"after":null}}\' '
        f"WHERE {PAYLOAD_OF_SECOND}",
        [(2, PAYLOAD)],
    ),
    (f"UPDATE audit_payload SET body = 'not JSON' WHERE {PAYLOAD_OF_SECOND}", [(2, PAYLOAD)]),
    (f"UPDATE audit_payload SET body = NULL WHERE {PAYLOAD_OF_SECOND}", [(2, PAYLOAD)]),
    (f"UPDATE audit_payload SET salt = 'pepper' WHERE {PAYLOAD_OF_SECOND}", [(2, PAYLOAD)]),
    (f"DELETE FROM audit_payload WHERE {PAYLOAD_OF_SECOND}", [(2, NO_PAYLOAD)]),
]


# SQLite takes any value in any column.
STRANGE = ["at = 'never'", "at = 5", "object_number = 'x'", "xid = 0.5", "actor = x'ff'", "id = -1"]


@pytest.mark.parametrize("change", STRANGE)
def test_a_value_of_the_wrong_kind_is_a_fault_and_does_not_stop_the_check(
    sqlite_database: Database, run: Run, change: str
) -> None:
    run.on(sqlite_database, three_events)
    drop_triggers(sqlite_database.engine)
    with sqlite_database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE audit_event SET {change} WHERE object_id = 'r-2'")
    found = run.on(sqlite_database, verify_rows)
    assert SIGNATURE in [fault.what for fault in found]
    assert {fault.object_id for fault in found} == {"r-2"}


@pytest.mark.parametrize(("statement", "faults"), TAMPERED)
def test_an_alteration_is_found_at_its_row(
    scratch_database: Database, run: Run, statement: str, faults: list[tuple[int, str]]
) -> None:
    run.on(scratch_database, three_events)
    assert run.on(scratch_database, verify_rows) == []
    drop_triggers(scratch_database.engine)
    with scratch_database.engine.begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount == 1
    found = run.on(scratch_database, verify_rows)
    assert [(fault.object_number, fault.what) for fault in found] == faults


def test_a_log_signed_with_another_key_is_faulty_throughout(
    database: Database, transact: Transact, read: Transact
) -> None:
    transact(three_events)

    def with_another_key(work: Work) -> list[Fault]:
        return verify_rows(dataclasses.replace(work, audit_key=b"x" * 32))

    assert [fault.what for fault in read(with_another_key)] == [SIGNATURE] * 4


def test_the_id_of_a_row_that_was_cut_off_is_never_given_again(
    scratch_database: Database, run: Run
) -> None:
    run.on(scratch_database, three_events)
    highest = sa.select(sa.func.max(audit_event.c.id))
    cut = run.on(scratch_database, lambda w: w.connection.scalar(highest))
    drop_triggers(scratch_database.engine)
    with scratch_database.engine.begin() as connection:
        connection.execute(sa.delete(audit_event).where(audit_event.c.id == cut))
    run.on(scratch_database, lambda work: note(work, "r-3"))
    assert run.on(scratch_database, lambda w: w.connection.scalar(highest)) == cut + 1


def test_the_signature_covers_every_column_but_itself() -> None:
    assert set(SIGNED) == {column.name for column in audit_event.c} - {"hmac"}


@pytest.mark.parametrize("column", SIGNED)
def test_changing_any_column_breaks_the_signature(column: str) -> None:
    row: dict[str, Any] = {name: f"text of {name}" for name in SIGNED}
    row |= {"key_id": key_id(AUDIT_KEY)}
    row["hmac"] = sign(row, AUDIT_KEY)
    keys = Keyring.of(AUDIT_KEY)
    assert signed_by(row, keys)
    assert not signed_by(row | {column: "other"}, keys)
    assert not signed_by(row | {column: None}, keys)


@pytest.mark.parametrize("column", SIGNED_BEFORE_KEY_IDS)
def test_a_row_of_the_first_release_is_checked_with_every_key(column: str) -> None:
    row: dict[str, Any] = {name: f"text of {name}" for name in SIGNED_BEFORE_KEY_IDS}
    row |= {"key_id": NO_ID, "epoch": 1}
    row["hmac"] = sign(row, AUDIT_KEY)
    keys = Keyring.of(b"the key in use now", [AUDIT_KEY])
    assert signed_by(row, keys)
    assert not signed_by(row | {column: "other"}, keys)
    assert not signed_by(row, Keyring.of(b"the key in use now"))


def test_a_row_that_names_its_key_is_checked_with_no_other() -> None:
    row: dict[str, Any] = {name: f"text of {name}" for name in SIGNED}
    row["key_id"] = key_id(b"retired")
    row["hmac"] = sign(row, AUDIT_KEY)
    assert not signed_by(row, Keyring.of(AUDIT_KEY, [b"retired"]))


def test_equal_payloads_have_unlike_digests_and_neither_side_passes_for_the_other() -> None:
    value = {"state": "live"}
    found = {digest(salt, side, value) for salt in ("s1", "s2") for side in ("before", "after")}
    assert len(found) == 4
    assert digest("s1", "before", None) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ({"dose": Decimal("1E+2")}, '{"dose":"100"}'),
        ({"s": frozenset({"b", "a"})}, '{"s":["a","b"]}'),
        ({"name": "Zoë"}, '{"name":"Zoë"}'),
    ],
)
def test_a_value_has_one_text(value: object, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [0.1, {"a": [1.0]}, b"bytes", {1: "a"}, object()])
def test_a_value_without_one_exact_text_is_refused_and_not_quoted(value: object) -> None:
    with pytest.raises(UnauditableValue, match="which has no single exact text"):
        canonical(value)


def test_payloads_are_kept_apart_from_events(transact: Transact, read: Transact) -> None:
    transact(note)
    row = read(lambda w: w.connection.execute(sa.select(audit_event)).mappings().one())
    assert not any("submitted" in str(value) for value in row.values())
    assert read(lambda w: w.connection.scalar(sa.select(audit_payload.c.patient_id))) == "p-1"
