"""The databases that the fuzz run's worlds stand on: SQLite files, or PostgreSQL's templates.

On PostgreSQL the service runs as it does in production, as a role that owns nothing, under
row-level security; the run itself looks at the world as the tables' owner, who sees everything.
Every database is of the run's own, and goes with it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy import event

from app.db.engine import make_engine
from app.db.roles import grant
from app.db.upgrade import upgrade
from tests.conftest import ADMIN_URL, APPLICATION_ROLE, make_application_role

FILE: Final = "assent.db"


@dataclass(frozen=True)
class Engines:
    """Of one database: the service's own, and one that sees every row."""

    service: sa.Engine
    sight: sa.Engine

    def dispose(self) -> None:
        """Close every connection."""
        for engine in {self.service, self.sight}:
            engine.dispose()


class Ground(Protocol):
    """Where worlds are built and copied; `with` takes away what it made."""

    def begun(self, folder: Path) -> Engines:
        """A migrated database without rows, for the world that is copied later."""

    def copied(self, base: Path, into: Path, turn: int) -> Any:
        """A context with the engines of a copy of the world, which goes at its end."""

    def __enter__(self) -> "Ground": ...

    def __exit__(self, *_: Any) -> None: ...


class OnSqlite:
    """A file in the world's folder, copied with it."""

    def begun(self, folder: Path) -> Engines:
        engines = _of_file(folder)
        upgrade(engines.service)
        return engines

    @contextmanager
    def copied(self, base: Path, into: Path, turn: int) -> Iterator[Engines]:
        shutil.copytree(base, into)
        engines = _of_file(into)
        try:
            yield engines
        finally:
            engines.dispose()

    def __enter__(self) -> "OnSqlite":
        return self

    def __exit__(self, *_: Any) -> None:
        return


def _of_file(folder: Path) -> Engines:
    engine = make_engine(f"sqlite:///{folder / FILE}")
    # What a power cut would lose matters to tests/faults, and waiting for a disk to nobody here.
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = 0"))
    return Engines(engine, engine)


@dataclass
class OnPostgres:
    """A database that is the template of each round's own; the world's folder holds its files."""

    prefix: str = field(default_factory=lambda: f"assent_fuzz_{os.getpid()}_")

    def begun(self, folder: Path) -> Engines:
        with _admin() as admin:
            make_application_role(admin)
            _run(admin, f'CREATE DATABASE "{self.prefix}base"')
        engines = self._of("base")
        upgrade(engines.sight)
        grant(engines.sight, APPLICATION_ROLE)
        return engines

    @contextmanager
    def copied(self, base: Path, into: Path, turn: int) -> Iterator[Engines]:
        shutil.copytree(base, into)
        name = f"{turn}"
        with _admin() as admin:
            _run(admin, f'CREATE DATABASE "{self.prefix}{name}" TEMPLATE "{self.prefix}base"')
            # As with SQLite: nobody waits for the disk.
            _run(admin, f'ALTER DATABASE "{self.prefix}{name}" SET synchronous_commit = off')
        engines = self._of(name)
        try:
            yield engines
        finally:
            engines.dispose()
            with _admin() as admin:
                _run(admin, f'DROP DATABASE IF EXISTS "{self.prefix}{name}" WITH (FORCE)')

    def _of(self, name: str) -> Engines:
        url = sa.make_url(ADMIN_URL).set(database=self.prefix + name)
        own = url.set(username=APPLICATION_ROLE, password=None)
        return Engines(*(make_engine(_text(each)) for each in (own, url)))

    def __enter__(self) -> "OnPostgres":
        return self

    def __exit__(self, *_: Any) -> None:
        """Drop every database of the run, also of a round that was stopped."""
        with _admin() as admin, admin.connect() as connection:
            named = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            names = connection.exec_driver_sql(named, (self.prefix,)).scalars().all()
            for name in names:
                connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


GROUNDS: Final = {"sqlite": OnSqlite, "postgresql": OnPostgres}


@contextmanager
def _admin() -> Iterator[sa.Engine]:
    engine = sa.create_engine(ADMIN_URL, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        yield engine
    finally:
        engine.dispose()


def _run(admin: sa.Engine, statement: str) -> None:
    with admin.connect() as connection:
        connection.exec_driver_sql(statement)


def _text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)
