"""Copies of files that only their owner may read, on disk before the copy counts."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from app.backup.errors import BackupRefused

BLOCK: Final = 1024 * 1024
#: A file of the store that is still being written has this ending.
UNFINISHED: Final = ".part"


def open_private(path: Path) -> IO[bytes]:
    """A new file that only its owner may read. Raises FileExistsError."""
    make_private(path.parent)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, that only their owner may read."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700)


def write_private(path: Path, data: bytes) -> None:
    """Write a new file and have it on disk before returning."""
    with open_private(path) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the folder's list of names on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy(source: Path, target: Path) -> str:
    """Copy one file; returns the SHA-256 of what was copied, hexadecimal."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, open_private(target) as writing:
        while block := reading.read(BLOCK):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """A file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def whole_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder that is not still being written, in order."""
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != UNFINISHED:
                yield path


def check_digests(folder: Path, files: Mapping[str, str]) -> None:
    """Raise BackupRefused for the first file that is missing or not the one that was copied."""
    for name, digest in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise BackupRefused(f"{name} is missing. Take another copy of the backup.")
        if digest_of(path) != digest:
            raise BackupRefused(f"{name} is not as it was saved. Take another copy of the backup.")
