"""A PostgreSQL database dumped by pg_dump, counted in the very snapshot that was dumped."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from app.backup.errors import BackupRefused, ToolFailed
from app.backup.files import digest_of, open_private
from app.backup.manifest import Contents, contents
from app.db.errors import PooledConnection
from app.db.poolers import refuse_pooled
from app.db.work import EVERYBODY, enter_scope

FILE: Final = "database.dump"
#: Owners and grants are the target's own (`assent db grant`). Where the tables' owner is no
#: superuser, row-level security holds for it too: it dumps as the service itself, see `_run`.
_DUMP: Final = ("--format=custom", "--no-owner", "--no-privileges", "--enable-row-security")
_LOAD: Final = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


def refuse_pooler(engine: sa.Engine) -> None:
    """Raises BackupRefused behind a pooler.

    The tools act for the service by a setting of their session (`_run`). A pooler that drops it
    would let a plain owner dump no row at all, and nobody would know before the restore.
    """
    try:
        with engine.connect() as connection:
            refuse_pooled(connection, "a backup or a restore")
    except PooledConnection as error:
        raise BackupRefused(str(error)) from None


def dump(engine: sa.Engine, folder: Path) -> tuple[Contents, str]:
    """Dump the database; returns what the dump holds and its SHA-256. Raises ToolFailed."""
    target = folder / FILE
    tool = _tool("pg_dump")
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.execution_options(**options).begin() as connection:
        enter_scope(connection, EVERYBODY)
        snapshot = connection.scalar(sa.select(sa.func.pg_export_snapshot()))
        held = contents(connection)
        _run(engine, [tool, *_DUMP, f"--snapshot={snapshot}"], target)
    return held, digest_of(target)


def load(folder: Path, engine: sa.Engine) -> None:
    """Load the dump, whole or not at all. The caller has checked that no table is there."""
    _run(engine, [_tool("pg_restore"), *_LOAD, str(folder / FILE)], None)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ToolFailed(
            f"{name} is not on the PATH. Install PostgreSQL's client tools, of the server's "
            "release or later, on this machine and run it again."
        )
    return found


def _run(engine: sa.Engine, command: list[str], output: Path | None) -> None:
    """Run a tool on the engine's database, acting for the service; its password stays hidden."""
    url = engine.url.set(drivername="postgresql", password=None)
    environment = {**os.environ, "PGOPTIONS": f"-c app.organisation={EVERYBODY}"}
    if engine.url.password is not None:
        environment["PGPASSWORD"] = str(engine.url.password)
    call = [*command[:1], f"--dbname={url.render_as_string()}", "--no-password", *command[1:]]
    if output is None:
        done = subprocess.run(call, env=environment, capture_output=True)
    else:
        with open_private(output) as file:
            done = subprocess.run(call, env=environment, stdout=file, stderr=subprocess.PIPE)
            os.fsync(file.fileno())
    if done.returncode:
        told = _harmless(done.stderr.decode(errors="replace"))
        name = Path(command[0]).name
        raise ToolFailed(f"{name} ended with code {done.returncode}: {told}")


def _harmless(told: str) -> str:
    """A tool's first error, without what PostgreSQL may quote from a row."""
    errors = [line for line in told.splitlines() if "error:" in line]
    if not errors:
        return "it said nothing that may be repeated here. Run it by hand."
    return errors[0].split("ERROR:")[0].strip() if "COPY" in errors[0] else errors[0]
