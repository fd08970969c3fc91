"""Pages over HTTP, seen by invented people who sign in by choice."""

import datetime as dt
import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from app import clock
from app.db.transaction import Database
from app.main import create_app
from app.settings import Settings
from tests.policies.library import packaged_library

HERE = ("127.0.0.1", 50000)
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_VERSION = re.compile(r'name="version" value="(\d+)"')
_OWN_NAMES = itertools.count(1)  # of forms that the page does not hold
_ONCE = re.compile(r'name="once" value="([^"]+)"')


class Person:
    """One of the invented people at a browser without scripts."""

    def __init__(
        self, application: FastAPI, who: str, headers: dict[str, str] | None = None
    ) -> None:
        self.http = TestClient(
            application,
            base_url="https://127.0.0.1:8000",
            follow_redirects=False,
            client=HERE,
            headers=headers,
        )
        entered = self.http.post("/sign-in/demonstration", data={"who": f"demo-{who}"})
        assert entered.status_code == 303, entered.text

    def get(self, path: str) -> Response:
        return self.http.get(path)

    def send(self, page: str, action: str, **fields: str) -> Response:
        """Send a form of a page, with the token, the version and the name that stand in it."""
        shown = self.get(page).text
        hidden = {"csrf": _CSRF.findall(shown)[-1]}
        if versions := _VERSION.findall(shown):
            hidden["version"] = versions[-1]
        names = _ONCE.findall(shown)
        hidden["once"] = names[-1] if names else str(uuid.UUID(int=next(_OWN_NAMES)))
        return self.http.post(action, data=hidden | fields)


Enter = Callable[[str], Person]


@pytest.fixture
def now() -> Callable[[], dt.datetime]:
    """What the service reads as now. Tests that type days hold it, by a fixture of this name."""
    return clock.now


@pytest.fixture
def application(database: Database, tmp_path: Path, now: Callable[[], dt.datetime]) -> FastAPI:
    """The service in demonstration mode with the whole library."""
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        data_dir=tmp_path / "var",
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
    )
    return create_app(settings, database=database, library=packaged_library(), now=now)


@pytest.fixture
def held_clock(application: FastAPI) -> None:
    """The service's time stands still: every two minutes that pass give a guess back."""
    door = application.state.door
    instant = door.now()
    application.state.door = replace(door, now=lambda: instant)


@pytest.fixture
def enter(application: FastAPI) -> Iterator[Enter]:
    """Signs somebody in: `enter("demo1-clinician")`."""
    people: list[Person] = []

    def open_(who: str) -> Person:
        people.append(Person(application, who))
        return people[-1]

    yield open_
    for each in people:
        each.http.close()
