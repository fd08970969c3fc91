"""A log that somebody altered behind the triggers' back is found out, row by row."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.audit import Fault, UnauditableValue, verify_rows
from app.audit.erasing import erase, note_erased_before
from app.audit.keys import NO_ID, Keyring, key_id
from app.audit.seal import (
    SIGNED,
    SIGNED_BEFORE_KEY_IDS,
    SIGNED_UNBOUND,
    canonical,
    digest,
    sign,
    signed_by,
)
from app.audit.verify import verify_log
from app.db.tables import audit_event, audit_payload
from app.db.transaction import Database
from app.db.work import Work
from tests.conftest import AUDIT_KEY, Transact
from tests.integration.audit.rows import PHARMACIST, drop_triggers, note
from tests.integration.db.run import Run

SIGNATURE, MISSING = "the row is not as it was signed", "event 2 of this object is missing"
NO_PAYLOAD, PAYLOAD = "the payload is missing", "the payload is not as it was recorded"
DESTROYED = "the payload was destroyed, by no erasure on record"
ANOTHERS = "the payload is not of the patient and organisation it was recorded of"
LIST_GONE = "the list of what was erased was destroyed"
BACK = "the payload is there, though an erasure on record took it"


def three_events(work: Work) -> None:
    """Three events of one request, then one of another."""
    for _ in range(3):
        note(work)
    note(work, "r-2", "p-2")


SECOND = "object_id = 'r-1' AND object_number = 2"
PAYLOAD_OF_SECOND = f"id = (SELECT payload_id FROM audit_event WHERE {SECOND})"
ERASURE = "body = NULL, salt = NULL, erased_at = '2026-01-01 00:00:00'"
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
    # What the triggers let anybody do who may write payloads at all: the very erasure.
    (f"UPDATE audit_payload SET {ERASURE} WHERE {PAYLOAD_OF_SECOND}", [(2, DESTROYED)]),
    (
        f"UPDATE audit_payload SET {ERASURE}, patient_id = 'p-9' WHERE {PAYLOAD_OF_SECOND}",
        [(2, ANOTHERS), (2, DESTROYED)],
    ),
    (
        "UPDATE audit_payload SET salt = NULL, erased_at = '2026-01-01 00:00:00' "
        f"WHERE {PAYLOAD_OF_SECOND}",
        [(2, PAYLOAD)],
    ),
    (
        f"UPDATE audit_payload SET patient_id = 'p-9' WHERE {PAYLOAD_OF_SECOND}",
        [(2, ANOTHERS)],
    ),
    (
        f"UPDATE audit_payload SET patient_id = NULL WHERE {PAYLOAD_OF_SECOND}",
        [(2, ANOTHERS)],
    ),
    (
        f"UPDATE audit_payload SET organisation = 'DEMO9' WHERE {PAYLOAD_OF_SECOND}",
        [(2, ANOTHERS)],
    ),
    (f"UPDATE audit_event SET payload_of = NULL WHERE {SECOND}", [(2, SIGNATURE)]),
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


TOOK = "action = 'erase audit payloads'"
PAYLOAD_OF_ERASURE = f"id = (SELECT payload_id FROM audit_event WHERE {TOOK})"
#: After the erasure of one patient, of rows 1, 2 and 3: what is done, and what is told by row.
AFTER_ERASURE = [
    ("UPDATE audit_payload SET patient_id = 'p-9' WHERE id = {first}", {1: {ANOTHERS}}),
    (f"UPDATE audit_payload SET {ERASURE} WHERE id = {{other}}", {4: {DESTROYED}}),
    (
        f"UPDATE audit_payload SET {ERASURE} WHERE {PAYLOAD_OF_ERASURE}",
        {1: {DESTROYED}, 2: {DESTROYED}, 3: {DESTROYED}, 5: {LIST_GONE}},
    ),
    (
        f"UPDATE audit_payload SET body = '{{{{}}}}' WHERE {PAYLOAD_OF_ERASURE}",
        {1: {DESTROYED}, 2: {DESTROYED}, 3: {DESTROYED}, 5: {PAYLOAD}},
    ),
    (f"DELETE FROM audit_event WHERE {TOOK}", {n: {DESTROYED} for n in (1, 2, 3)}),
    (
        f"UPDATE audit_event SET actor = 'x' WHERE {TOOK}",
        {1: {DESTROYED}, 2: {DESTROYED}, 3: {DESTROYED}, 5: {SIGNATURE}},
    ),
    ("UPDATE audit_payload SET body = '{{}}' WHERE id = {first}", {1: {PAYLOAD}}),
]


@pytest.mark.parametrize(("statement", "faults"), AFTER_ERASURE)
def test_only_what_an_erasure_lists_may_be_gone(
    scratch_database: Database, run: Run, statement: str, faults: dict[int, set[str]]
) -> None:
    run.on(scratch_database, three_events)  # the fourth is of another patient
    run.on(scratch_database, lambda work: erase(work, PHARMACIST, patient_id="p-1", reason="Asked"))
    assert run.on(scratch_database, verify_rows) == []
    payloads = sa.select(audit_event.c.payload_id).order_by(audit_event.c.id)
    first, *_, other, _ = run.on(scratch_database, lambda w: w.connection.scalars(payloads).all())
    drop_triggers(scratch_database.engine)
    with scratch_database.engine.begin() as connection:
        named = statement.format(first=f"'{first}'", other=f"'{other}'")
        assert connection.exec_driver_sql(named).rowcount == 1
    found = run.on(scratch_database, verify_rows)
    assert {fault.event_id for fault in found} == set(faults)
    for event, told in faults.items():
        assert {fault.what for fault in found if fault.event_id == event} == told


def test_a_payload_that_was_erased_and_brought_back_whole_is_told(
    scratch_database: Database, run: Run
) -> None:
    run.on(scratch_database, three_events)
    kept = run.on(
        scratch_database,
        lambda w: dict(w.connection.execute(sa.select(audit_payload)).mappings().first() or {}),
    )
    run.on(scratch_database, lambda work: erase(work, PHARMACIST, patient_id="p-1", reason="Asked"))
    drop_triggers(scratch_database.engine)
    with scratch_database.engine.begin() as connection:
        same = audit_payload.c.id == kept["id"]
        connection.execute(sa.update(audit_payload).where(same).values(**kept))
    assert [fault.what for fault in run.on(scratch_database, verify_rows)] == [BACK]


# --- what was erased before erasures listed what they took ----------------------------------------


def of_before(database: Database, run: Run) -> None:
    """Make every row of the log one of before revision 0056, signed as it was then."""
    drop_triggers(database.engine)
    with database.engine.begin() as connection:
        for found in connection.execute(sa.select(audit_event)).mappings().all():
            row = {**found, "payload_of": None}
            row["hmac"] = sign(row, AUDIT_KEY)
            connection.execute(
                sa.update(audit_event).where(audit_event.c.id == row["id"]).values(**row)
            )


def silently_erase(database: Database, event: int) -> None:
    with database.engine.begin() as connection:
        whose = f"id = (SELECT payload_id FROM audit_event WHERE id = {event})"
        connection.exec_driver_sql(f"UPDATE audit_payload SET {ERASURE} WHERE {whose}")


def test_what_was_erased_before_erasures_listed_it_is_counted_and_noted_once(
    scratch_database: Database, run: Run
) -> None:
    def verified() -> tuple[list[tuple[int, str]], int]:
        found = run.on(scratch_database, lambda work: verify_log(work, Keyring.of(AUDIT_KEY)))
        return [(f.event_id, f.what) for f in found.faults], found.not_attributable

    def noted() -> int | None:
        return run.on(scratch_database, lambda work: note_erased_before(work, PHARMACIST))

    run.on(scratch_database, three_events)
    of_before(scratch_database, run)
    silently_erase(scratch_database, 1)
    assert verified() == ([], 1)  # before the upgrade nobody could tell
    assert noted() == 1
    assert verified() == ([], 1)
    silently_erase(scratch_database, 2)
    assert verified() == ([(2, DESTROYED)], 1)  # after it anybody can
    assert noted() is None  # and it is not noted away
    assert verified() == ([(2, DESTROYED)], 1)


def test_a_log_that_began_with_erasures_on_record_has_nothing_to_note(
    database: Database, transact: Transact
) -> None:
    assert transact(lambda work: note_erased_before(work, PHARMACIST)) is None
    transact(note)
    assert transact(lambda work: note_erased_before(work, PHARMACIST)) is None


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


@pytest.mark.parametrize("column", SIGNED)
def test_a_row_of_before_payloads_were_bound_cannot_be_given_a_binding(column: str) -> None:
    row: dict[str, Any] = {name: f"text of {name}" for name in SIGNED_UNBOUND}
    row |= {"key_id": key_id(AUDIT_KEY), "payload_of": None}
    row["hmac"] = sign(row, AUDIT_KEY)
    assert signed_by(row, Keyring.of(AUDIT_KEY))
    assert not signed_by(row | {column: "other"}, Keyring.of(AUDIT_KEY))


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
