"""A use case is saved whole or not at all, before its answer; what can be tried again is."""

import itertools
import threading
import time
from typing import TypeVar

import pytest
import sqlalchemy as sa

from app.db.engine import make_engine
from app.db.errors import NestedTransaction, ReadOnlyWork
from app.db.tables import patient
from app.db.transaction import TRIES, Database
from app.db.work import EVERYBODY, Work, enter_scope
from tests.conftest import AUDIT_KEY, Transact
from tests.integration.db.rows import add_orphan, add_patient, count
from tests.integration.db.run import Run
from tests.integration.db.together import SECONDS, together

T = TypeVar("T")
DEFER = "ALTER TABLE patient_identifier ALTER CONSTRAINT {} DEFERRABLE INITIALLY DEFERRED"


class Refused(Exception):
    """A refusal of the domain."""


# --- committed before the answer, or not at all -------------------------------------------------


def test_a_failing_commit_raises_and_saves_nothing(scratch_database: Database, run: Run) -> None:
    postgres = scratch_database.engine.dialect.name == "postgresql"
    if postgres:
        name = "fk_patient_identifier_patient_id_patient"
        with scratch_database.engine.begin() as connection:
            connection.exec_driver_sql(DEFER.format(name))
    got_to_the_end = []

    def broken(work: Work) -> str:
        if not postgres:
            work.connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        add_patient(work)
        add_orphan(work)
        got_to_the_end.append(True)
        return "PA-1"

    with pytest.raises(sa.exc.IntegrityError):
        run.on(scratch_database, broken)
    assert got_to_the_end == [True]  # every statement passed: it was the commit that failed
    assert run.on(scratch_database, lambda work: count(work, patient)) == 0
    run.on(scratch_database, add_patient)
    assert run.on(scratch_database, lambda work: count(work, patient)) == 1


def test_another_connection_sees_the_row_as_soon_as_the_answer_is_there(
    database: Database, run: Run
) -> None:
    run.on(database, add_patient)
    other = make_engine(database.engine.url.render_as_string(hide_password=False))
    with other.connect() as connection:
        if connection.dialect.name == "postgresql":
            enter_scope(connection, EVERYBODY)
        assert connection.scalar(sa.select(sa.func.count()).select_from(patient)) == 1
    other.dispose()


def test_a_refusal_undoes_everything_and_is_not_tried_again(database: Database, run: Run) -> None:
    calls = []

    def refuse(work: Work) -> None:
        calls.append(add_patient(work))
        raise Refused

    with pytest.raises(Refused):
        run.on(database, refuse)
    assert len(calls) == 1
    assert run.on(database, lambda work: count(work, patient)) == 0


def test_a_commit_whose_outcome_is_unknown_is_raised_and_not_run_again(
    postgres_database: Database, run: Run
) -> None:
    engine, calls = postgres_database.engine, []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def cut(connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement != "COMMIT":
            return
        pid = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
        with make_engine(engine.url.render_as_string(hide_password=False)).connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")

    with pytest.raises(sa.exc.OperationalError):
        run.on(postgres_database, lambda work: calls.append(add_patient(work)))
    sa.event.remove(engine, "before_cursor_execute", cut)
    assert len(calls) == 1
    assert run.on(postgres_database, lambda work: count(work, patient)) == 0


# --- tried again --------------------------------------------------------------------------------


def test_a_real_serialisation_failure_runs_the_whole_use_case_again(
    postgres_database: Database, run: Run
) -> None:
    id_ = run.on(postgres_database, add_patient)
    is_it = patient.c.id == id_
    seen, pauses = [], []

    def rival() -> None:
        with postgres_database.engine.begin() as other:
            enter_scope(other, EVERYBODY)
            other.execute(sa.update(patient).where(is_it).values(sex="male"))

    def change(work: Work) -> None:
        seen.append(work.connection.scalar(sa.select(patient.c.sex).where(is_it)))
        if len(seen) == 1:
            rival()
        work.connection.execute(sa.update(patient).where(is_it).values(sex=f"{seen[-1]}, changed"))

    strict = postgres_database.engine.execution_options(isolation_level="REPEATABLE READ")
    run.on(Database(strict, AUDIT_KEY, sleep=pauses.append), change)
    assert seen == ["female", "male"]  # the second run read what the rival wrote
    assert len(pauses) == 1
    after = run.on(postgres_database, lambda w: w.connection.scalar(sa.select(patient.c.sex)))
    assert after == "male, changed"


def test_a_real_deadlock_is_broken_and_both_use_cases_are_saved(
    postgres_database: Database, run: Run
) -> None:
    ids = [run.on(postgres_database, add_patient) for _ in range(2)]
    both_hold_one = threading.Barrier(2)
    calls = itertools.count()

    def cross(number: int) -> None:
        first_run = True

        def change(work: Work) -> None:
            nonlocal first_run
            next(calls)
            for step, id_ in enumerate([ids[number], ids[1 - number]]):
                sex = patient.c.sex + f"+{number}"
                work.connection.execute(
                    sa.update(patient).where(patient.c.id == id_).values(sex=sex)
                )
                if step == 0 and first_run:
                    first_run = False
                    both_hold_one.wait(SECONDS)

        run.on(postgres_database, change)

    together(2, cross)
    assert next(calls) == 3  # PostgreSQL broke off one of the two, which ran again
    found = run.on(
        postgres_database, lambda w: w.connection.scalars(sa.select(patient.c.sex)).all()
    )
    assert all(set(sex.split("+")) == {"female", "0", "1"} for sex in found)


@pytest.fixture
def impatient(sqlite_database: Database) -> sa.Engine:
    """An engine on SQLite that waits for a rival's lock for 20 ms only."""
    engine = make_engine(str(sqlite_database.engine.url))
    sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout = 20"))
    return engine


def test_a_busy_sqlite_is_tried_again_until_the_rival_lets_go(
    sqlite_database: Database, impatient: sa.Engine, run: Run
) -> None:
    rival = sqlite_database.engine.connect()
    held = rival.begin()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            held.commit()

    run.on(Database(impatient, AUDIT_KEY, sleep=pause), add_patient)
    rival.close()
    assert len(pauses) == 2
    assert 0.01 <= pauses[0] <= 0.02 <= pauses[1] <= 0.04
    assert run.on(sqlite_database, lambda work: count(work, patient)) == 1


def test_a_sqlite_that_stays_busy_is_given_up_after_five_tries(
    sqlite_database: Database, impatient: sa.Engine, run: Run
) -> None:
    pauses: list[float] = []
    with sqlite_database.engine.begin(), pytest.raises(sa.exc.OperationalError, match="locked"):
        run.on(Database(impatient, AUDIT_KEY, sleep=pauses.append), add_patient)
    assert len(pauses) == TRIES - 1
    assert run.on(sqlite_database, lambda work: count(work, patient)) == 0


def test_sqlites_writers_in_one_process_queue_and_never_meet_its_lock(
    impatient: sa.Engine, run: Run
) -> None:
    pauses: list[float] = []
    database = Database(impatient, AUDIT_KEY, sleep=pauses.append)

    def slow(work: Work) -> None:
        add_patient(work)
        time.sleep(0.1)  # five times as long as a rival would wait for the lock

    together(4, lambda _: run.on(database, slow))
    assert pauses == []


# --- writers and readers ------------------------------------------------------------------------


def test_many_writers_at_once_lose_no_update(database: Database, run: Run) -> None:
    id_ = run.on(database, add_patient)

    def add_one(work: Work) -> None:
        row = sa.select(patient.c.sex).where(patient.c.id == id_).with_for_update()
        longer = work.connection.scalar(row) + "+"
        work.connection.execute(sa.update(patient).values(sex=longer))

    def five_times(_number: int) -> None:
        for _ in range(5):
            run.on(database, add_one)

    run.on(database, lambda w: w.connection.execute(sa.update(patient).values(sex="")))
    together(4, five_times)
    assert run.on(database, lambda w: w.connection.scalar(sa.select(patient.c.sex))) == "+" * 20


def test_a_read_neither_waits_for_a_writer_nor_sees_what_it_has_not_committed(
    database: Database, run: Run, read: Transact
) -> None:
    written, seen = threading.Event(), threading.Event()

    def write(work: Work) -> None:
        add_patient(work)
        written.set()
        assert seen.wait(SECONDS)

    def look(number: int) -> int:
        if number == 0:
            run.on(database, write)
            return -1
        assert written.wait(SECONDS)
        found = read(lambda work: count(work, patient))
        seen.set()
        return found

    assert together(2, look) == [-1, 0]
    assert read(lambda work: count(work, patient)) == 1


def test_a_read_sees_one_snapshot_from_its_first_look_to_its_last(
    database: Database, run: Run, read: Transact
) -> None:
    def twice(work: Work) -> tuple[int, int]:
        before = count(work, patient)
        together(1, lambda _: run.on(database, add_patient))  # a thread of its own
        return before, count(work, patient)

    assert read(twice) == (0, 0)
    assert read(lambda work: count(work, patient)) == 1


def test_a_read_can_neither_write_nor_draw_ids(
    transact: Transact, read: Transact, database: Database
) -> None:
    transact(add_patient)
    erase = sa.delete(patient)
    with pytest.raises((sa.exc.DBAPIError, ReadOnlyWork), match=r"read-?only|read wrote"):
        read(lambda work: work.connection.execute(erase))
    assert read(lambda work: count(work, patient)) == 1
    with pytest.raises(ReadOnlyWork):
        read(lambda work: work.new_id())
    with pytest.raises(ReadOnlyWork):
        read(lambda work: work.random_bytes(1))
    transact(add_patient)  # a connection that read before can write again
    assert read(lambda work: count(work, patient)) == 2


@pytest.mark.parametrize("outer", ["transact", "read"])
@pytest.mark.parametrize("inner", ["transact", "read"])
def test_a_transaction_inside_another_is_refused(
    transact: Transact, read: Transact, outer: str, inner: str
) -> None:
    doors = {"transact": transact, "read": read}
    with pytest.raises(NestedTransaction):
        doors[outer](lambda _: doors[inner](lambda _: None))
    doors[outer](lambda _: None)  # the refusal leaves nothing behind


def test_the_audit_key_is_not_printed_with_the_work(transact: Transact) -> None:
    assert "audit_key" not in transact(repr)
