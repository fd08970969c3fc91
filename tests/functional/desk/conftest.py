"""Browsers: anybody of any role at any organisation, signed in as the demonstration signs in."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from app.audit.model import Actor
from app.auth import sessions
from app.auth.model import Role
from app.auth.people import Seat, known_person
from app.db.work import Work
from app.web.cookies import SESSION
from tests.functional.approvals.conftest import *  # noqa: F403  (the same scene, seen by browser)

ROOT = Path(__file__).parents[3]
_FIELD = re.compile(r'name="(csrf|once|version)" value="([^"]*)"')


@dataclass
class Browser:
    """A signed-in browser. `send` fills the hidden fields from the page that holds the form."""

    client: TestClient
    cookie: str

    def get(self, path: str) -> Response:
        return self.client.get(path, headers=self._headers(), follow_redirects=False)

    def post(self, path: str, data: dict[str, Any], **more: Any) -> Response:
        return self.client.post(
            path, data=data, headers=self._headers(), follow_redirects=False, **more
        )

    def form(self, page: str, action: str = "") -> dict[str, str]:
        """The hidden fields of a page's form to `action`, or of its first."""
        text = self.get(page).text
        at = text.index(f'action="{action}"') if action else 0
        found: dict[str, str] = {}
        for name, value in _FIELD.findall(text[at:]):
            found.setdefault(name, html.unescape(value))
        return found

    def send(self, page: str, action: str, **typed: str) -> Response:
        """Open the page, fill its form, and send it."""
        return self.post(action, self.form(page, action) | typed)

    def _headers(self) -> dict[str, str]:
        return {"Cookie": f"{SESSION}={self.cookie}"}


Sit = Callable[[str, Role], Browser]


@pytest.fixture
def sit(application: FastAPI) -> Iterator[Sit]:
    """`sit(organisation, role)` is a browser in which somebody of that seat is signed in."""
    door = application.state.door
    with TestClient(application, base_url="https://127.0.0.1:8000") as client:

        def sit_down(organisation: str, role: Role, name: str = "") -> Browser:
            who = f"{organisation} {role} {name}"

            def open_(work: Work) -> str:
                actor = Actor("test", "system", "SERVICE", "door", "pages", "correlation")
                person = known_person(work, actor, issuer="demonstration", subject=who, name=who)
                assert person is not None
                secret, _ = sessions.open_session(
                    work,
                    person,
                    (Seat(organisation, role),),
                    application.state.session_limits,
                    correlation_id="c",
                )
                return secret

            return Browser(client, door.transact(open_))

        yield sit_down
