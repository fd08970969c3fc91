"""Several serving processes and several workers on PostgreSQL, one of each killed under load."""

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import clock
from app.auth.model import Role
from app.auth.store import register_caller
from app.commands.serve import STARVED_SECONDS
from app.db import tables
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.door import Door
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.settings import DEMONSTRATION_AUDIT_KEY, REPOSITORY
from tests.faults.clients import invoice
from tests.functional.approvals.api import initiation
from tests.integration.doors.test_shutdown import ADMINISTRATOR, environment, serving

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.postgres]
CLIENTS, FORMS, FILE_EVERY = 4, 10, 4
PATIENCE_SECONDS = 300


class Load:
    """Clients that repeat each call with its own id until it is answered."""

    def __init__(self, address: str, clinician: str, commissioner: str) -> None:
        self.address = address
        self.tokens = {"/v1/requests": clinician, "/v1/submissions": commissioner}
        self.taken: dict[str, Any] = {}
        self.refused: list[str] = []
        self.enough = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.enough.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def wait_for(self, count: int) -> None:
        """Until so many more calls are answered."""
        wanted = len(self.taken) + count
        until(lambda: len(self.taken) >= wanted or bool(self.refused))
        assert self.refused == []

    def _send(self, client: int) -> None:
        today = clock.london_day(clock.now())
        for number in range(client * 1000 + 1, client * 1000 + 1000):
            if self.enough.is_set():
                return
            form = initiation(number) | {"decision_to_treat": today.isoformat()}
            self._insist("/v1/requests", json=form)
            if number % FILE_EVERY == 0:
                lines = invoice([invented_nhs_number(number)], today)
                path = f"/v1/submissions?file_name=file-{number}.csv"
                self._insist(path, content=lines, headers={"Content-Type": "text/csv"})

    def _insist(self, path: str, **given: Any) -> None:
        key, given = str(uuid.uuid4()), {"headers": {}} | given
        token = self.tokens[path.partition("?")[0]]
        given["headers"] |= {"Authorization": f"Bearer {token}", "X-Request-ID": key}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                reply = httpx.post(f"{self.address}{path}", timeout=30, **given)
            except httpx.TransportError:
                continue
            if reply.status_code < 300:
                self.taken[key] = reply.json()
                return
            if reply.status_code < 500:
                self.refused.append(reply.text)
                return
        self.refused.append(f"{path} was not answered")


def until(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def serving_processes(of: int) -> set[int]:
    """The processes that take calls, which the first one has started."""
    children = Path(f"/proc/{of}/task/{of}/children").read_text().split()
    return {int(pid) for pid in children if b"spawn_main" in command_line(pid)}


def command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return b""


@contextmanager
def workers(engine: sa.Engine, folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers, which are killed at the end."""
    command = [sys.executable, "-m", "app.cli", "worker"]
    started = [
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment(engine, folder),
            stderr=(folder / f"worker-{n}").open("wb"),
        )
        for n in range(count)
    ]
    try:
        yield started
    finally:
        for each in started:
            each.kill()
            each.wait()


@pytest.mark.parametrize("empty_engine", ["postgres"], indirect=True)  # SQLite takes one process
def test_what_several_processes_take_is_there_once_and_done_once(
    empty_engine: sa.Engine, tmp_path: Path
) -> None:
    upgrade(empty_engine)
    door = Door(Database(empty_engine, DEMONSTRATION_AUDIT_KEY.encode()))
    clinician = caller(door, Role.CLINICIAN, "DEMO1")
    commissioner = caller(door, Role.COMMISSIONER, "DEMQ1")
    service, address = serving(empty_engine, tmp_path, "--workers", "2")
    load = Load(address, clinician, commissioner)
    try:
        with workers(empty_engine, tmp_path, 2) as both:
            until(lambda: len(serving_processes(service.pid)) == 2)
            load.start()
            load.wait_for(FORMS)
            before = serving_processes(service.pid)
            os.kill(min(before), signal.SIGKILL)
            load.wait_for(FORMS)  # the other one answers, and a new one is started
            until(lambda: len(serving_processes(service.pid) - {min(before)}) == 2)
            os.kill(both[0].pid, signal.SIGKILL)
            load.wait_for(FORMS)
            load.stop()
            release_jobs(door)  # now, and not when the killed worker's lease runs out
            until(lambda: not unfinished(door))
    finally:
        load.enough.set()
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=60)
    _check(door, load)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("empty_engine", ["postgres"], indirect=True)  # SQLite takes one process
def test_the_death_of_a_process_that_owed_an_answer_is_noticed_at_once(
    empty_engine: sa.Engine, tmp_path: Path
) -> None:
    upgrade(empty_engine)
    service, _ = serving(empty_engine, tmp_path, "--workers", "2")
    try:
        until(lambda: len(serving_processes(service.pid)) == 2)
        before = serving_processes(service.pid)
        for pid in before:
            os.kill(pid, signal.SIGSTOP)  # neither answers whether it is there
        time.sleep(3)  # the first process asks every half second, and waits for an answer now
        killed = time.monotonic()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(serving_processes(service.pid) - before) == 2)
        assert time.monotonic() - killed < STARVED_SECONDS / 2
    finally:
        for pid in serving_processes(service.pid):
            os.kill(pid, signal.SIGCONT)
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=60)


def caller(door: Door, role: Role, organisation: str) -> str:
    """The token of a caller."""
    _, token = door.transact(
        lambda work: register_caller(
            work,
            ADMINISTRATOR,
            name=f"Several {role.value}",
            kind="person",
            organisation=organisation,
            role=role,
        )
    )
    return token


def rows(door: Door, query: Any) -> list[Any]:
    return list(door.read(lambda work: work.connection.execute(query).all()))


def unfinished(door: Door) -> list[Any]:
    j = tables.job.c
    return rows(door, sa.select(j.id).where(j.state.in_(("queued", "running"))))


def release_jobs(door: Door) -> None:
    """Let the lease of every job that is held run out, as it does of a killed worker's."""
    j, past = tables.job.c, clock.now() - dt.timedelta(seconds=1)
    run_out = sa.update(tables.job).where(j.state == "running").values(lease_until=past)
    door.transact(lambda work: work.connection.execute(run_out))


def _check(door: Door, load: Load) -> None:
    """Every call once, whole, and every job's run once."""
    t = tables
    kept = rows(door, sa.select(t.idempotent_answer.c.request_id, t.idempotent_answer.c.status))
    assert {row.request_id for row in kept} == load.taken.keys()
    assert len(kept) == len(load.taken)
    forms = {each["id"] for each in load.taken.values() if "decisions" in each}
    files = [each for each in load.taken.values() if "job" in each]
    assert len(forms) >= FORMS
    assert files
    for query in (
        sa.select(t.request.c.id),
        sa.select(t.decision.c.request_id),
        sa.select(t.audit_event.c.object_id).where(
            t.audit_event.c.object_type == "request", t.audit_event.c.object_number == 1
        ),
    ):
        found = Counter(row[0] for row in rows(door, query))
        assert found == Counter(forms)
    runs = Counter(row[0] for row in rows(door, sa.select(t.reconciliation_run.c.submission_id)))
    assert runs == Counter(each["submission"]["id"] for each in files)
    jobs = rows(door, sa.select(t.job.c.id, t.job.c.state, t.job.c.attempts))
    assert {row.id for row in jobs} >= {each["job"] for each in files}
    assert {row.state for row in jobs} == {"done"}
