"""Bring a database to the current schema, through Alembic's history in `migrations/`."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationInfo, MigrationStep
from alembic.script import Script, ScriptDirectory

from app.db.engine import READ_ONLY
from app.db.errors import MigrationsMissing, ParameterRefused, UnsafeConnection, UpgradeBlocked
from app.db.poolers import refuse_pooled
from app.db.tables import schema_release
from app.db.work import EVERYBODY

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
#: Any fixed number: two processes that start together upgrade one after the other.
UPGRADE_LOCK = 7_265_384_119
#: How long a change of the schema may wait for a table on PostgreSQL: every other call that needs
#: the table queues behind it meanwhile.
LOCK_SECONDS = 10
ASKED_AGAIN_SECONDS = 0.2
LOCK_NOT_AVAILABLE = "55P03"
NOT_PERMITTED = "42501"
_EVERYBODYS: Final = sa.select(sa.func.set_config("app.organisation", EVERYBODY, False))
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


def upgrade(engine: sa.Engine, to: str = "head") -> list[str]:
    """Apply every revision that is missing, each in a transaction of its own.

    Returns those that this call applied, oldest first. What was applied stays: after a failure, or
    a process killed in between, the next call goes on from there. `to`: stop at that revision.

    Raises UpgradeBlocked, with nothing of the revision changed, where another transaction holds a
    table of PostgreSQL for too long, and ParameterRefused where the role is neither a superuser nor
    was let to set `app.organisation`. PooledConnection, before anything, behind a pooler, whose
    session would keep the lock of upgrades.
    """
    try:
        return _upgrade(engine, to)
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise UpgradeBlocked(current(engine)) from None
        if _is_about_the_parameter(error):
            owner = _quoted(engine, engine.url.username or "OWNER")
            raise ParameterRefused(owner, current(engine)) from None
        raise


def _is_about_the_parameter(error: sa.exc.DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == NOT_PERMITTED and "app.organisation" in str(
        error.orig
    )


def _quoted(engine: sa.Engine, name: str) -> str:
    """A role's name as SQL takes it."""
    return engine.dialect.identifier_preparer.quote(name)


def _upgrade(engine: sa.Engine, to: str) -> list[str]:
    config = configuration()
    script = ScriptDirectory.from_config(config)
    _make_file(engine)
    applied: list[str] = []
    with engine.connect() as connection, _alone(connection):
        before = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        config.attributes["connection"] = connection
        for each in [*script.iterate_revisions(to, before or "base")][::-1]:
            applied += _apply(config, script, each)
    return applied


def _apply(config: Config, script: ScriptDirectory, revision: Script) -> list[str]:
    """Apply one revision in a transaction of its own, unless another process did meanwhile.

    On SQLite two processes may take turns: what is there is read in the transaction that writes.
    """
    steps: list[MigrationStep] = []

    def what_is_missing(heads: Collection[str], _: MigrationContext) -> list[MigrationStep]:
        if all(head < revision.revision for head in heads):
            steps.append(MigrationStep.upgrade_from_script(script.revision_map, revision))
        return steps

    with EnvironmentContext(config, script, fn=what_is_missing):
        script.run_env()
    return [revision.revision for _ in steps]


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Hold PostgreSQL's one lock of upgrades. On SQLite each revision takes the write lock.

    Asked for again and again, never waited for: a session that waits in a statement keeps a
    snapshot, and an index made CONCURRENTLY by who holds the lock waits for that to go.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    asked = sa.select(sa.func.pg_try_advisory_lock(UPGRADE_LOCK))
    refuse_pooled(connection, "an upgrade")
    try:
        while not connection.scalar(asked):
            connection.rollback()
            time.sleep(ASKED_AGAIN_SECONDS)
        # Only now: another process's whole upgrade is waited for, however long it takes.
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        # Row-level security holds for a plain owner too: what works on rows works on everybody's.
        connection.execute(_EVERYBODYS)
        connection.commit()
        yield
    finally:
        connection.invalidate()  # the session ends, and with it the lock and the setting


def keep_release(*, ctx: MigrationContext, step: MigrationInfo, **_: object) -> None:
    """Keep, for services of an earlier release, which of them may go on with the new schema.

    Called by Alembic in the revision's own transaction. A revision that only adds says so by
    `oldest`, the oldest release that goes on beside it; one that says nothing ends every earlier
    one.
    """
    revision = step.up_revision
    if not isinstance(revision, Script) or revision.revision < FIRST_TOLD:
        return
    assert ctx.connection is not None  # a revision is applied to a database, never printed
    oldest = getattr(revision.module, "oldest", revision.revision)
    row = {"revision": revision.revision, "oldest": oldest}
    ctx.connection.execute(sa.insert(schema_release).values(row))


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
