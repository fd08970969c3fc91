"""The clients of `benchmarks.load`, in a process of their own: so many at once, for so long."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
import uuid
from typing import Any

from app.reference_data.nhs_number import test_number as invented_nhs_number

TOKEN = "load-benchmark-clinician"


def body_of(kind: str, form: dict[str, Any], number: int) -> bytes:
    """What is sent: a new patient's form, or a search by the hospital number of one before it."""
    local_id = f"L{number:09d}"
    if kind == "search":
        return json.dumps({"local_id": local_id}).encode()
    patient = form["patient"] | {"nhs_number": invented_nhs_number(number), "local_id": local_id}
    return json.dumps(form | {"patient": patient}).encode()


async def send(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str, body: bytes
) -> tuple[int, bytes]:
    """One POST over a kept connection: its status and its body."""
    reader, writer = streams
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"X-Request-ID: {uuid.uuid4()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    status = int((await reader.readline()).split()[1])
    length = 0
    while (line := await reader.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, await reader.readexactly(length)


async def client(job: dict[str, Any], numbers: Any, until: float, taken: list[float]) -> None:
    """One client: a call as soon as the one before it is answered. Any refusal is an error."""
    streams = await asyncio.open_connection("127.0.0.1", job["port"])
    while time.perf_counter() < until:
        body = body_of(job["kind"], job["form"], next(numbers))
        started = time.perf_counter()
        status, answer = await send(streams, job["path"], body)
        taken.append(time.perf_counter() - started)
        if status not in (200, 201) or (job["kind"] == "submit" and b'"approved"' not in answer):
            raise RuntimeError(f"{job['path']} answered {status}: {answer[:400]!r}")
    streams[1].close()


async def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Run the clients of a job; seconds that passed, and those of each call."""
    numbers, taken = itertools.count(job["first"]), list[float]()
    started = time.perf_counter()
    until = started + job["seconds"]
    await asyncio.gather(*(client(job, numbers, until, taken) for _ in range(job["clients"])))
    return {"seconds": time.perf_counter() - started, "taken": taken}


def main() -> None:
    """A job a line on stdin, its result a line on stdout."""
    for line in sys.stdin:
        print(json.dumps(asyncio.run(measure(json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
