"""Fixtures for every test: migrated databases on SQLite and PostgreSQL, and a world that repeats.

PostgreSQL is looked for on 127.0.0.1:5432 (user postgres), or where ASSENT_TEST_POSTGRES says.
Where there is none its tests are skipped, unless CI or ASSENT_REQUIRE_POSTGRES is set.
"""

import datetime as dt
import gc
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from app.approvals import library_files
from app.db.engine import make_engine
from app.db.roles import grant
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Moment, Work
from tests.fresh import FreshPostgres
from tests.loaded import once
from tests.once import Begin, Counted, Kept, OnPostgres, OnSqlite, Store, filled
from tests.patience import tries
from tests.warm import Warm

T = TypeVar("T")
AUDIT_KEY = b"the key of the tests, which is 32 bytes or more"
ADMIN_URL = os.environ.get(
    "ASSENT_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
DIALECTS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgres", id="postgres", marks=pytest.mark.postgres),
]
# A change is judged by what it changed: Hypothesis draws the same each time, unless it is asked for
# new draws. Nor by how busy the machine is: no example has a deadline, nor is drawn too slowly.
# Before any test with settings of its own is imported.
settings.register_profile(
    "here",
    derandomize=not os.environ.get("ASSENT_NEW_DRAWS"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("here")
# Before anything that reads the library is imported.
library_files.load_library = once(library_files.load_library)
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
ABSENT = "PostgreSQL is absent at 127.0.0.1:5432: half of the database tests did NOT run"


class Transact(Protocol):
    """Runs a use case: `transact(lambda work: …)`."""

    def __call__(self, fn: Callable[[Work], T], /) -> T: ...


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the collector of cycles, which then need not walk 17,000 tests again.

    All that is made here stays until the end, and walking it while it grows was a fifth of the
    work of collecting.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


# --- a world that repeats -----------------------------------------------------------------------


@pytest.fixture
def moment() -> Moment:
    """Half past ten in London, in summer time."""
    instant = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)
    return Moment(instant, dt.date(2026, 6, 15))


@pytest.fixture
def ids() -> Counted[str]:
    """UUIDs that count up from 1; safe to draw from several threads."""
    return Counted(lambda number: f"00000000-0000-4000-8000-{number:012d}")


@pytest.fixture
def random_bytes() -> Counted[bytes]:
    """Bytes that look random, differ at each call and repeat in each test."""
    return Counted(lambda number, size: hashlib.shake_256(str(number).encode()).digest(size))


# --- databases ----------------------------------------------------------------------------------


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database with empty tables, once on SQLite and once on PostgreSQL."""
    yield from _serve(request, request.param, scratch=False)


@pytest.fixture(params=DIALECTS)
def scratch_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database of the test's own, whose schema it may spoil. Slower than `database`."""
    yield from _serve(request, request.param, scratch=True)


@pytest.fixture(params=DIALECTS)
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine on a database of the test's own without any table."""
    yield from _empty(request, request.param, tmp_path)


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """As `database`, on SQLite only."""
    yield from _serve(request, "sqlite", scratch=False)


@pytest.fixture
def postgres_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """As `database`, on PostgreSQL only."""
    yield from _serve(request, "postgres", scratch=False)


@pytest.fixture
def lay_database(_sqlite_template: Path) -> Callable[[Path], None]:
    """Lay the database of a service on SQLite in its data folder, as `assent db upgrade` does."""

    def lay(folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "assent.db"
        path.touch(mode=0o600)
        shutil.copyfile(_sqlite_template, path)

    return lay


@pytest.fixture
def transact(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> Transact:
    """`database.transact` with the fixed moment, ids and bytes."""

    def run(fn: Callable[[Work], T], /) -> T:
        return database.transact(fn, moment=moment, new_id=ids, random_bytes=random_bytes)

    return run


@pytest.fixture
def read(database: Database, moment: Moment) -> Transact:
    """`database.read` with the fixed moment."""

    def run(fn: Callable[[Work], T], /) -> T:
        return database.read(fn, moment=moment)

    return run


@pytest.fixture(scope="session")
def _kept() -> dict[tuple[str, ...], Kept]:
    """The beginnings that this process has set up."""
    return {}


@pytest.fixture(scope="session")
def _shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where their data folders are kept."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def begin(
    request: pytest.FixtureRequest,
    database: Database,
    tmp_path: Path,
    ids: Counted[str],
    random_bytes: Counted[bytes],
    _kept: dict[tuple[str, ...], Kept],
    _shelf: Path,
) -> Begin:
    """Sets up what many tests begin with, once in this process: `begin("people", set_up)`.

    The data folder is `var` in the test's `tmp_path`.
    """
    store: Store = OnSqlite(database.engine)
    if database.engine.dialect.name == "postgresql":
        store = OnPostgres(request.getfixturevalue("_postgres_urls")[0], _clean)
    return Begin(database, store, tmp_path / "var", _shelf, (ids, random_bytes), _kept)


@pytest.fixture
def owned(request: pytest.FixtureRequest) -> Callable[[Database], sa.Engine]:
    """The same database as its tables' owner has it: `owned(database)`. It may do anything."""

    def engine(database: Database) -> sa.Engine:
        if database.engine.dialect.name == "sqlite":
            return database.engine
        owner: sa.Engine = request.getfixturevalue("_postgres_urls")[0]
        return owner

    return engine


@pytest.fixture
def settle() -> Callable[[Database], None]:
    """Wait until the change feed shows all that is committed: `settle(database)`.

    The feed waits for every open transaction of PostgreSQL's whole cluster, and other tests may
    be running in another of its databases.
    """
    return _settle


def _settle(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        return
    behind = (
        "SELECT max(xid) >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM audit_event"
    )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET app.organisation = '*'")
        try:
            for _ in tries(0.01):
                if not connection.exec_driver_sql(behind).scalar():
                    return
        finally:
            connection.exec_driver_sql("RESET app.organisation")
    pytest.fail("a transaction stays open in PostgreSQL: the feed waits for it")


def _serve(request: pytest.FixtureRequest, dialect: str, *, scratch: bool) -> Iterator[Database]:
    if dialect == "sqlite":
        template: Path = request.getfixturevalue("_sqlite_template")
        path = request.getfixturevalue("tmp_path") / "assent.db"
        shutil.copy(template, path)
        engine = make_engine(f"sqlite:///{path}")
        yield Database(engine, AUDIT_KEY)
        engine.dispose()
    elif scratch:
        like: str = request.getfixturevalue("_postgres_template")
        for engine in _made(request.getfixturevalue("_postgres_admin"), like):
            yield Database(engine, AUDIT_KEY)
    else:
        _clean(request.getfixturevalue("_postgres_urls")[0])
        with request.getfixturevalue("_warm").engine() as engine:
            yield Database(engine, AUDIT_KEY)


def _empty(request: pytest.FixtureRequest, dialect: str, path: Path) -> Iterator[sa.Engine]:
    if dialect == "sqlite":
        engine = make_engine(f"sqlite:///{path / 'empty.db'}")
        yield engine
        engine.dispose()
        return
    yield from _made(request.getfixturevalue("_postgres_admin"))


def _made(admin: sa.Engine, like: str = "template1") -> Iterator[sa.Engine]:
    """A database of the test's own on PostgreSQL, like another that nobody is connected to."""
    with FreshPostgres(admin, f"assent_scratch_{os.getpid()}_{next(_SCRATCH)}", like) as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


_SCRATCH = itertools.count(1)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()  # the last connection folds the write-ahead log into the file
    return path


@pytest.fixture(scope="session")
def _postgres_admin() -> Iterator[sa.Engine]:
    engine = sa.create_engine(
        ADMIN_URL, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3}
    )
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        if os.environ.get("CI") or os.environ.get("ASSENT_REQUIRE_POSTGRES"):
            pytest.fail(f"{ABSENT}, and CI or ASSENT_REQUIRE_POSTGRES asks for them")
        pytest.skip(ABSENT)
    yield engine
    engine.dispose()


#: The role that tests on PostgreSQL run as: as in production, it owns nothing.
APPLICATION_ROLE = "assent_tests_application"


@pytest.fixture(scope="session")
def _postgres_template(_postgres_admin: sa.Engine) -> Iterator[str]:
    """The name of a migrated database to be copied: ten times as fast as the whole history."""
    with FreshPostgres(_postgres_admin, f"assent_like_{os.getpid()}_{WORKER}") as url:
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        yield engine.url.database or ""


@pytest.fixture(scope="session")
def _postgres_urls(
    _postgres_admin: sa.Engine, _postgres_template: str
) -> Iterator[tuple[sa.Engine, str]]:
    """The owner's engine and the application's URL of this worker's database."""
    name = f"assent_test_{os.getpid()}_{WORKER}"
    with FreshPostgres(_postgres_admin, name, _postgres_template) as url:
        owner = make_engine(url)
        make_application_role(_postgres_admin)
        grant(owner, APPLICATION_ROLE)
        application = owner.url.set(username=APPLICATION_ROLE, password=None)
        yield owner, application.render_as_string(hide_password=False)
        owner.dispose()


@pytest.fixture(scope="session")
def _warm(_postgres_urls: tuple[sa.Engine, str]) -> Iterator[Warm]:
    """The application's connections, which go from one test to the next."""
    warm = Warm(_postgres_urls[1])
    yield warm
    warm.close()


def make_application_role(admin: sa.Engine) -> None:
    """Make the role that tests run as, once for the cluster, whoever else is making it."""
    with admin.connect() as connection:
        connection.exec_driver_sql(
            "DO $$ BEGIN CREATE ROLE assent_tests_application LOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )


#: These tables refuse to be emptied; only the tables' owner can lift that.
GUARDED = {
    "audit_event": ("audit_event_no_change", "audit_event_no_truncate"),
    "audit_payload": ("audit_payload_only_erasure", "audit_payload_no_truncate"),
    "audit_seal": ("audit_seal_no_change", "audit_seal_no_truncate"),
    "audit_epoch": ("audit_epoch_no_change", "audit_epoch_no_truncate"),
    "policy_overlay": ("policy_overlay_no_change", "policy_overlay_no_truncate"),
    "publication": ("publication_no_change", "publication_no_truncate"),
    "policy_version": ("policy_version_no_change", "policy_version_no_truncate"),
    "slice_frozen": ("slice_frozen_no_change", "slice_frozen_no_truncate"),
    "slice_delta": ("slice_delta_no_change", "slice_delta_no_truncate"),
}


#: What is deleted stays in its pages until it is swept, and whoever looks into an empty table walks
#: past it: measured, 2 ms of a look into all tables were 20 after 120 tests with a scene.
SWEPT = 40
_CLEANED = itertools.count(1)


def _clean(engine: sa.Engine) -> None:
    """Empty the tables that a test before this one filled."""
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        statements = []
        for table in reversed(filled(connection)):
            guards = GUARDED.get(table, ())
            statements += [f"ALTER TABLE {table} DISABLE TRIGGER {each}" for each in guards]
            statements += [f'DELETE FROM "{table}"']
            statements += [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {each}" for each in guards]
        # In one journey; children go before their parents, so no row's references need a look.
        statements += ["SELECT setval('audit_event_id_seq', 1, false)"]
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("; ".join(statements))
    if len(statements) > 1 and next(_CLEANED) % SWEPT == 0:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
