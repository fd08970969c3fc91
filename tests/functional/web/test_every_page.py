"""What is true of every page that somebody who is signed in may open."""

import re
import subprocess
import sys

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from app.api.matrix_pages import PAGE_ROUTES
from app.approvals.permissions import TABLE, Action
from app.db.tables import audit_event
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.demonstration.organisations import only_in_the_browser, seats
from tests.functional.approvals.scene import work_off
from tests.functional.web.conftest import HERE, Enter, Person
from tests.functional.web.forms import ANSWERS, begun, sent

#: A person of each role.
PEOPLE = {
    seat.role: seat.token.removeprefix("demo-")
    for seat in (*seats(), *only_in_the_browser())
    if seat.kind == "person" and seat.organisation in ("DEMO1", "DEMQ1", "DEMP1")
}
PLAIN = sorted(
    route.removeprefix("GET ")
    for route, action in PAGE_ROUTES.items()
    if route.startswith("GET ") and "{" not in route and isinstance(action, Action)
)


def addresses(enter: Enter) -> list[tuple[str, Person]]:
    """Each page without an object in its address, and who may open it; and a patient's own."""
    people: dict[str, Person] = {}

    def person(who: str) -> Person:
        if who not in people:
            people[who] = enter(who)
        return people[who]

    found = []
    for path in PLAIN:
        action = PAGE_ROUTES[f"GET {path}"]
        assert isinstance(action, Action)
        who = next(PEOPLE[role] for role in PEOPLE if role in TABLE[action])
        found.append((path, person(who)))
    owner = person("demo1-clinician")
    draft = begun(owner, "H000777", 60_001)
    request, treatment = sent(owner, ANSWERS)
    of_one = (f"/drafts/{draft}/check", f"/requests/{request}", f"/treatments/{treatment}")
    return found + [(path, owner) for path in of_one]


def opened(enter: Enter) -> list[tuple[str, Response]]:
    """Each of these pages, as a role that may open it."""
    return [(path, person.get(path)) for path, person in addresses(enter)]


@pytest.fixture
def pages(enter: Enter) -> list[tuple[str, Response]]:
    return opened(enter)


def test_every_page_is_told_as_what_it_is_and_has_a_way_to_sign_out(
    pages: list[tuple[str, Response]],
) -> None:
    shown = [(path, reply) for path, reply in pages if reply.status_code == 200]
    for path, reply in shown:
        kind = "text/csv" if path.endswith("/export") else "text/html"
        assert reply.headers["content-type"] == f"{kind}; charset=utf-8", path
    to_look_at = [(path, reply.text) for path, reply in shown if not path.endswith("/export")]
    assert len(to_look_at) > 20
    for path, text in to_look_at:
        out = re.findall(r'<form[^>]*action="/sign-out".*?</form>', text, re.S)
        assert len(out) == 1, path
        assert "Sign out" in out[0], path


def test_no_page_sends_the_browser_or_a_form_to_another_host(
    pages: list[tuple[str, Response]],
) -> None:
    for path, reply in pages:
        assert reply.status_code in (200, 303), (path, reply.status_code)
        if reply.status_code == 303:
            assert re.match(r"/(?!/)", reply.headers["location"]), path
        for action in re.findall(r'<form[^>]*action="([^"]*)"', reply.text):
            assert re.match(r"/(?!/)", action), (path, action)
        for source in re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', reply.text):
            assert re.match(r"/(?!/)", source), (path, source)


#: What Python tells of when a program is started, in whichever way.
_STARTS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"}
)


def test_neither_a_page_nor_the_worker_starts_a_program(application: FastAPI, enter: Enter) -> None:
    started: list[str] = []
    listening = True
    sys.addaudithook(
        lambda event, _: started.append(event) if listening and event in _STARTS else None
    )
    opened(enter)
    work_off(application)
    assert started == []
    subprocess.run([sys.executable, "-c", ""], check=True)  # it would have been heard
    assert "subprocess.Popen" in started
    listening = False


@pytest.mark.parametrize(
    "name", ["", ".", "nhsuk", "nhsuk/", "..%2fassets.py", "%2e%2e/assets.py", "own/start.js"]
)
def test_nothing_is_served_but_the_pages_own_files_by_their_names(
    application: FastAPI, enter: Enter, name: str
) -> None:
    person = enter("demo1-clinician")
    assert person.get("/assets/start.js").status_code == 200
    assert person.get(f"/assets/{name}").status_code == 404


def test_a_sign_in_is_begun_by_whoever_asks_for_it_and_not_by_opening_a_page(
    application: FastAPI,
) -> None:
    stranger = TestClient(
        application, base_url="https://127.0.0.1:8000", follow_redirects=False, client=HERE
    )
    for path in PLAIN:
        reply = stranger.get(path)
        assert reply.status_code == 303, path
        assert reply.headers["location"].partition("?")[0] == "/sign-in", path
        assert "set-cookie" not in reply.headers, path
    asked = stranger.get("/sign-in")
    assert asked.status_code == 200
    assert "set-cookie" not in asked.headers


#: What is written where a page is read: that it was, by whom, and how often they call.
READING = {"audit_event", "audit_payload", "session", "rate_bucket"}


def contents(database: Database, moment: Moment) -> dict[str, list[str]]:
    """All rows of all tables but those."""

    def read(work: Work) -> dict[str, list[str]]:
        return {
            table.name: sorted(str(row) for row in work.connection.execute(table.select()))
            for table in audit_event.metadata.sorted_tables
            if table.name not in READING
        }

    return database.read(read, moment=moment)


def test_opening_a_page_changes_nothing(enter: Enter, database: Database, moment: Moment) -> None:
    found = addresses(enter)
    assert len(found) > 30
    before = contents(database, moment)
    assert before["draft"]
    for path, person in found:
        assert person.get(path).status_code == 200, path
        after = contents(database, moment)
        changed = [name for name, rows in after.items() if rows != before[name]]
        assert not changed, path
