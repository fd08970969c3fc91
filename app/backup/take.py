"""Taking a backup: first the checkpoints, then the database, then the files.

In that order each part holds no more than the next needs: a checkpoint is written after its seal
was committed, and a row names a file only once the file is whole. So the service may go on.
"""

from pathlib import Path
from typing import Final

from app.audit.checkpoints import FILE as CHECKPOINTS
from app.backup import manifest, postgres, sqlite
from app.backup.errors import BackupRefused
from app.backup.files import copy, digest_of, make_private, whole_files, write_private
from app.backup.manifest import FORMAT, Manifest
from app.db.transaction import Database
from app.db.work import Moment

FILES: Final = "files"


def back_up(
    database: Database,
    audit_key: bytes,
    *,
    files: Path,
    checkpoints: Path,
    to: Path,
    moment: Moment,
) -> Manifest:
    """Back the database, its files and its checkpoints up into `to`, a new or empty folder.

    Raises BackupRefused, or ToolFailed; what was written by then is no backup, for want of a
    manifest.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BackupRefused(f"{to} is not empty. Name a folder that is not there yet.")
    if database.engine.dialect.name != "sqlite":
        postgres.refuse_pooler(database.engine)
    make_private(to)
    to.chmod(0o700)
    digests: dict[str, str] = {}
    if _copy_whole_lines(checkpoints / CHECKPOINTS, to / CHECKPOINTS):
        digests[CHECKPOINTS] = digest_of(to / CHECKPOINTS)
    kind = database.engine.dialect.name
    by = sqlite if kind == "sqlite" else postgres
    held, digests[by.FILE] = by.dump(database.engine, to)
    if held.schema_revision is None:
        raise BackupRefused("The database has no schema of this service: check its URL.")
    for path in whole_files(files):
        name = f"{FILES}/{path.relative_to(files).as_posix()}"
        digests[name] = copy(path, to / name)
    made = Manifest(
        FORMAT,
        moment.instant.isoformat(),
        kind,
        held.schema_revision,
        held.rows,
        held.newest_seal,
        digests,
    )
    manifest.write(to, made, audit_key)
    return made


def _copy_whole_lines(source: Path, target: Path) -> bool:
    """Copy a file of lines but for one that is still being written; False where there is none."""
    if not source.is_file():
        return False
    data = source.read_bytes()
    write_private(target, data[: data.rfind(b"\n") + 1])
    return True
