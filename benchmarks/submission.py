"""What one submission costs: processor time and Python calls, without a server or a socket.

`python -m benchmarks.submission [MILLISECONDS] [LINES]` calls the application in this process, one
submission after the other, on SQLite and on PostgreSQL, beside the bare endpoint of
`benchmarks.load`, for so many milliseconds of processor each, and prints so many lines of the
profile. Wall time on a shared machine says nothing; the least of several batches of processor time
says what the code needs, and calls, counted with cProfile, do not depend on how busy the machine
is at all. A lone caller shares no commit with others: `benchmarks.load` has many.
"""

from __future__ import annotations

import asyncio
import cProfile
import io
import itertools
import json
import logging
import os
import pstats
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from fastapi import FastAPI

from app import clock
from benchmarks import load
from benchmarks.load_bare import application
from benchmarks.load_clients import TOKEN, body_of

#: Submissions of a batch.
BATCH: Final = 60
#: Milliseconds of processor for each endpoint on each database.
SIZE: Final = 4_000
FEWEST: Final = 3
PROFILED: Final = 150


async def post(app: FastAPI, path: str, body: bytes) -> bytes:
    """One POST, as a server would hand it over; raises RuntimeError unless it answers 201."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"authorization", f"Bearer {TOKEN}".encode()),
            (b"x-request-id", str(uuid.uuid4()).encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    sent: list[dict[str, Any]] = []
    given = iter(({"type": "http.request", "body": body, "more_body": False},))

    async def receive() -> Any:
        return next(given)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    answer = b"".join(each.get("body", b"") for each in sent)
    if sent[0]["status"] != 201:
        raise RuntimeError(f"{path} answered {sent[0]['status']}: {answer[:400]!r}")
    return answer


def _cost(app: FastAPI, path: str, bodies: Iterator[bytes], size: int) -> float:
    """Milliseconds of this process's processor for a call: the least of several batches."""

    async def run() -> float:
        for _ in range(BATCH):
            await post(app, path, next(bodies))
        taken: list[float] = []
        while len(taken) < FEWEST or sum(taken) * 1000 < size:
            started = time.process_time()
            for _ in range(BATCH):
                await post(app, path, next(bodies))
            taken.append(time.process_time() - started)
        return min(taken) / BATCH * 1000

    return asyncio.run(run())


def _profile(app: FastAPI, path: str, bodies: Iterator[bytes]) -> pstats.Stats:
    """The profile of some calls, with what runs in threads run in place: cProfile sees only one."""

    async def in_place(fn: Callable[..., Any], *args: Any, **_: Any) -> Any:
        return fn(*args)

    async def run() -> pstats.Stats:
        for _ in range(BATCH):
            await post(app, path, next(bodies))
        profile = cProfile.Profile(time.process_time)
        profile.enable()
        for _ in range(PROFILED):
            await post(app, path, next(bodies))
        profile.disable()
        return pstats.Stats(profile, stream=io.StringIO())

    with mock.patch("anyio.to_thread.run_sync", in_place):
        return asyncio.run(run())


def _bodies() -> Iterator[bytes]:
    day = clock.london_day(clock.now()).isoformat()
    form = json.loads((load.ROOT / "examples/request-adalimumab-approved.json").read_text("utf-8"))
    form |= {"decision_to_treat": day, "first_dose": None}
    return (body_of("submit", form, number) for number in itertools.count(1))


@contextmanager
def _serving(owner: str, served: str) -> Iterator[FastAPI]:
    """The application on a prepared database, as `assent serve` makes it."""
    load._prepare(owner)
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "ASSENT_DEMONSTRATION": "true",
            "ASSENT_DATABASE_URL": served,
            "ASSENT_DATA_DIR": folder,
            "ASSENT_REQUESTS_PER_MINUTE": "100000000",
            "ASSENT_LOG_LEVEL": "warning",
        }
        with mock.patch.dict(os.environ, settings):
            from app.main import serving

            yield serving()


def _measure(name: str, owner: str, served: str, size: int, top: int) -> None:
    with _serving(owner, served) as app:
        logging.disable(logging.INFO)
        bodies = _bodies()
        bare = _cost(application(served), "/rows", bodies, size)
        cost = _cost(app, "/v1/requests", bodies, size)
        stats: Any = _profile(app, "/v1/requests", bodies)
        print(
            f"{name:<12}{cost:6.2f} ms of CPU, {stats.total_calls / PROFILED:8.0f} Python calls, "
            f"bare {bare:5.2f} ms, ratio {cost / bare:4.1f}",
            flush=True,
        )
        if top:
            for order in ("cumulative", "tottime"):
                stats.stream.seek(0)
                stats.stream.truncate()
                stats.sort_stats(order).print_stats(top)
                print(stats.stream.getvalue())


def run(size: int = SIZE, top: int = 0) -> int:
    """Print what a submission costs on each database. Always 0: it is the machine's."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/submission.db"
        _measure("SQLite", url, url, size, top)
    with ExitStack() as stack:
        owner, served = stack.enter_context(load._postgres())
        _measure("PostgreSQL", owner, served, size, top)
    return 0


if __name__ == "__main__":
    run(*(int(each) for each in sys.argv[1:3]))
