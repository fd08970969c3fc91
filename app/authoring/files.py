"""Reads an author's own files, with plain words where one cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.authoring.errors import BenchRefused
from app.policy import PolicyVersion, load_policy

MOST_BYTES = 16 * 1024 * 1024


def read_text(path: Path) -> str:
    """A file's text; BenchRefused where there is none or it is not UTF-8."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BenchRefused(f"{path}: the file is over 16 MB. Give a smaller one.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BenchRefused(f"{path}: there is no such file. Check the path.") from None
    except (OSError, UnicodeDecodeError):
        raise BenchRefused(
            f"{path}: cannot be read as a text file in UTF-8. Save it as UTF-8, or check the path."
        ) from None


def load_file(
    path: Path, library: Path, drug_keys: Mapping[str, frozenset[str]] | None
) -> PolicyVersion:
    """Load one policy file, wherever it lies; `library` holds the shared questions.

    Raises BenchRefused where it cannot be read, and PolicyFileFaults with every fault.
    """
    del library  # no question is shared yet
    return load_policy(read_text(path), str(path), drug_keys)
