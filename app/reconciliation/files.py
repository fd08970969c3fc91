"""Submissions and outcomes as files, each under its organisation; opened only through this store.

A file is written beside its place, flushed to the disk and renamed, and only then named in the
database, so that a row never points at a file that is not whole. Files are known by their content:
what is stored is never written over, but by the same content where it was damaged.
"""

import datetime as dt
import hashlib
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.reconciliation.errors import StoredFileDamaged

_BLOCK = 1 << 20
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
        _make_folder(path.parent)
        # No two writers share a name: one could otherwise rename what the other has emptied.
        mark = f"{os.getpid()}-{threading.get_ident()}"
        beside = path.with_name(f"{path.name}.{mark}.part")
        try:
            _write(beside, (data,))
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return digest

    def save_file(self, organisation: str, kind: str, source: Path) -> str:
        """The same for a file elsewhere, which is copied under its SHA-256, never held whole."""
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if self.holds(organisation, kind, digest):
            return digest
        path = self._path(organisation, kind, digest)
        _make_folder(path.parent)
        beside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            with source.open("rb") as reading:
                _write(beside, iter(lambda: reading.read(_BLOCK), b""))
            if _digest_of(beside) != digest:
                raise StoredFileDamaged("not the one that was read: it changed on the way")
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return digest

    def holds(self, organisation: str, kind: str, digest: str) -> bool:
        """Whether the file known by this SHA-256 is there, whole and unaltered."""
        path = self._path(organisation, kind, digest)
        return path.exists() and _digest_of(path) == digest

    def path_of(self, organisation: str, kind: str, digest: str) -> Path:
        """Where a whole file lies, to be read and never written. Raises StoredFileDamaged."""
        if not self.holds(organisation, kind, digest):
            raise StoredFileDamaged("gone, or not the one that was stored")
        return self._path(organisation, kind, digest)

    def read(self, organisation: str, kind: str, name: str, sha256: str) -> bytes:
        """The file's bytes; StoredFileDamaged when it is gone or not the file that was stored."""
        try:
            data = self._path(organisation, kind, name).read_bytes()
        except OSError:
            raise StoredFileDamaged("gone") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoredFileDamaged("not the one that was stored")
        return data

    def digest(self, data: bytes) -> str:
        """The SHA-256 by which content is known, hex."""
        return hashlib.sha256(data).hexdigest()

    def erase(self, organisation: str, kind: str, name: str) -> None:
        """Take a file away; nothing where it is gone. For what no row of the database names."""
        self._path(organisation, kind, name).unlink(missing_ok=True)

    def erase_older(self, kind: str, than: dt.datetime) -> int:
        """Take away every organisation's files of a kind that were written before an instant."""
        erased = 0
        for path in self.folder.glob(f"*/{kind}/*"):
            try:
                if path.stat().st_mtime < than.timestamp():
                    path.unlink()
                    erased += 1
            except FileNotFoundError:
                continue
        return erased

    def _path(self, organisation: str, kind: str, name: str) -> Path:
        for part in (organisation, kind, name):
            if _SAFE.fullmatch(part) is None:
                raise ValueError("a stored file is named by letters, digits and hyphens")
        owner = organisation.replace("*", "all-organisations")
        return self.folder / owner / kind / name


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, blocks: Iterable[bytes]) -> None:
    """Write and flush to the disk; the file holds patient data, so only its owner reads it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(blocks)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each durable in the one that holds it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
