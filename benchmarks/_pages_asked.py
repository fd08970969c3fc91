"""Asking a page without a socket, and what each time of asking took, in the service and out of it.

The service's processor time is that of this process while one page is asked, all its threads
together. The time in the database is the clock's while the driver waits for it, so it grows with
whatever else the machine does; the processor time of its own process does not, and stands beside it
where the system tells it (Linux, PostgreSQL on this machine).
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from fastapi import FastAPI

from app.db.pipeline import Call, Pipeline

HOST: Final = b"127.0.0.1:8000"
#: One page is asked no longer than this altogether, and none of its statements explained longer.
LONGEST_SECONDS: Final = 6.0
EXPLAINED_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One time of asking, in milliseconds. `busy`: of the database's processor; None: unknown."""

    status: int
    cpu: float
    database: float
    busy: float | None
    statements: int
    body: int  # bytes


@dataclass(frozen=True, slots=True)
class Worst:
    """The statement of a page that took longest when explained: `scanned` counts rows looked at."""

    ms: float
    rows: int
    scanned: int
    buffers: int
    text: str


@dataclass(slots=True)
class Meter:
    """Asks an application, and listens to its driver."""

    application: FastAPI
    engine: sa.Engine
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    waited: float = 0.0
    #: A statement, its parameters, and what takes parameters written so.
    sent: list[tuple[Any, Any, type[psycopg.Cursor[Any]]]] = field(default_factory=list)
    backends: set[int] = field(default_factory=set)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the block runs, every wait for the database and every statement is noted."""
        wait, execute = psycopg.Connection.wait, psycopg.Cursor.execute
        carry_out = Pipeline.carry_out

        def timed(connection: Any, *given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return wait(connection, *given, **named)
            finally:
                self.waited += time.perf_counter() - started

        def noted(cursor: Any, query: Any, params: Any = None, **named: Any) -> Any:
            self.sent.append((query, params, psycopg.Cursor))
            return execute(cursor, query, params, **named)

        def together(pipeline: Pipeline, calls: Sequence[Call]) -> Any:
            self.sent.extend((each.text, each.values, psycopg.RawCursor) for each in calls)
            started = time.perf_counter()
            try:
                return carry_out(pipeline, calls)
            finally:
                self.waited += time.perf_counter() - started

        psycopg.Connection.wait = timed  # type: ignore[method-assign,assignment]
        psycopg.Cursor.execute = noted  # type: ignore[method-assign,assignment]
        Pipeline.carry_out = together  # type: ignore[method-assign]
        sa.event.listen(self.engine, "checkout", self._met)
        try:
            yield
        finally:
            psycopg.Connection.wait = wait  # type: ignore[method-assign]
            psycopg.Cursor.execute = execute  # type: ignore[method-assign]
            Pipeline.carry_out = carry_out  # type: ignore[method-assign]
            sa.event.remove(self.engine, "checkout", self._met)

    def _met(self, connection: Any, *_: Any) -> None:
        self.backends.add(connection.info.backend_pid)

    def ask(self, address: str, cookie: str) -> Asked:
        """Ask a page once."""
        self.sent.clear()
        self.waited, busy = 0.0, self._busy()
        started = time.process_time()
        status, body = self.loop.run_until_complete(_call(self.application, address, cookie))
        cpu = (time.process_time() - started) * 1000
        after = self._busy()
        used = None if after is None or busy is None else (after - busy) * 1000
        return Asked(status, cpu, self.waited * 1000, used, len(self.sent), body)

    def again(self, address: str, cookie: str, turns: int) -> list[Asked]:
        """Ask a page again and again, the first time uncounted, until it has taken too long."""
        until = time.perf_counter() + LONGEST_SECONDS
        found = [self.ask(address, cookie)]
        for _ in range(turns):
            if time.perf_counter() > until and len(found) > 1:
                break
            found.append(self.ask(address, cookie))
        return found[1:]

    def _busy(self) -> float | None:
        """Seconds of processor that the database's processes for this one have used."""
        try:
            told = [Path(f"/proc/{pid}/schedstat").read_text("ascii") for pid in self.backends]
        except OSError:
            return None
        return sum(int(each.split()[0]) for each in told) / 1e9

    def worst(self, address: str, cookie: str) -> Worst | None:
        """Of a page's statements the one that takes longest, as EXPLAIN (ANALYZE, BUFFERS) tells.

        They are sent once more in their order, within the scopes in which the page sent them.
        """
        self.ask(address, cookie)
        sent = list(self.sent)
        found: list[Worst] = []
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute(f"SET LOCAL statement_timeout = {EXPLAINED_MS}")
            for query, params, kind in sent:
                with kind(driver) as cursor:
                    text = query.decode() if isinstance(query, bytes) else str(query)
                    flat = " ".join(text.split())
                    if "set_config('app.organisation'" in flat:
                        cursor.execute(query, params)
                    elif flat.startswith(("SELECT", "WITH")) and " FROM " in flat:
                        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", params)
                        found.append(_told(cursor.fetchone()[0], flat))
            connection.rollback()
        return max(found, key=lambda each: each.ms, default=None)


def _told(explained: Any, text: str) -> Worst:
    whole = (json.loads(explained) if isinstance(explained, str) else explained)[0]
    plan = whole["Plan"]
    buffers = int(plan.get("Shared Hit Blocks", 0)) + int(plan.get("Shared Read Blocks", 0))
    return Worst(
        float(whole["Execution Time"]), int(plan["Actual Rows"]), _scanned(plan), buffers, text
    )


def _scanned(node: dict[str, Any]) -> int:
    """The rows that the scans of a plan looked at, those that they passed over included."""
    own = 0
    if "Relation Name" in node:
        each = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
        own = int(each * node.get("Actual Loops", 1))
    return own + sum(map(_scanned, node.get("Plans", ())))


async def _call(application: FastAPI, address: str, cookie: str) -> tuple[int, int]:
    """The status of a page and how many bytes it has."""
    path, _, query = address.partition("?")
    status, size = 0, 0

    sent = False

    async def receive() -> dict[str, Any]:
        """The whole request, and then nothing: whoever waits for the client to leave waits on."""
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, size
        if message["type"] == "http.response.start":
            status = message["status"]
        size += len(message.get("body", b""))

    headers = [(b"host", HOST)] + ([(b"cookie", cookie.encode())] if cookie else [])
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    await application(scope, receive, send)
    return status, size


def share(values: Iterable[float], part: float) -> float:
    """The value that so large a part of the values does not exceed, the nearest rank."""
    ordered = sorted(values)
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]
