"""One DuckDB of the process, for small questions about files: beginning one takes longer than they.

Each question has a cursor of its own, whose tables and views nobody else sees if they are `TEMP`.
Nothing of a file is held between two questions, nothing is written to a disk, and all questions
together have so much memory. A process that is forked off begins one of its own.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock
from typing import Final

import duckdb

from app.reconciliation.engines.duckdb import Machine, begun, told_when_out

#: What all questions of a process may hold together, and how many are asked at once: others wait.
MEMORY: Final = "512MB"
AT_ONCE: Final = 8


@dataclass(slots=True)
class _Kept:
    """The process's database, once somebody has asked."""

    connection: duckdb.DuckDBPyConnection | None = None
    lock: Lock = field(default_factory=Lock)
    places: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(AT_ONCE))

    def cursor(self) -> duckdb.DuckDBPyConnection:
        with self.lock:
            if self.connection is None:
                # One thread: each question is worked out by whoever asks it.
                self.connection = begun(Machine(MEMORY, threads=1), "")
            return self.connection.cursor()

    def close(self) -> None:
        with self.lock:
            connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


_KEPT: _Kept = _Kept()
#: Of the process that this one was forked from: neither used nor closed here, as its locks may be
#: held by threads that are not here.
_OF_PARENT: Final[list[_Kept]] = []


@contextmanager
def asked() -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor for one question, closed at its end. Raises EngineRanOut."""
    kept = _KEPT
    with kept.places:
        cursor = kept.cursor()
        try:
            with told_when_out():
                yield cursor
        finally:
            cursor.close()


def _begin_anew() -> None:
    global _KEPT
    _OF_PARENT.append(_KEPT)
    _KEPT = _Kept()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(lambda: _KEPT.close())
