"""Putting a backup back into an empty database and empty folders, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from app.audit import checkpoints as kept
from app.audit.keys import Keyring
from app.backup import manifest, postgres, sqlite
from app.backup.errors import BackupRefused
from app.backup.files import check_digests, copy, whole_files
from app.backup.manifest import Manifest, contents
from app.backup.take import FILES
from app.db.upgrade import configuration, upgrade
from app.db.work import EVERYBODY, enter_scope


@dataclass(frozen=True, slots=True)
class PutBack:
    """What was put back: rows that differ from the manifest, revisions applied since."""

    manifest: Manifest
    faults: tuple[str, ...]
    upgraded: tuple[str, ...]
    #: Where checkpoints that were there already lie now, and the newest seal that they tell of.
    moved_to: Path | None
    sealed_before: int


def put_back(
    engine: sa.Engine, keys: Keyring, *, backup: Path, files: Path, checkpoints: Path
) -> PutBack:
    """Restore the backup, then bring it to this release's schema.

    Raises BackupRefused before anything is changed: for a target that is not empty, a backup that
    is damaged, of another database, or newer than this release; ToolFailed when pg_restore fails.
    """
    made = manifest.read(backup, keys)
    _check_fits(made, engine, files)
    check_digests(backup, made.files)
    sealed_before = kept.last_kept(checkpoints)
    moved_to = _put_files_back(made, backup, files, checkpoints)
    by = sqlite if made.database == "sqlite" else postgres
    engine.dispose()  # SQLite's file is about to be another
    by.load(backup, engine)
    faults = _differences(engine, made)
    return PutBack(made, faults, tuple(upgrade(engine)), moved_to, sealed_before)


def _check_fits(made: Manifest, engine: sa.Engine, files: Path) -> None:
    if made.database != engine.dialect.name:
        raise BackupRefused(
            f"The backup is of {made.database}, and ASSENT_DATABASE_URL names "
            f"{engine.dialect.name}. Name a database of the same kind."
        )
    known = {
        each.revision for each in ScriptDirectory.from_config(configuration()).walk_revisions()
    }
    if made.schema_revision not in known:
        raise BackupRefused(
            f"The backup's schema is {made.schema_revision}, which this release does not know. "
            "Restore it with the release that made it, or a later one."
        )
    if engine.dialect.name != "sqlite":
        postgres.refuse_pooler(engine)
    if _has_tables(engine):
        raise BackupRefused(
            "The database that ASSENT_DATABASE_URL names holds tables. A restore overwrites "
            "nothing: name a new, empty database."
        )
    if any(whole_files(files)):
        raise BackupRefused(
            f"{files} holds files. A restore overwrites nothing: set ASSENT_DATA_DIR to a "
            "new folder."
        )


def _has_tables(engine: sa.Engine) -> bool:
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
        return False
    return bool(sa.inspect(engine).get_table_names())


def _put_files_back(made: Manifest, backup: Path, files: Path, checkpoints: Path) -> Path | None:
    """Copy the files and the checkpoints; what the folder of checkpoints holds is set aside.

    Those tell of seals that the backup may not hold, and so prove what is lost: never overwritten.
    """
    for name in made.files:
        if name.startswith(f"{FILES}/"):
            copy(backup / name, files / name.removeprefix(f"{FILES}/"))
    there, aside = checkpoints / kept.FILE, None
    if there.is_file():
        aside = next(
            path
            for number in range(1, 1_000)
            if not (path := checkpoints / f"before-restore-{number}-{kept.FILE}").exists()
        )
        there.rename(aside)
    if kept.FILE in made.files:
        copy(backup / kept.FILE, there)
    return aside


def _differences(engine: sa.Engine, made: Manifest) -> tuple[str, ...]:
    """Each table whose number of rows is not the manifest's."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            enter_scope(connection, EVERYBODY)
        found = contents(connection)
    faults = [
        f"{name}: {found.rows.get(name, 0)} rows, where the backup had {made.rows.get(name, 0)}"
        for name in sorted({*found.rows, *made.rows})
        if found.rows.get(name) != made.rows.get(name)
    ]
    if found.newest_seal != made.newest_seal:
        faults.append("the newest seal of the audit log is not the one that the backup had")
    return tuple(faults)
