"""Several transactions share one commit on SQLite, and each is still saved whole or not at all."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from app.db.engine import make_engine
from app.db.tables import patient
from app.db.transaction import Database
from app.db.work import Work
from tests.integration.db.rows import add_orphan, add_patient, count
from tests.integration.db.run import Run
from tests.integration.db.together import SECONDS, together

MANY = 6


class Refused(Exception):
    """A refusal of the domain."""


def share(run: Run, database: Database, fn: Callable[[Work], Any]) -> Any:
    """Run a use case that shares its commit with those that wait."""
    return database.transact(
        fn,
        moment=run.moment,
        new_id=run.ids,
        random_bytes=run.random_bytes,
        shares_commit=True,
    )


def once_all_wait(database: Database, many: int = MANY) -> Callable[[Work], None]:
    """Holds the first up until all others stand behind it, so that they make one group."""
    held = threading.Event()

    def hold(_work: Work) -> None:
        if held.is_set():
            return
        held.set()
        until = time.monotonic() + SECONDS
        while database._commits._waiting < many - 1 and time.monotonic() < until:  # type: ignore[union-attr]
            time.sleep(0.001)

    return hold


@contextmanager
def commits(engine: sa.Engine) -> Iterator[list[None]]:
    """One entry for each commit."""
    seen: list[None] = []

    def note(_connection: Any) -> None:
        seen.append(None)

    sa.event.listen(engine, "commit", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "commit", note)


def patients(run: Run, database: Database) -> int:
    return int(run.on(database, lambda work: count(work, patient)))


def test_those_that_wait_are_committed_at_once_and_seen_by_others_when_each_returns(
    sqlite_database: Database, run: Run
) -> None:
    hold = once_all_wait(sqlite_database)
    other = make_engine(sqlite_database.engine.url.render_as_string(hide_password=False))
    query = sa.select(sa.func.count()).select_from(patient)

    def one(_number: int) -> bool:
        def add(work: Work) -> str:
            hold(work)
            return add_patient(work)

        id_ = share(run, sqlite_database, add)
        with other.connect() as connection:
            return connection.scalar(query.where(patient.c.id == id_)) == 1

    with commits(sqlite_database.engine) as seen:
        assert together(MANY, one) == [True] * MANY
    assert len(seen) == 1
    other.dispose()


def test_nobody_returns_before_the_commit_they_share(sqlite_database: Database, run: Run) -> None:
    hold = once_all_wait(sqlite_database)
    answered: list[int] = []
    when_committed: list[int] = []
    sa.event.listen(
        sqlite_database.engine, "commit", lambda _: when_committed.append(len(answered))
    )

    def one(number: int) -> None:
        share(run, sqlite_database, lambda work: (hold(work), add_patient(work)))
        answered.append(number)

    together(MANY, one)
    assert when_committed == [0]
    assert len(answered) == MANY


def test_one_that_is_refused_takes_back_only_what_it_wrote_itself(
    sqlite_database: Database, run: Run
) -> None:
    hold = once_all_wait(sqlite_database)

    def one(number: int) -> str:
        def add(work: Work) -> str:
            hold(work)
            add_patient(work)
            if number % 2:
                work.savepoint()  # and leaves it open
                add_patient(work)
                raise Refused
            return "saved"

        try:
            return str(share(run, sqlite_database, add))
        except Refused:
            return "refused"

    assert sorted(together(MANY, one)) == ["refused"] * 3 + ["saved"] * 3
    assert patients(run, sqlite_database) == 3


def test_where_the_shared_commit_fails_nobody_is_told_that_it_was_saved(
    sqlite_database: Database, run: Run
) -> None:
    hold = once_all_wait(sqlite_database)

    def fail(_connection: Any) -> None:
        raise sa.exc.OperationalError("COMMIT", None, Exception("disk I/O error"))

    def one(_number: int) -> str:
        try:
            share(run, sqlite_database, lambda work: (hold(work), add_patient(work)))
        except sa.exc.OperationalError:
            return "failed"
        return "saved"

    sa.event.listen(sqlite_database.engine, "commit", fail)
    try:
        assert together(MANY, one) == ["failed"] * MANY
    finally:
        sa.event.remove(sqlite_database.engine, "commit", fail)
    assert patients(run, sqlite_database) == 0


def test_nobody_is_refused_because_of_rows_that_were_not_saved(
    sqlite_database: Database, run: Run
) -> None:
    hold = once_all_wait(sqlite_database)
    refusals: list[None] = []

    def fail(_connection: Any) -> None:
        raise sa.exc.OperationalError("COMMIT", None, Exception("disk I/O error"))

    def one(_number: int) -> str:
        def add(work: Work) -> None:
            hold(work)
            if count(work, patient):
                refusals.append(None)
                raise Refused
            add_patient(work)

        try:
            share(run, sqlite_database, add)
        except Refused:
            return "refused"
        except sa.exc.OperationalError:
            return "failed"
        return "saved"

    sa.event.listen(sqlite_database.engine, "commit", fail)
    try:
        assert together(MANY, one) == ["failed"] * MANY
    finally:
        sa.event.remove(sqlite_database.engine, "commit", fail)
    assert len(refusals) >= MANY - 1


def test_one_whose_rows_only_the_commit_refuses_fails_alone(
    sqlite_database: Database, run: Run
) -> None:
    hold = once_all_wait(sqlite_database)

    def one(number: int) -> str:
        def add(work: Work) -> None:
            hold(work)
            work.connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            add_patient(work)
            if number == 0:
                add_orphan(work)

        try:
            share(run, sqlite_database, add)
        except sa.exc.IntegrityError:
            return "refused"
        return "saved"

    assert sorted(together(MANY, one)) == ["refused"] + ["saved"] * (MANY - 1)
    assert patients(run, sqlite_database) == MANY - 1


def test_where_sqlite_itself_takes_all_of_them_back_the_others_are_carried_out_again(
    sqlite_database: Database, run: Run
) -> None:
    hold = once_all_wait(sqlite_database)
    runs: list[int] = []

    def one(number: int) -> str:
        def add(work: Work) -> None:
            hold(work)
            runs.append(number)
            add_patient(work)
            if number == 0:
                # As SQLite does by itself on a full disk, with everybody's rows.
                work.connection.connection.driver_connection.execute("ROLLBACK")
                raise Refused

        try:
            share(run, sqlite_database, add)
        except Refused:
            return "refused"
        return "saved"

    assert sorted(together(MANY, one)) == ["refused"] + ["saved"] * (MANY - 1)
    assert patients(run, sqlite_database) == MANY - 1
    assert set(runs) == set(range(MANY))


def test_one_that_shares_no_commit_first_lets_those_before_it_be_saved(
    sqlite_database: Database, run: Run
) -> None:
    seen: list[int] = []

    def one(number: int) -> None:
        for _ in range(20):
            if number % 2:
                share(run, sqlite_database, add_patient)
            else:
                run.on(sqlite_database, lambda work: seen.append(count(work, patient)))

    together(MANY, one)
    assert patients(run, sqlite_database) == 20 * MANY // 2
    assert seen == sorted(seen)
