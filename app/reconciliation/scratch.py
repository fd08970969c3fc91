"""Folders for what a run lays by on the disk, swept once the process that made them has died.

What lies there is patients' data: lines, and what the engine spills. Each folder is held by a lock
that its process keeps and that no killed process can; whoever makes the next folder takes away
those that nobody holds.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

_LOCK = "held"
_FOLDER = "runs"  # the folder of them: what others lay beside it is not swept


@contextmanager
def scratch(below: Path) -> Iterator[Path]:
    """A folder of its own that only its owner reads; it is gone when the block ends."""
    below.mkdir(mode=0o700, parents=True, exist_ok=True)
    below = below / _FOLDER
    below.mkdir(mode=0o700, exist_ok=True)
    with _locked(below / _LOCK):  # or a sweep could come between a folder and its lock
        sweep(below)
        folder = Path(mkdtemp(dir=below))
        holding = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(holding, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(holding)


def sweep(below: Path) -> None:
    """Take away the folders whose processes are gone."""
    for folder in below.iterdir():
        if folder.is_dir() and _is_left(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return True  # its process died while it made it or took it away
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
