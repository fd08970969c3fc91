"""Behind a pooler of transactions each is whole, of its own organisation, and on disk."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.audit.keys import Keyring
from app.backup.errors import BackupRefused
from app.backup.put_back import put_back
from app.backup.take import back_up
from app.db.engine import make_engine
from app.db.errors import PooledConnection
from app.db.statements import Statement
from app.db.tables import patient
from app.db.transaction import Database
from app.db.upgrade import UPGRADE_LOCK, upgrade
from app.db.work import Moment, Work
from app.settings import REPOSITORY
from tests.conftest import AUDIT_KEY
from tests.integration.db.rows import count
from tests.integration.db.run import Run
from tests.integration.db.test_statements import ADD, COUNT, values
from tests.poolers import CARRIED, NOT_CARRIED, pooled

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
SCOPE = Statement(sa.text("SELECT current_setting('app.organisation', true) AS scope"))
COMMITS = Statement(sa.text("SELECT current_setting('synchronous_commit') AS commits"))
NAMED = "SELECT name FROM pg_prepared_statements"
ORGANISATIONS = ("DEMO1", "DEMO2", "DEMO3", "DEMQ1")
#: Prints what a statement is called, after so many others were made.
NAME_OF = """
import sys
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import psycopg
from app.db.statements import Statement
for number in range(int(sys.argv[1])):
    Statement(sa.text(f"SELECT {number}")).prepared(psycopg.dialect(), {})
print(Statement(sa.text("SELECT :one")).prepared(psycopg.dialect(), {"one": 1}).name.decode())
"""
both = pytest.mark.parametrize(
    "carried", [CARRIED, NOT_CARRIED], ids=["statements carried", "statements not carried"]
)


@contextmanager
def through(
    folder: Path, database: Database, *, carried: int = NOT_CARRIED, sessions: int = 2
) -> Iterator[Database]:
    """The database through a pooler."""
    with pooled(folder, database.engine, carried=carried, sessions=sessions) as url:
        engine = make_engine(url.render_as_string(hide_password=False))
        try:
            yield Database(engine, AUDIT_KEY)
        finally:
            engine.dispose()


@both
def test_transactions_of_many_clients_over_few_sessions_are_whole(
    postgres_database: Database, run: Run, tmp_path: Path, carried: int
) -> None:
    """Two services and eight threads on two sessions, each of them prepared by whoever came."""
    failed: list[BaseException] = []

    def add(database: Database, organisation: str) -> None:
        def step(work: Work) -> None:
            assert work.ask(SCOPE, {}) == [{"scope": organisation}]
            work.write(ADD, values(work) | {"registered_by": organisation})
            work.connection.execute(sa.text("SELECT 1"))
            assert work.ask(SCOPE, {}) == [{"scope": organisation}]

        def found(work: Work) -> str:
            return str(work.ask(SCOPE, {})[0]["scope"])

        try:
            for _ in range(25):
                database.transact(
                    step,
                    moment=run.moment,
                    new_id=run.ids,
                    random_bytes=run.random_bytes,
                    scope=organisation,
                )
                assert database.read(found, moment=run.moment, scope=organisation) == organisation
        except BaseException as error:
            failed.append(error)

    with (
        through(tmp_path, postgres_database, carried=carried) as one,
        through_again(one) as other,
    ):
        threads = [
            threading.Thread(target=add, args=each)
            for each in itertools.product((one, other), ORGANISATIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert run.on(one, lambda work: count(work, patient)) == 200
        with one.engine.connect() as connection:  # whichever session, nothing of the last one
            assert connection.scalar(
                sa.text("SELECT current_setting('app.organisation', true)")
            ) in (
                None,
                "",
            )


@contextmanager
def through_again(database: Database) -> Iterator[Database]:
    """The same database, as a second service has it."""
    engine = make_engine(database.engine.url.render_as_string(hide_password=False))
    try:
        yield Database(engine, AUDIT_KEY)
    finally:
        engine.dispose()


@both
def test_what_the_pooler_does_not_carry_is_never_prepared_by_name(
    postgres_database: Database, run: Run, tmp_path: Path, carried: int
) -> None:
    with through(tmp_path, postgres_database, carried=carried, sessions=1) as database:
        for _ in range(2):
            assert run.on(database, lambda work: work.ask(COUNT, {})) == [{"many": 0}]
        with database.engine.connect() as connection:
            named = connection.execute(sa.text(NAMED)).scalars().all()
    assert bool(named) is bool(carried)
    assert not any(name.startswith("assent") for name in named)  # the pooler's own names


def test_a_statement_is_called_the_same_in_every_process() -> None:
    """Else one's would be carried out in a session where another had named its own so."""
    names = {
        subprocess.run(
            [sys.executable, "-c", NAME_OF, before],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for before in ("0", "3")
    }
    assert len(names) == 1


@pytest.mark.parametrize("behind", [False, True], ids=["directly", "behind a pooler"])
def test_a_commit_waits_for_the_disk_in_whichever_session_it_is_carried_out(
    postgres_database: Database, run: Run, tmp_path: Path, behind: bool
) -> None:
    """A pooler serves a transaction from a session that the check at connecting did not see."""

    def off(database: Database) -> None:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("SET synchronous_commit = off")
            connection.commit()

    def commits(database: Database) -> list[dict[str, str]]:
        return run.on(database, lambda work: work.ask(COMMITS, {}))

    if not behind:
        postgres_database.engine.dispose()
        off(postgres_database)
        assert commits(postgres_database) == [{"commits": "on"}]
        return
    with through(tmp_path, postgres_database, sessions=1) as database:
        commits(database)  # connected, and checked
        with through_again(database) as other:
            off(other)  # in the one session that serves both
            assert commits(database) == [{"commits": "on"}]


def test_what_is_stronger_than_on_disk_here_is_left(postgres_database: Database, run: Run) -> None:
    postgres_database.engine.dispose()
    with postgres_database.engine.connect() as connection:
        connection.exec_driver_sql("SET synchronous_commit = remote_apply")
        connection.commit()
    assert run.on(postgres_database, lambda work: work.ask(COMMITS, {})) == [
        {"commits": "remote_apply"}
    ]


def test_what_needs_a_session_is_refused_and_leaves_no_lock(
    postgres_database: Database, moment: Moment, tmp_path: Path
) -> None:
    with through(tmp_path, postgres_database, sessions=1) as database:
        with pytest.raises(PooledConnection, match="an upgrade needs a session"):
            upgrade(database.engine)
        with pytest.raises(BackupRefused, match="Name PostgreSQL itself"):
            back_up(
                database,
                AUDIT_KEY,
                files=tmp_path,
                checkpoints=tmp_path,
                to=tmp_path / "backup",
                moment=moment,
            )
        with postgres_database.engine.connect() as connection:
            # The view shows the locks of every database of the cluster, other tests' upgrades too.
            held = (
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :low "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            low = UPGRADE_LOCK & 0xFFFFFFFF
            assert connection.scalar(sa.text(held), {"low": low}) == 0
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("empty_engine", ["postgres"], indirect=True)
def test_a_restore_by_a_pooler_is_refused_before_anything_is_put_back(
    postgres_database: Database,
    owned: Callable[[Database], sa.Engine],
    empty_engine: sa.Engine,
    moment: Moment,
    tmp_path: Path,
) -> None:
    backup, files, checkpoints = (tmp_path / name for name in ("backup", "files", "checkpoints"))
    directly = Database(owned(postgres_database), AUDIT_KEY)
    back_up(directly, AUDIT_KEY, files=files, checkpoints=checkpoints, to=backup, moment=moment)

    def restored(engine: sa.Engine) -> None:
        put_back(engine, Keyring.of(AUDIT_KEY), backup=backup, files=files, checkpoints=checkpoints)

    with through(tmp_path, Database(empty_engine, AUDIT_KEY)) as target:
        with pytest.raises(BackupRefused, match="Name PostgreSQL itself"):
            restored(target.engine)
        assert sa.inspect(empty_engine).get_table_names() == []
    restored(empty_engine)  # nothing but the pooler was in its way
    assert "patient" in sa.inspect(empty_engine).get_table_names()
