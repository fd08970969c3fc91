"""Connections to PostgreSQL that go from one test to the next.

A new one takes PostgreSQL a process, which then reads what it must know of every table again:
measured, 25 ms of a processor for the connection alone, where one that is handed on takes 2.
Each test has an engine of its own, and what a test set in a session is discarded.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy import event

from app.db.engine import make_engine

#: More are closed: most tests need one or two.
KEPT = 4


class Warm:
    """Engines on one PostgreSQL database, each with the connections of the one before."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process = os.getpid()
        self._idle: list[psycopg.Connection[Any]] = []

    @contextmanager
    def engine(self) -> Iterator[sa.Engine]:
        """As `make_engine`, for one test."""
        engine = make_engine(self._url)
        event.listen(engine, "do_connect", self._connect)
        yield engine
        # The test is over. What its pool would close now is kept.
        engine.dialect.do_close = self._keep  # type: ignore[method-assign]
        engine.dispose()

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self, *_: object) -> psycopg.Connection[Any] | None:
        if (
            not self._idle or os.getpid() != self._process
        ):  # a forked child takes none of its parent's
            return None  # SQLAlchemy makes one
        return self._idle.pop()

    def _keep(self, connection: Any) -> None:
        if len(self._idle) >= KEPT or not _as_new(connection):
            connection.close()
        else:
            self._idle.append(connection)


def _as_new(connection: psycopg.Connection[Any]) -> bool:
    """Whether a connection answers, and was made as one that nobody has used."""
    if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
        return False
    try:
        connection.autocommit = True
        connection.execute("DISCARD ALL", prepare=False)
        connection.autocommit = False
        connection.read_only = connection.isolation_level = None
    except psycopg.Error:
        return False
    connection._prepared.clear()  # what the server has just forgotten
    connection._notice_handlers.clear()  # the engine's, and the next engine's comes
    return True
