"""Bring a database to the current schema, through Alembic's history in `migrations/`."""

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from app.db.engine import READ_ONLY
from app.db.errors import MigrationsMissing, ParameterRefused, UnsafeConnection, UpgradeBlocked
from app.db.tables import schema_release

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
#: Any fixed number: two processes that start together upgrade one after the other.
UPGRADE_LOCK = 7_265_384_119
#: How long a change of the schema may wait for a table on PostgreSQL: every other call that needs
#: the table queues behind it meanwhile.
LOCK_SECONDS = 10
LOCK_NOT_AVAILABLE = "55P03"
NOT_PERMITTED = "42501"
#: The first revision with the table that says which earlier releases may go on.
FIRST_TOLD = "0053"


def configuration() -> Config:
    """Alembic's configuration, without a file. Raises MigrationsMissing."""
    if not (MIGRATIONS / "env.py").is_file():
        raise MigrationsMissing(
            f"There is no env.py in {MIGRATIONS}. Run the service from a complete copy of it."
        )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: sa.Engine) -> list[str]:
    """Apply every revision that is missing, in one transaction; returns them, oldest first.

    Raises UpgradeBlocked, with nothing changed, where another transaction holds a table of
    PostgreSQL for longer than LOCK_SECONDS, and ParameterRefused where the role is neither a
    superuser nor was let to set `app.organisation`.
    """
    try:
        return _upgrade(engine)
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise UpgradeBlocked(LOCK_SECONDS) from None
        if _is_about_the_parameter(error):
            raise ParameterRefused(_quoted(engine, engine.url.username or "OWNER")) from None
        raise


def _is_about_the_parameter(error: sa.exc.DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == NOT_PERMITTED and "app.organisation" in str(
        error.orig
    )


def _quoted(engine: sa.Engine, name: str) -> str:
    """A role's name as SQL takes it."""
    return engine.dialect.identifier_preparer.quote(name)


def _upgrade(engine: sa.Engine) -> list[str]:
    config = configuration()
    script = ScriptDirectory.from_config(config)
    _make_file(engine)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            # Only now: another process's whole upgrade is waited for, however long it takes.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        before = MigrationContext.configure(connection).get_current_revision()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        missing = [*script.iterate_revisions("head", before or "base")][::-1]
        _say_who_may_go_on(connection, missing)
    return [revision.revision for revision in missing]


def _say_who_may_go_on(connection: sa.Connection, applied: Sequence[Script]) -> None:
    """Keep, for services of an earlier release, which of them may go on with the new schema.

    A revision that only adds says so by `oldest`, the oldest release that goes on beside it; one
    that says nothing ends every earlier one.
    """
    rows = [
        {"revision": each.revision, "oldest": getattr(each.module, "oldest", each.revision)}
        for each in applied
        if each.revision >= FIRST_TOLD
    ]
    if rows:
        connection.execute(sa.insert(schema_release), rows)


def current(engine: sa.Engine) -> str | None:
    """The revision that the database is at; None before the first upgrade."""
    # Reading: a health check must not queue for SQLite's write lock.
    with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """The revision that this copy of the service expects."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def not_ready(engine: sa.Engine) -> str | None:
    """Why the database cannot serve yet, for a readiness check; None when it can."""
    expected = head()
    try:
        # Reading: a health check must not queue for SQLite's write lock.
        with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            if goes_on(connection, found, expected):
                return None
    except sa.exc.OperationalError:
        return "The database does not answer. It may be starting: check that it runs."
    except UnsafeConnection as unsafe:
        return str(unsafe)
    return f"The database is at revision {found}, the service at {expected}. Upgrade it."


def goes_on(connection: sa.Connection, found: str | None, expected: str | None) -> bool:
    """Whether a service of the revision `expected` goes on with a database at `found`.

    Every revision in between must say that it does.
    """
    if found is None or expected is None or not FIRST_TOLD <= expected < found:
        return found is not None and found == expected
    later = schema_release.c.revision > expected
    rows = connection.execute(sa.select(schema_release).where(later)).all()
    # Without the row of the revision that the database is at, nothing is known of it.
    return any(row.revision == found for row in rows) and all(r.oldest <= expected for r in rows)


def _make_file(engine: sa.Engine) -> None:
    """Make SQLite's file, readable by its owner alone, and its folder: it will hold patients."""
    if engine.dialect.name != "sqlite" or engine.url.database is None:
        return
    path = Path(engine.url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
