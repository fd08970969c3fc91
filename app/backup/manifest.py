"""The manifest: what a backup holds, signed with the audit key, and written last.

Without it there is no backup. `assent restore` holds the database and every file against it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from app.audit.keys import Keyring, key_id
from app.audit.seal import canonical, mac, signed_with
from app.backup.errors import BackupRefused
from app.backup.files import write_private
from app.db.tables import audit_seal

NAME: Final = "manifest.json"
FORMAT: Final = 1
#: Tables that are no part of the metadata but of the database.
_NOT_COUNTED: Final = frozenset({"alembic_version", "sqlite_sequence"})


@dataclass(frozen=True, slots=True)
class Contents:
    """What one snapshot of a database holds."""

    schema_revision: str | None
    rows: Mapping[str, int]  # by table
    newest_seal: Mapping[str, Any] | None  # number, epoch, hash


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup: when it was made, of what, and the SHA-256 of each of its files."""

    format: int
    made_at: str  # UTC, ISO 8601: everything committed before it is in the backup
    database: str  # sqlite | postgresql
    schema_revision: str | None
    rows: Mapping[str, int]
    newest_seal: Mapping[str, Any] | None
    files: Mapping[str, str]  # path below the backup's folder → SHA-256, hexadecimal


def contents(connection: sa.Connection) -> Contents:
    """Count every table in the connection's transaction. On PostgreSQL, enter a scope first."""
    names = sorted(set(sa.inspect(connection).get_table_names()) - _NOT_COUNTED)
    rows = {
        name: int(connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0)
        for name in names
    }
    revision = MigrationContext.configure(connection).get_current_revision()
    return Contents(revision, rows, _newest_seal(connection) if audit_seal.name in rows else None)


def _newest_seal(connection: sa.Connection) -> dict[str, Any] | None:
    c = audit_seal.c
    query = sa.select(c.number, c.epoch, c.hash).order_by(c.number.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def write(folder: Path, manifest: Manifest, audit_key: bytes) -> None:
    """Sign the manifest and have it on disk before returning."""
    statement = asdict(manifest)
    signed = {
        **statement,
        "key_id": key_id(audit_key),
        "signature": mac(canonical(statement), audit_key),
    }
    write_private(folder / NAME, json.dumps(signed, indent=1, sort_keys=True).encode())


def read(folder: Path, keys: Keyring) -> Manifest:
    """The backup's manifest, its signature checked. Raises BackupRefused."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        manifest = Manifest(**{each.name: found[each.name] for each in fields(Manifest)})
        named, signature = found["key_id"], found["signature"]
        statement = canonical(asdict(manifest))
    except FileNotFoundError:
        raise BackupRefused(
            f"There is no {NAME} in the folder, so it is no backup, or one that did not end. "
            "Take the backup before it."
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupRefused(f"{NAME} cannot be read. Take another copy of the backup.") from None
    if manifest.format != FORMAT:
        raise BackupRefused("The backup is of another release's format. Restore with that release.")
    if not signed_with(statement, signature, keys.candidates(named)):
        raise BackupRefused(
            f"{NAME} is not as it was signed, or signed with another audit key. Set "
            "ASSENT_AUDIT_KEY to the key of the day of the backup (a later key may be in use: name "
            "the old one in ASSENT_AUDIT_KEYS_RETIRED), or take another copy of the backup."
        )
    return manifest
