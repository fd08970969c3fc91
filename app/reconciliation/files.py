"""Submissions and outcomes as files, each under its organisation; opened only through this store.

A file is written beside its place, flushed to the disk and renamed, and only then named in the
database, so that a row never points at a file that is not whole. Nothing is ever overwritten.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from app.reconciliation.errors import StoredFileDamaged

_SAFE = re.compile(r"[A-Za-z0-9*-]{1,64}")


@dataclass(frozen=True, slots=True)
class FileStore:
    """Files below one folder, by organisation, kind and name."""

    folder: Path

    def save(self, organisation: str, kind: str, name: str, data: bytes) -> str:
        """Write a file once; the same content again changes nothing. Returns its SHA-256, hex."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(organisation, kind, name)
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return digest
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{digest[:12]}.part")
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
        return digest

    def read(self, organisation: str, kind: str, name: str, sha256: str) -> bytes:
        """The file's bytes; StoredFileDamaged when it is gone or not the file that was stored."""
        try:
            data = self._path(organisation, kind, name).read_bytes()
        except OSError:
            raise StoredFileDamaged("gone") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoredFileDamaged("not the one that was stored")
        return data

    def _path(self, organisation: str, kind: str, name: str) -> Path:
        for part in (organisation, kind, name):
            if _SAFE.fullmatch(part) is None:
                raise ValueError("a stored file is named by letters, digits and hyphens")
        owner = organisation.replace("*", "all-organisations")
        return self.folder / owner / kind / name


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
