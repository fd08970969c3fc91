"""Demonstration sign-in: be an invented person, where the settings allow it and nobody else can."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.approvals.library import Library
from app.db.transaction import Database
from app.main import create_app
from app.settings import Settings

HERE = ("127.0.0.1", 50000)
WHO = {"who": "demo-demo1-clinician"}
Open = Callable[..., TestClient]


@pytest.fixture
def opened(database: Database, tmp_path: Path) -> Iterator[Open]:
    """Opens a browser on the service: `opened(allowed, peer)`."""
    browsers: list[TestClient] = []

    def open_(allowed: bool = True, peer: tuple[str, int] = HERE) -> TestClient:
        settings = Settings(
            demonstration=True, demonstration_sign_in=allowed, data_dir=tmp_path / "var"
        )
        app = create_app(settings, database=database, library=Library(()))
        browsers.append(
            TestClient(app, base_url="https://127.0.0.1:8000", follow_redirects=False, client=peer)
        )
        return browsers[-1]

    yield open_
    for browser in browsers:
        browser.close()


def test_an_invented_person_signs_in_by_choice_under_a_banner(opened: Open) -> None:
    browser = opened()
    assert "Clinician of DEMO1 (demonstration)" in browser.get("/sign-in").text
    assert browser.post("/sign-in/demonstration", data=WHO).headers["location"] == "/"
    shown = browser.get("/").text
    assert "Demonstration: everything here is invented" in shown
    assert "Clinician of DEMO1 (demonstration)" in shown


@pytest.mark.parametrize(
    ("allowed", "peer", "who", "status"),
    [
        (False, HERE, WHO, 404),
        (True, ("192.0.2.7", 50000), WHO, 403),
        (True, HERE, {"who": "demo-demo9-clinician"}, 400),
        (True, HERE, {}, 400),
    ],
    ids=["not switched on", "from another machine", "unknown", "nobody"],
)
def test_it_lets_in_nobody_else(
    opened: Open, allowed: bool, peer: tuple[str, int], who: dict[str, str], status: int
) -> None:
    browser = opened(allowed, peer)
    reply = browser.post("/sign-in/demonstration", data=who)
    assert reply.status_code == status
    assert "set-cookie" not in reply.headers
    assert browser.get("/").headers["location"] == "/sign-in"


def test_without_a_provider_nobody_is_sent_to_one(opened: Open) -> None:
    browser = opened(allowed=False)
    assert "People cannot sign in yet" in browser.get("/sign-in").text
    for path in ("/sign-in/start", "/sign-in/callback?code=x&state=y"):
        assert browser.get(path).status_code == 404
    reply = browser.post("/sign-in/back-channel-logout", data={"logout_token": "x.y.z"})
    assert reply.status_code == 404
