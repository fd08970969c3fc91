"""Every connection is checked for durability; messages never quote a row."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.db import engine as engine_module
from app.db.engine import make_engine
from app.db.errors import UnsafeConnection, UnsupportedDatabase
from app.db.transaction import Database
from app.db.upgrade import head, not_ready, upgrade
from app.db.work import Moment
from tests.conftest import Transact
from tests.integration.db.rows import TEST_NUMBER, add_patient
from tests.integration.db.run import Run

PID = sa.text("SELECT pg_backend_pid()")


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("recursive_triggers", 1),
        ("busy_timeout", 5000),
    ],
)
def test_every_sqlite_connection_of_the_pool_has_the_pragma(
    sqlite_database: Database, pragma: str, expected: object
) -> None:
    opened = [sqlite_database.engine.raw_connection() for _ in range(4)]
    found = [c.cursor().execute(f"PRAGMA {pragma}").fetchone() for c in opened]
    assert found == [(expected,)] * 4
    for connection in opened:
        connection.close()


def test_a_sqlite_connection_without_a_pragma_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine_module.PRAGMAS, "synchronous", 7)
    with pytest.raises(UnsafeConnection, match="synchronous"):
        make_engine(f"sqlite:///{tmp_path / 'a.db'}").connect()


def test_a_postgresql_that_would_lose_commits_by_its_settings_is_put_right(
    empty_engine: sa.Engine,
) -> None:
    if empty_engine.dialect.name != "postgresql":
        pytest.skip("SQLite's counterpart is the pragma synchronous")
    name = empty_engine.url.database
    with empty_engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kathmandu'")
    empty_engine.dispose()
    with empty_engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"
        assert connection.exec_driver_sql("SHOW jit").scalar() == "off"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql+pymysql://h/d"])
def test_a_database_that_the_service_does_not_run_on_is_refused(url: str) -> None:
    with pytest.raises(UnsupportedDatabase, match=r"Use sqlite:///<file>"):
        make_engine(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_spelling_of_a_postgresql_url_uses_psycopg_3(scheme: str) -> None:
    engine = make_engine(f"{scheme}://someone@127.0.0.1:1/nowhere")
    assert engine.driver == "psycopg"
    assert "does not answer" in str(not_ready(engine))


def test_a_database_is_not_ready_before_its_upgrade_and_ready_after(
    empty_engine: sa.Engine,
) -> None:
    assert not_ready(empty_engine) == (
        f"The database is at revision None, the service at {head()}. Upgrade it."
    )
    upgrade(empty_engine)
    assert not_ready(empty_engine) is None


def test_a_new_sqlite_file_and_its_log_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "assent.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
        modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in path.parent.iterdir()}
    assert modes["assent.db"] == 0o600
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    engine.dispose()


def test_an_error_never_quotes_the_row_it_is_about(transact: Transact) -> None:
    transact(lambda work: add_patient(work, TEST_NUMBER))
    with pytest.raises(sa.exc.IntegrityError) as raised:
        transact(lambda work: add_patient(work, TEST_NUMBER))
    assert "nhs_number" in str(raised.value)
    assert TEST_NUMBER not in f"{raised.value} {raised.value.orig} {raised.value!r}"


def test_a_value_that_does_not_fit_is_not_quoted(
    postgres_database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> None:
    with pytest.raises(sa.exc.DataError) as raised:
        postgres_database.transact(
            lambda work: work.connection.execute(sa.text("SELECT '31/02/1980'::date")),
            moment=moment,
            new_id=ids,
            random_bytes=random_bytes,
        )
    assert str(raised.value.orig) == "a value does not fit its column (PostgreSQL state 22008)"


def test_a_connection_that_was_cut_while_it_lay_idle_is_replaced_before_it_is_used(
    postgres_database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.engine.IDLE_SECONDS", 0.0)
    pid = run.on(postgres_database, lambda work: work.connection.scalar(PID))
    with sa.create_engine(postgres_database.engine.url).connect() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    assert run.on(postgres_database, lambda work: work.connection.scalar(PID)) != pid
