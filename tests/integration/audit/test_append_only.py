"""Nothing in the audit log can be changed; of a payload, nothing but its erasure is possible."""

import sqlite3
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from app.audit import erase, trail, verify_rows
from app.db.tables import audit_event, audit_payload
from app.db.transaction import Database
from tests.conftest import Transact
from tests.integration.audit.rows import PHARMACIST, note
from tests.integration.db.run import Run

COLUMNS = ", ".join(c.name for c in audit_event.c if c.name != "id")
AGAIN = f"SELECT id, {COLUMNS} FROM audit_event"
REFUSED_ON_BOTH = [
    "UPDATE audit_event SET action = 'nothing'",
    "UPDATE audit_event SET action = action",
    "DELETE FROM audit_event",
    "DELETE FROM audit_payload",
    "UPDATE audit_payload SET body = '{}'",
    "UPDATE audit_payload SET patient_id = NULL",
    "UPDATE audit_payload SET body = NULL, salt = NULL",  # erased by nobody at no time
    "UPDATE audit_payload SET body = NULL, erased_at = '2026-01-01 00:00:00'",  # keeps the salt
    "UPDATE audit_payload SET salt = NULL, erased_at = '2026-01-01 00:00:00'",  # keeps the body
]
REFUSED_ON_SQLITE = [
    f"INSERT OR REPLACE INTO audit_event (id, {COLUMNS}) {AGAIN}",
    f"REPLACE INTO audit_event (id, {COLUMNS}) SELECT id + 1, {COLUMNS} FROM audit_event",
    "UPDATE OR REPLACE audit_event SET id = id + 1",
    "INSERT OR REPLACE INTO audit_payload SELECT id, patient_id, salt, '{}', NULL, NULL "
    "FROM audit_payload",
]
REFUSED_ON_POSTGRES = [
    "TRUNCATE audit_event",
    "TRUNCATE audit_payload",
    "TRUNCATE audit_event, audit_payload RESTART IDENTITY CASCADE",
    f"INSERT INTO audit_event (id, {COLUMNS}) {AGAIN} ON CONFLICT (id) DO UPDATE SET action = 'x'",
    "MERGE INTO audit_event e USING (SELECT 1) one ON true WHEN MATCHED THEN DELETE",
]
WHY = "append-only|can only be erased"


Owned = Callable[[Database], sa.Engine]


def check_refused(engine: sa.Engine, statement: str, before: str | None = None) -> None:
    """Assert that a trigger refuses the statement, even to the tables' owner."""
    with engine.connect() as connection:
        if before is not None:
            connection.exec_driver_sql(before)
        with pytest.raises(sa.exc.DBAPIError, match=WHY):
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("statement", REFUSED_ON_BOTH)
def test_a_change_is_refused(
    database: Database, owned: Owned, transact: Transact, read: Transact, statement: str
) -> None:
    transact(note)
    check_refused(owned(database), statement)
    assert read(verify_rows) == []
    assert len(read(lambda work: trail(work, "request", "r-1"))) == 1


@pytest.mark.parametrize("statement", REFUSED_ON_BOTH + REFUSED_ON_SQLITE)
def test_sqlite_refuses_it_to_a_stranger_who_sets_no_pragma(
    sqlite_database: Database,
    statement: str,
    run: Run,
) -> None:
    run.on(sqlite_database, note)
    stranger = sqlite3.connect(str(sqlite_database.engine.url.database))
    assert stranger.execute("PRAGMA recursive_triggers").fetchone() == (0,)
    with pytest.raises(sqlite3.IntegrityError, match=WHY):
        stranger.execute(statement)
    stranger.close()


@pytest.mark.parametrize("statement", REFUSED_ON_SQLITE)
def test_replacing_a_row_is_refused_on_sqlite(
    sqlite_database: Database, run: Run, statement: str
) -> None:
    run.on(sqlite_database, note)
    check_refused(sqlite_database.engine, statement)


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("statement", REFUSED_ON_BOTH + REFUSED_ON_POSTGRES)
def test_postgresql_refuses_it_even_in_a_replicas_session(
    postgres_database: Database, owned: Owned, run: Run, statement: str, role: str
) -> None:
    run.on(postgres_database, note)
    check_refused(
        owned(postgres_database), statement, f"SET LOCAL session_replication_role = {role}"
    )


def test_the_delete_triggers_alone_stop_a_replacement_on_our_connections(
    scratch_database: Database, run: Run
) -> None:
    if scratch_database.engine.dialect.name != "sqlite":
        pytest.skip("only SQLite replaces rows")
    run.on(scratch_database, note)
    with scratch_database.engine.begin() as connection:
        for name in ("audit_event_no_replace", "audit_payload_no_replace"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for statement in REFUSED_ON_SQLITE:
        check_refused(scratch_database.engine, statement)  # thanks to PRAGMA recursive_triggers


def test_erasure_takes_a_patients_payloads_and_leaves_a_sound_log(
    transact: Transact, read: Transact
) -> None:
    transact(lambda work: note(work, "r-1", "p-1"))
    transact(lambda work: note(work, "r-1", "p-1"))
    transact(lambda work: note(work, "r-2", "p-2"))
    assert transact(lambda w: erase(w, PHARMACIST, patient_id="p-1", reason="court order")) == 2

    erased = read(lambda work: trail(work, "request", "r-1"))
    assert [(e.before, e.after, e.erased_at is None) for e in erased] == [(None, None, False)] * 2
    (kept,) = read(lambda work: trail(work, "request", "r-2"))
    assert kept.after == {"state": "submitted"}
    (told,) = read(lambda work: trail(work, "patient", "p-1"))
    assert told.after is not None
    assert (told.after["payloads"], told.after["reason"]) == (2, "court order")
    gone = sa.select(audit_payload.c.id).where(audit_payload.c.erased_at.is_not(None))
    assert told.after["erased"] == sorted(read(lambda w: w.connection.scalars(gone).all()))
    salts = read(lambda w: w.connection.scalars(sa.select(audit_payload.c.salt)).all())
    assert sum(salt is None for salt in salts) == 2  # with its salt a digest could be guessed
    assert read(verify_rows) == []


def test_what_was_erased_cannot_be_brought_back_or_erased_again(
    database: Database, owned: Owned, transact: Transact
) -> None:
    transact(note)
    transact(lambda work: erase(work, PHARMACIST, patient_id="p-1", reason="court order"))
    again = "UPDATE audit_payload SET body = {}, erased_at = {} WHERE patient_id = 'p-1'"
    check_refused(owned(database), again.format("'{\"after\": 1}'", "NULL"))
    check_refused(owned(database), again.format("NULL", "'2027-01-01 00:00:00'"))
    assert transact(lambda w: erase(w, PHARMACIST, patient_id="p-1", reason="again")) == 0


@pytest.mark.parametrize("statement", [*REFUSED_ON_BOTH[:4], *REFUSED_ON_POSTGRES])
def test_the_services_own_role_may_not_even_try(
    postgres_database: Database, run: Run, statement: str
) -> None:
    run.on(postgres_database, note)
    with (
        postgres_database.engine.connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="permission denied"),
    ):
        connection.exec_driver_sql(statement)
