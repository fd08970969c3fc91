"""Submissions and outcomes as files, each under its organisation; opened only through this store.

A file is written beside its place, flushed to the disk and renamed, and only then named in the
database, so that a row never points at a file that is not whole. Files are known by their content:
what is stored is never written over, but by the same content where it was damaged.
"""

import datetime as dt
import fcntl
import glob
import hashlib
import math
import os
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.reconciliation.errors import StoredFileDamaged, StoredFileEnded
from app.reconciliation.kept_answers import KeptAnswers

_BLOCK = 1 << 20
_ENDED = ".ended"
#: Of the files that were opened last: state → SHA-256.
_DIGESTS: KeptAnswers[str] = KeptAnswers(1_000)
_SAFE = re.compile(r"[A-Za-z0-9*-]{1,64}")


@dataclass(frozen=True, slots=True)
class FileStore:
    """Files below one folder, by organisation, kind and name."""

    folder: Path

    def save(self, organisation: str, kind: str, name: str, data: bytes) -> str:
        """Write a file once; the same content again changes nothing. Returns its SHA-256, hex."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(organisation, kind, name)
        if self._made_young(path) and _digest_of(path) == digest:
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
        path = self._path(organisation, kind, digest)
        if self._made_young(path) and _digest_of(path) == digest:
            return digest
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

    def put(self, organisation: str, kind: str, name: str, source: Path) -> None:
        """Copy a file elsewhere under a name of ours, in place of what lay there; never held whole.

        For what can be made again: nothing checks it but that it is whole.
        """
        path = self._path(organisation, kind, name)
        _make_folder(path.parent)
        beside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            with source.open("rb") as reading:
                _write(beside, iter(lambda: reading.read(_BLOCK), b""))
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def lies(self, organisation: str, kind: str, name: str) -> Path | None:
        """Where such a file lies, to be read and never written; None where there is none."""
        path = self._path(organisation, kind, name)
        return path if path.exists() else None

    def holds(self, organisation: str, kind: str, digest: str) -> bool:
        """Whether the file known by this SHA-256 is there, whole and unaltered."""
        path = self._path(organisation, kind, digest)
        return path.exists() and _digest_of(path) == digest

    def path_of(self, organisation: str, kind: str, digest: str) -> Path:
        """Where a whole file lies, to be read and never written. Raises StoredFileDamaged.

        Files that are opened so are large: one that the system says nobody has touched since this
        process read it whole is not read again.
        """
        path = self._path(organisation, kind, digest)
        if not path.exists() or _DIGESTS.of(state_of(path), lambda: _digest_of(path)) != digest:
            if _mark_of(path).exists():
                raise StoredFileEnded
            raise StoredFileDamaged("gone, or not the one that was stored")
        return path

    def read(self, organisation: str, kind: str, name: str, sha256: str) -> bytes:
        """The file's bytes; StoredFileDamaged when it is gone or not the file that was stored, and
        StoredFileEnded when its period is over."""
        try:
            data = self._path(organisation, kind, name).read_bytes()
        except OSError:
            if _mark_of(self._path(organisation, kind, name)).exists():
                raise StoredFileEnded from None
            raise StoredFileDamaged("gone") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoredFileDamaged("not the one that was stored")
        return data

    def open(self, organisation: str, kind: str, name: str) -> BinaryIO:
        """A file whose own contents say how it is checked. Raises StoredFileDamaged."""
        try:
            return self._path(organisation, kind, name).open("rb")
        except OSError:
            raise StoredFileDamaged("gone") from None

    def has(self, organisation: str, kind: str, name: str) -> bool:
        """Whether a file of that name is there, whatever it holds."""
        return self._path(organisation, kind, name).exists()

    def names(self, organisation: str, kind: str) -> list[str]:
        """The names of the organisation's files of a kind that are whole, in no order."""
        folder = self._path(organisation, kind, "any").parent
        return [path.name for path in folder.glob("*") if _SAFE.fullmatch(path.name)]

    def digest(self, data: bytes) -> str:
        """The SHA-256 by which content is known, hex."""
        return hashlib.sha256(data).hexdigest()

    def erase(self, organisation: str, kind: str, name: str) -> None:
        """Take a file away; nothing where it is gone. For what no row of the database names."""
        self._path(organisation, kind, name).unlink(missing_ok=True)

    def end(self, organisation: str, kind: str, name: str) -> bool:
        """Take a file away whose period is over, and leave a mark, so that its want is no damage.

        Whether it was there. The mark comes first: whoever dies in between does it over.
        """
        path = self._path(organisation, kind, name)
        mark = _mark_of(path)
        if not mark.exists():
            _make_folder(path.parent)
            _write(mark, ())
        was_there = path.exists()
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)
        return was_there

    def erase_all(self, organisation: str, kind: str, beginning: str) -> None:
        """Take away the organisation's files of a kind whose names begin so."""
        folder = self._path(organisation, kind, beginning).parent
        for path in folder.glob(f"{glob.escape(beginning)}*"):
            path.unlink(missing_ok=True)

    def erase_left(self, kind: str, beside: str, alike: int) -> int:
        """Take away the files of a kind beside which no file of another lies any longer.

        Two belong together by the first so many characters of their names.
        """
        erased = 0
        for path in self.folder.glob(f"*/{kind}/*"):
            others = (path.parent.parent / beside).glob(f"{glob.escape(path.name[:alike])}*")
            if next(others, None) is None:
                path.unlink(missing_ok=True)
                erased += 1
        return erased

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

    def older(self, kind: str, than: dt.timedelta) -> list[tuple[str, str]]:
        """Folder and name of every file of a kind that nobody has stored for so long.

        Also what a writer that was killed had not finished; not the marks of files that ended.
        """
        if not self.folder.is_dir():
            return []
        last = self._disk_time() - than.total_seconds()
        return [
            (path.parent.parent.name, path.name)
            for path in self.folder.glob(f"*/{kind}/*")
            if path.suffix != _ENDED and _changed(path) < last
        ]

    def erase_if_older(self, kind: str, owner: str, name: str, than: dt.timedelta) -> bool:
        """Take one of these away, unless somebody has stored it again meanwhile."""
        path = self.folder / owner / kind / name
        with _alone_in(self.folder, fcntl.LOCK_EX):
            if _changed(path) >= self._disk_time() - than.total_seconds():
                return False
            path.unlink(missing_ok=True)
        return True

    def _made_young(self, path: Path) -> bool:
        """Whether the file is there; it counts as stored now, so that `erase_if_older` leaves it.

        The lock lets neither come between the other's look and its act.
        """
        if not path.exists():
            return False
        with _alone_in(self.folder, fcntl.LOCK_SH):
            try:
                os.utime(path)
            except FileNotFoundError:
                return False
        return True

    def _disk_time(self) -> float:
        """What the disk takes as now, as it marks files: no other clock tells how old they are."""
        with tempfile.TemporaryFile(dir=self.folder) as probe:
            return os.fstat(probe.fileno()).st_mtime

    @staticmethod
    def owner(organisation: str) -> str:
        """The folder of an organisation's files."""
        return organisation.replace("*", "all-organisations")

    def _path(self, organisation: str, kind: str, name: str) -> Path:
        for part in (organisation, kind, name):
            if _SAFE.fullmatch(part) is None:
                raise ValueError("a stored file is named by letters, digits and hyphens")
        return self.folder / self.owner(organisation) / kind / name


def _mark_of(path: Path) -> Path:
    """What stands in the place of a file whose period is over. It holds nothing."""
    return path.with_name(f"{path.name}{_ENDED}")


def _changed(path: Path) -> float:
    """When a file was last stored, by the disk's clock; one that is gone is never old."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


@contextmanager
def _alone_in(folder: Path, how: int) -> Iterator[None]:
    """Hold the store's lock, which every process that has the folder sees."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)  # lets the lock go


def state_of(path: Path) -> tuple[Path, int, int, int, int]:
    """What changes when a file is written, replaced or altered, even if its times are set back."""
    now = path.stat()
    return path, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


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
