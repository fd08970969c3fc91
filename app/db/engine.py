"""Engines for SQLite and PostgreSQL whose every connection is checked for what we rely on."""

from time import monotonic
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from app.db.errors import UnsafeConnection, UnsupportedDatabase
from app.db.pipeline import UNNAMED
from app.db.poolers import carries_statements, is_pooled
from app.db.roles import unsafe_role

#: Execution option of a connection that only reads: SQLite's write lock is not taken.
READ_ONLY = "assent_read_only"
BUSY_TIMEOUT_MS = 5_000
#: A PostgreSQL connection that lay idle for longer is asked whether it is alive before it is used.
IDLE_SECONDS = 1.0
_RETURNED = "assent returned at"

# SQLite defaults to none of these. `recursive_triggers` makes INSERT OR REPLACE fire the triggers
# that protect the audit log; `synchronous` 2 is FULL: a commit is on disk before it returns. A
# submission writes 80 pages to the log, and its last 1,000 (the default) were copied into the
# database by every twelfth. `secure_delete`: what is erased is overwritten in the file; many builds
# leave it there until the page is wanted.
PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "wal_autocheckpoint": 4_000,
    "synchronous": 2,
    "secure_delete": 1,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "busy_timeout": BUSY_TIMEOUT_MS,
    # 2 is MEMORY. The pages that a savepoint would bring back are rows of patients: in no file.
    "temp_store": 2,
}


def make_engine(url: str, *, restricted: bool = False) -> sa.Engine:
    """An engine for a `sqlite:///file` or `postgresql://` URL. Connects only when first used.

    With `restricted`, a PostgreSQL role that could pass row-level security by is refused at each
    connection (UnsafeConnection): then the database would not keep organisations apart.

    Raises UnsupportedDatabase for any other URL, and for SQLite in memory, which keeps nothing.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed)
    if backend in ("postgresql", "postgres"):
        engine = _postgres(parsed.set(drivername="postgresql+psycopg"))
        if restricted:
            event.listen(engine, "connect", _refuse_unsafe_role)
        return engine
    raise UnsupportedDatabase(
        f"The database URL names {backend}. Use sqlite:///<file> or postgresql://<host>/<name>."
    )


def _sqlite(url: URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise UnsupportedDatabase(
            "The database URL names SQLite in memory, which keeps nothing. Use sqlite:///<file>."
        )
    engine = sa.create_engine(
        url, pool_size=10, max_overflow=30, pool_timeout=30, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would open its own deferred transactions, and only before some statements.
    connection.isolation_level = None
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {value}")
    for name, value in PRAGMAS.items():
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            raise UnsafeConnection(
                f"SQLite has {name} = {found} where {value} was asked for. "
                "Put the database on a local disk with a current SQLite."
            )


def _begin_sqlite(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get(READ_ONLY, False)
    # Not PRAGMA query_only for a read: SQLite forgets a connection's prepared statements with it.
    # A write takes the write lock at once: a deferred transaction that turned into a write
    # could fail half way with a snapshot that is out of date, where waiting does not help.
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres(url: URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=10,
        max_overflow=20,
        pool_timeout=30,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        # psycopg prepares what it has sent five times, throws it away at the next ROLLBACK, which
        # ends every read, and with it whatever else the session has prepared (`pipeline`).
        connect_args={"prepare_threshold": None},
    )
    event.listen(engine, "connect", _prepare_postgres)
    event.listen(engine, "checkout", _ask_whether_alive)
    event.listen(engine, "checkin", _note_return)
    event.listen(engine, "handle_error", _drop_row_values)
    return engine


def _prepare_postgres(connection: Any, record: ConnectionPoolEntry) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        # The conditions of row-level security make the planner expect far more work than there is,
        # and compiling a page's query took 196 ms of the 198 that it ran, at 2,000,000 treatments.
        cursor.execute("SET jit = off")
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit'), "
            "pg_backend_pid()"
        )
        fsync, commit, session = cursor.fetchone()
    connection.commit()
    # Where a pooler serves the next transaction from another session, nothing of the above but the
    # time zone is sure to hold there: `Work.begin` sees to the commits of each transaction itself.
    if is_pooled(connection, session):
        record.info[UNNAMED] = not carries_statements(connection)
    if fsync != "on" or commit == "off":
        raise UnsafeConnection(
            f"PostgreSQL has fsync = {fsync} and synchronous_commit = {commit}, so a saved "
            "approval could be lost. Turn both on."
        )


def _note_return(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_RETURNED] = monotonic()


def _ask_whether_alive(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Replace a connection that was cut while it lay idle, as SQLAlchemy's own ping does.

    One that was in use a moment ago is not asked: that is a wait in every transaction.
    """
    if monotonic() - record.info.get(_RETURNED, 0.0) < IDLE_SECONDS:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg.OperationalError:
        raise InvalidatePoolError from None  # the pool makes new ones, and tries again


def _refuse_unsafe_role(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        why = unsafe_role(lambda query: cursor.execute(query, {"role": None}).fetchone())
    connection.commit()
    if why is not None:
        raise UnsafeConnection(why)


def _drop_row_values(context: ExceptionContext) -> None:
    """Cut what quotes a row, and so a patient, from PostgreSQL's message.

    DETAIL and CONTEXT quote rows; the first line of a data exception (class 22) quotes its value.
    """
    original, wrapped = context.original_exception, context.sqlalchemy_exception
    diag = getattr(original, "diag", None)
    if wrapped is None or diag is None or diag.message_primary is None:
        return
    full, primary = str(original), str(diag.message_primary)
    if str(diag.sqlstate).startswith("22"):
        primary = f"a value does not fit its column (PostgreSQL state {diag.sqlstate})"
    original.args = (primary,)
    wrapped.args = tuple(
        arg.replace(full, primary) if isinstance(arg, str) else arg for arg in wrapped.args
    )
