"""Where the processor time of a submission goes, part by part, by sampling.

`python -m benchmarks.submission_parts [MILLISECONDS]` submits as `benchmarks.submission` does, for
so many milliseconds of processor on each database, and looks where the code is each time that
another few milliseconds of processor have gone by: no instrument slows one part more than another,
as `cProfile` slows what is written in Python. What runs in threads runs in place, so a change of
thread is not in it; `benchmarks.load` has that. It takes turns with the bare endpoint.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from types import FrameType
from typing import Any, Final
from unittest import mock

from fastapi import FastAPI

from benchmarks import load
from benchmarks.load_bare import application
from benchmarks.submission import BATCH, _bodies, _serving, post

#: Milliseconds of processor for the submissions of each database.
SIZE: Final = 10_000
EVERY_SECONDS: Final = 0.001
#: The end of a file's name and a function's name (empty: any) → the part that it belongs to. The
#: first frame from the inside that is listed tells.
PARTS: Final = (
    ("app/db/statements.py", "bound", "statements: their values"),
    ("app/db/statements.py", "rows", "statements: their answers"),
    ("app/db/statements.py", "", "statements: sending and waiting"),
    ("app/db/pipeline.py", "_value", "statements: their values"),
    ("app/db/pipeline.py", "rows", "statements: their answers"),
    ("app/db/pipeline.py", "", "statements: sending and waiting"),
    ("app/db/work.py", "", "statements: sending and waiting"),
    ("sqlalchemy/pool/", "", "begin, commit, pool"),
    ("sqlalchemy/engine/", "", "begin, commit, pool"),
    ("app/db/engine.py", "", "begin, commit, pool"),
    ("app/db/sharing.py", "", "begin, commit, pool"),
    ("app/db/transaction.py", "", "begin, commit, pool"),
    ("app/audit/seal.py", "", "audit: canonical text, digests, HMAC"),
    ("app/audit/", "", "audit: rows and places"),
    ("app/db/idempotency.py", "", "idempotency"),
    ("app/policy/", "", "the policy's decision and its findings"),
    ("app/auth/", "", "the token and the caller"),
    ("app/api/callers.py", "", "the token and the caller"),
    ("app/api/security.py", "", "the token and the caller"),
    ("app/api/limits.py", "", "the token and the caller"),
    ("app/api/strict_json.py", "", "reading and checking the form"),
    ("app/api/request_bodies.py", "", "reading and checking the form"),
    ("app/api/direct.py", "", "reading and checking the form"),
    ("app/api/types.py", "", "reading and checking the form"),
    ("app/approvals/answering.py", "", "reading and checking the form"),
    ("app/api/requests_model.py", "", "the answer's document and text"),
    ("app/api/decisions_model.py", "", "the answer's document and text"),
    ("app/api/documents.py", "", "the answer's document and text"),
    ("app/api/approvals_model.py", "", "the answer's document and text"),
    ("app/api/treatments_model.py", "", "the answer's document and text"),
    ("app/api/steps.py", "", "the answer's document and text"),
    ("app/api/writing.py", "_stored", "the answer's document and text"),
    ("app/approvals/", "", "rules and rows of the submission"),
    ("app/api/", "", "HTTP: middleware, routing, reply"),
    ("fastapi/", "", "HTTP: middleware, routing, reply"),
    ("starlette/", "", "HTTP: middleware, routing, reply"),
)
ELSEWHERE: Final = "elsewhere"


def part_of(frame: FrameType | None) -> str:
    """The part that a stack is in."""
    while frame is not None:
        found = _listed(frame.f_code.co_filename, frame.f_code.co_name)
        if found is not None:
            return found
        frame = frame.f_back
    return ELSEWHERE


_known: dict[tuple[str, str], str | None] = {}


def _listed(file: str, name: str) -> str | None:
    key = (file, name)
    if key not in _known:
        fits = (part for where, what, part in PARTS if where in file and what in ("", name))
        _known[key] = next(fits, None)
    return _known[key]


def _sampled(app: FastAPI, path: str, bodies: Iterator[bytes], size: int) -> tuple[float, Any]:
    """Milliseconds of processor for a call, and how many samples fell into each part."""
    seen: Counter[str] = Counter()

    def look(_signal: int, frame: FrameType | None) -> None:
        seen[part_of(frame)] += 1

    async def in_place(fn: Any, *args: Any, **_: Any) -> Any:
        return fn(*args)

    async def run() -> float:
        started, count = time.process_time(), 0
        while time.process_time() - started < size / 1000:
            for _ in range(BATCH):
                await post(app, path, next(bodies))
            count += BATCH
        return (time.process_time() - started) / count * 1000

    with mock.patch("anyio.to_thread.run_sync", in_place):
        asyncio.run(post_some(app, path, bodies))
        before = signal.signal(signal.SIGPROF, look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
        try:
            return asyncio.run(run()), seen
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)


async def post_some(app: FastAPI, path: str, bodies: Iterator[bytes]) -> None:
    """A batch that only warms everything up."""
    for _ in range(BATCH):
        await post(app, path, next(bodies))


def _measure(name: str, owner: str, served: str, size: int) -> None:
    with _serving(owner, served) as app:
        logging.disable(logging.INFO)
        bodies, bare = _bodies(), application(served)
        yardstick, costs, seen = [], [], Counter[str]()
        for _ in itertools.repeat(None, 5):
            yardstick.append(_sampled(bare, "/rows", bodies, size // 20)[0])
            cost, found = _sampled(app, "/v1/requests", bodies, size // 5)
            costs.append(cost)
            seen += found
        least, lowest = min(costs), min(yardstick)
        print(f"{name}: {least:.2f} ms of CPU, bare {lowest:.2f}, ratio {least / lowest:.1f}")
        for part, count in seen.most_common():
            share = count / seen.total()
            print(f"  {part:<42}{share * least:6.2f} ms{share:7.0%}", flush=True)


def run(size: int = SIZE) -> int:
    """Print the parts on each database. Always 0: they are the machine's."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/submission.db"
        _measure("SQLite", url, url, size)
    with ExitStack() as stack:
        owner, served = stack.enter_context(load._postgres())
        _measure("PostgreSQL", owner, served, size)
    return 0


if __name__ == "__main__":
    run(*(int(each) for each in sys.argv[1:2]))
