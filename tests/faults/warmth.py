"""What the nursery knows before it forks: each start would work it out again, and nothing else.

A start of the service costs most of a second of processor time, nearly all of it spent on what is
the same at every start of one release: its files of drugs and policies, its routes, its commands.
The nursery does that once, by taking one form on a database that it throws away, and its children
find it done. No connection, file or thread of it is handed on, so what a kill meets (transactions,
locks, files, leases, memory) is made by the child itself.
"""

import gc
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import typer.main
from starlette.testclient import TestClient

import app.cli
import app.desk
import app.main
from app.approvals.library import Library
from app.logs import configure_logs
from app.settings import Settings

CLINICIAN = "warmth-clinician"


@cache
def command() -> Any:
    """`assent`, put together once."""
    return typer.main.get_command(app.cli.app)


def warm(environment: dict[str, str]) -> None:
    """Read the library once for all that are forked from here, and take one form."""
    before = dict(os.environ)
    os.environ.update(environment)
    configure_logs("error")  # to standard error: standard output is for the answers to orders
    try:
        for module in (app.main, app.desk):
            module.load_library = _once(module.load_library)  # type: ignore[attr-defined]
        command()
        _take_a_form(Settings())
    finally:
        os.environ.clear()
        os.environ.update(before)
    # What stays is not looked at again, nor copied by being looked at, in any child.
    gc.collect()
    gc.freeze()


def _once(load: Callable[..., Library]) -> Callable[..., Library]:
    """Load a folder's library at the first call."""
    kept: dict[Path, Library] = {}

    def load_once(folder: Path, *given: Any, **also: Any) -> Library:
        if folder not in kept:
            kept[folder] = load(folder, *given, **also)
        return kept[folder]

    return load_once


def _take_a_form(settings: Settings) -> None:
    from app import clock
    from app.auth.model import Role
    from app.auth.store import register_caller
    from app.db.upgrade import upgrade
    from tests.faults.clients import initiation
    from tests.faults.house import OPERATOR

    service = app.main.create_app(settings)
    door = service.state.door
    upgrade(door.database.engine)
    door.transact(
        lambda work: register_caller(
            work,
            OPERATOR,
            name="warmth",
            kind="system",
            organisation="DEMO1",
            role=Role.CLINICIAN,
            demonstration=True,
            token=CLINICIAN,
        )
    )
    headers = {"Authorization": f"Bearer {CLINICIAN}", "X-Request-ID": clock.new_id()}
    with TestClient(service, base_url="http://127.0.0.1") as client:
        form = initiation(1, clock.now().date())
        reply = client.post("/v1/requests", json=form, headers=headers)
        assert reply.status_code == 201, reply.text
    door.database.engine.dispose()
