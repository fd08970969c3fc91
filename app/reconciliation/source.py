"""The bytes of a file, in memory or on a disk: read as often as needed, never held whole."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes where they lie. Build with `in_memory` or `on_disk`."""

    size: int
    data: bytes = b""
    path: Path | None = None

    def open(self) -> io.BufferedIOBase:
        """The bytes from the first on; close it."""
        return io.BytesIO(self.data) if self.path is None else self.path.open("rb")

    def head(self, count: int) -> bytes:
        """The first bytes."""
        with self.open() as file:
            return file.read(count)

    def read(self) -> bytes:
        """All the bytes: only where their number is known to be small."""
        with self.open() as file:
            return file.read()

    def sha256(self) -> str:
        """The SHA-256 of the bytes, hexadecimal."""
        with self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def in_memory(data: bytes) -> Source:
    """Bytes that are there."""
    return Source(len(data), data)


def on_disk(path: Path) -> Source:
    """A file that nobody changes while it is read. Raises OSError."""
    return Source(path.stat().st_size, path=path)
