"""A SQLite database copied while the service writes to it, by SQLite's online backup."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import sqlalchemy as sa

from app.backup.errors import BackupRefused
from app.backup.files import copy, digest_of, make_private, open_private
from app.backup.manifest import Contents, contents

FILE: Final = "database.sqlite"


def dump(engine: sa.Engine, folder: Path) -> tuple[Contents, str]:
    """Copy the database; returns what the copy holds and its SHA-256.

    One step of SQLite's backup reads one snapshot; writers go on meanwhile (write-ahead log).
    """
    source, target = Path(engine.url.database or ""), folder / FILE
    if not source.is_file():
        raise BackupRefused(f"There is no database at {source}. Check ASSENT_DATABASE_URL.")
    open_private(target).close()
    with (
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=rw", uri=True)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode = delete")  # one file, without a log beside it
    copied = sa.create_engine(f"sqlite:///{target}")
    try:
        with copied.connect() as connection:
            held = contents(connection)
    finally:
        copied.dispose()
    return held, digest_of(target)


def load(folder: Path, engine: sa.Engine) -> None:
    """Put the copy where the engine's database shall be. The caller has checked that none is."""
    target = Path(engine.url.database or "")
    make_private(target.parent)
    for stale in (target, *(target.with_name(f"{target.name}{end}") for end in ("-wal", "-shm"))):
        stale.unlink(missing_ok=True)  # an empty file, or what an empty one left behind
    copy(folder / FILE, target)


def damage(connection: sa.Connection) -> list[str]:
    """What SQLite itself finds wrong: with its pages, and with references between rows."""
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
    faults = [] if found == ["ok"] else ["SQLite's integrity check fails: the file is damaged"]
    broken: dict[str, int] = {}
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        broken[row[0]] = broken.get(row[0], 0) + 1
    return faults + [
        f"{table}: {n} rows refer to rows that are not there" for table, n in broken.items()
    ]
