"""SIGTERM while forms are coming in: what was acknowledged is there, whole, and nothing else is."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import clock
from app.audit.model import Actor
from app.auth.model import Role
from app.auth.store import register_caller
from app.db import tables
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Work
from app.door import Door
from app.settings import DEMONSTRATION_AUDIT_KEY, REPOSITORY
from tests.faults.cluster import free_port
from tests.functional.approvals.api import initiation

pytestmark = pytest.mark.slow
CLIENTS = 4
#: A machine that is busy with other work takes minutes.
READY_SECONDS = 300
ADMINISTRATOR = Actor("admin", "system", "SERVICE", "administrator", "test", "correlation-1")


def environment(engine: sa.Engine, folder: Path) -> dict[str, str]:
    """What the service and its workers read their settings from."""
    return os.environ | {
        "ASSENT_DEMONSTRATION": "true",
        "ASSENT_DATA_DIR": str(folder),
        "ASSENT_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "ASSENT_REQUESTS_PER_MINUTE": "100000",
    }


def serving(engine: sa.Engine, folder: Path, *options: str) -> tuple[subprocess.Popen[bytes], str]:
    """The service in a process of its own, ready; and its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port), *options],
        cwd=REPOSITORY,
        env=environment(engine, folder),
        stderr=(folder / "log").open("wb"),
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz", timeout=30).status_code == 200:
                return process, address
        except httpx.TransportError:
            pass
        assert process.poll() is None, (folder / "log").read_text()
        time.sleep(0.1)
    process.terminate()  # with the processes that it has started
    raise AssertionError(f"the service did not become ready in {READY_SECONDS} seconds")


def send(address: str, token: str, client: int, taken: dict[str, Any], stop: list[str]) -> None:
    """Send forms one after another until the service is gone."""
    with httpx.Client(base_url=address, timeout=30) as http:
        for number in range(1, 10_000):
            key = str(uuid.uuid4())
            form = initiation(client * 10_000 + number)
            form["decision_to_treat"] = clock.london_day(clock.now()).isoformat()
            headers = {"Authorization": f"Bearer {token}", "X-Request-ID": key}
            try:
                reply = http.post("/v1/requests", json=form, headers=headers)
            except httpx.TransportError:
                return
            if reply.status_code != 201:
                stop.append(reply.text)
                return
            taken[key] = reply.json()["id"]


def test_a_service_told_to_stop_under_load_loses_nothing_that_it_acknowledged(
    empty_engine: sa.Engine, tmp_path: Path
) -> None:
    upgrade(empty_engine)
    door = Door(Database(empty_engine, DEMONSTRATION_AUDIT_KEY.encode()))
    _, token = door.transact(
        lambda work: register_caller(
            work,
            ADMINISTRATOR,
            name="Load",
            kind="person",
            organisation="DEMO1",
            role=Role.CLINICIAN,
        )
    )
    process, address = serving(empty_engine, tmp_path)
    taken: dict[str, Any] = {}
    refused: list[str] = []
    senders = [
        threading.Thread(target=send, args=(address, token, client, taken, refused))
        for client in range(1, CLIENTS + 1)
    ]
    for sender in senders:
        sender.start()
    try:
        deadline = time.monotonic() + 60
        while len(taken) < 10 and not refused and time.monotonic() < deadline:
            time.sleep(0.02)
        assert refused == []
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
        for sender in senders:
            sender.join()
    assert refused == []
    assert len(taken) >= 10
    _check(door, taken)


def _check(door: Door, taken: dict[str, Any]) -> None:
    """Every acknowledged form is there once and whole, and there is no other."""

    def rows(work: Work, query: sa.Select[Any]) -> list[Any]:
        return list(work.connection.execute(query).all())

    answers = tables.idempotent_answer.c
    kept = door.read(lambda work: rows(work, sa.select(answers.request_id, answers.status)))
    # Also what was in flight when the signal came: it was finished, and its sender told.
    assert taken.keys() == {row.request_id for row in kept}
    assert {row.status for row in kept} == {201}
    ids = {row.id for row in door.read(lambda work: rows(work, sa.select(tables.request.c.id)))}
    assert set(taken.values()) == ids
    decided = sa.select(tables.decision.c.request_id)
    assert {row.request_id for row in door.read(lambda work: rows(work, decided))} == ids
    told = sa.select(tables.audit_event.c.object_id).where(
        tables.audit_event.c.object_type == "request"
    )
    assert {row.object_id for row in door.read(lambda work: rows(work, told))} == ids
