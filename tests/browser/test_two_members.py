"""Two members of a panel at a browser, under an invented text that asks for two.

The demonstration has no such text, so these pages are served from this process.
"""

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser

from app.approvals.office import change_setting
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Work
from app.main import create_app
from app.settings import Settings
from tests.browser.screens import keep
from tests.browser.visitor import Visitor
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Person
from tests.functional.web.forms import ANSWERS, sent
from tests.pattern_policies import asking_for_two
from tests.policies.library import packaged_library

AUDIT_KEY = b"the key of the tests, which is 32 bytes or more"


@pytest.fixture(scope="module")
def port() -> int:
    """A free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[FastAPI]:
    """The service with a policy that asks for two of the panel DEMP1, on an own database."""
    folder = tmp_path_factory.mktemp("two")
    engine = make_engine(f"sqlite:///{folder / 'two.db'}")
    upgrade(engine)
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        public_url=f"http://127.0.0.1:{port}",
        data_dir=folder / "var",
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
    )
    library = asking_for_two(packaged_library())
    made = create_app(settings, database=Database(engine, AUDIT_KEY), library=library)

    def settle(work: Work) -> None:
        change_setting(work, "DEMQ1", "panel", "DEMP1", dt.date(2020, 1, 1), ADMINISTRATOR.id)

    made.state.door.transact(settle)
    yield made
    engine.dispose()


@pytest.fixture(scope="module")
def address(application: FastAPI, port: int) -> Iterator[str]:
    config = uvicorn.Config(application, host="127.0.0.1", port=port, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(params=["desk", "phone"])
def members(
    request: pytest.FixtureRequest, chromium: Browser, address: str, axe: str
) -> Iterator[list[Visitor]]:
    """Two members at browsers of their own, at which axe looks; none may end with a complaint."""
    made = []
    width = 1280 if request.param == "desk" else 360
    for who in ("demp1-panel-member", "demp1-panel-member-2"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            locale="en-GB",
            bypass_csp=True,
            reduced_motion="reduce",
        )
        made.append(Visitor(context.new_page(), address, axe).sign_in(who))
    yield made
    complaints = [said for each in made for said in each.complaints]
    for each in made:
        each.page.context.close()
    assert not complaints, "\n".join(dict.fromkeys(complaints))


def test_one_votes_and_the_other_confirms(members: list[Visitor], application: FastAPI) -> None:
    ann, bea = members
    doctor = Person(application, "demo1-clinician")
    request, _ = sent(doctor, ANSWERS | {"screened": "no"})
    doctor.http.close()
    at = f"/requests/{request}"

    ann.go(at)
    for box in ann.page.locator('#panel-approve input[name^="waive."]').all():
        box.check()
    ann.fill("panel-approve-reason", "The screening was done at another hospital.")
    ann.tick("panel-approve-interest")
    ann.click("Approve")
    assert "Another member is needed: you cannot vote twice." in ann.text
    assert "Waiting for a second member: you voted to approve" in ann.go("/").text

    assert "Waiting for a second member: Panel member of DEMP1" in bea.go("/").text
    bea.go(at)
    assert "The screening was done at another hospital." in bea.text
    assert bea.page.locator('#panel-approve input[name^="waive."]').first.is_checked()
    keep(bea, "first-vote")
    bea.fill("panel-approve-reason", "I looked at the letter, and agree.")
    bea.tick("panel-approve-interest")
    bea.click("Confirm the approval")
    assert bea.heading == "Approved"
    assert "Decided, together with another member." in bea.text
    bea.go("/minutes")
    assert "had voted the same" in bea.text


def test_two_who_differ_see_both_votes(members: list[Visitor], application: FastAPI) -> None:
    ann, bea = members
    doctor = Person(application, "demo1-clinician")
    request, _ = sent(doctor, ANSWERS | {"screened": "no"})
    doctor.http.close()
    at = f"/requests/{request}"
    ann.go(at).unfold("#panel-decline")
    ann.fill("panel-decline-reason", "Nobody screened for infection.")
    ann.tick("panel-decline-interest")
    ann.click("Decline")
    bea.go(at)
    bea.fill("panel-approve-reason", "The screening can follow.")
    bea.page.locator('#panel-approve input[name^="waive."]').first.check()
    bea.tick("panel-approve-interest")
    bea.click("Approve")
    assert "Members have voted differently" in bea.text
    keep(bea, "votes-that-differ")
