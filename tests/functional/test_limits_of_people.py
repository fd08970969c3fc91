"""A signed-in person's steps are counted, over all their browsers and every serving process."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.db.tables import draft, rate_bucket
from app.db.transaction import Database
from app.db.work import Moment
from app.main import create_app
from app.settings import Settings
from tests.functional.approvals.api import Clock
from tests.functional.web.conftest import Person
from tests.functional.web.forms import begun
from tests.policies.library import packaged_library
from tests.security_events import Told, told

__all__ = ["told"]  # a fixture
MOST = 30
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
WORDS = 'It was "quoted" & <b>long</b>.\r\nOn two lines.'


@pytest.fixture
def clock(moment: Moment) -> Clock:
    return Clock(moment.instant)


@pytest.fixture
def both(database: Database, tmp_path: Path, clock: Clock) -> list[FastAPI]:
    """Two serving processes on one database, each with its own memory."""
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        data_dir=tmp_path / "var",
        requests_per_minute_of_people=MOST,
    )
    return [
        create_app(
            settings, database=database, library=packaged_library(), now=lambda: clock.instant
        )
        for _ in range(2)
    ]


@pytest.fixture
def enter(both: list[FastAPI]) -> Iterator[Callable[..., Person]]:
    """Signs somebody in at one of the processes: `enter("demo1-clinician", 1)`."""
    with ExitStack() as stack:

        def open_(who: str, process: int = 0) -> Person:
            person = Person(both[process], who)
            stack.callback(person.http.close)
            return person

        yield open_


def spend(person: Person, steps: int) -> list[int]:
    """What a person is told who looks at one page so often."""
    return [person.get("/reminders").status_code for _ in range(steps)]


def spent(person: Person) -> Any:
    """Take steps until one is refused."""
    for _ in range(MOST + 1):
        reply = person.get("/reminders")
        if reply.status_code == 429:
            return reply
    raise AssertionError("nothing was refused")


def test_browsers_of_one_person_at_two_processes_share_one_count(
    enter: Callable[..., Person], clock: Clock, told: Told
) -> None:
    desk, ward, colleague = (
        enter("demo1-clinician"),
        enter("demo1-clinician", 1),
        enter("demo1-pharmacist"),
    )
    assert spend(desk, 20) == [200] * 20
    assert spend(ward, 12) == [200] * 10 + [429] * 2
    assert spend(desk, 2) == [429] * 2
    assert spend(colleague, 2) == [200] * 2, "nobody else loses a step"

    told()
    refused = desk.get("/reminders?again=1")
    wait = int(refused.headers["Retry-After"])
    assert 0 < wait <= 60
    assert f"More than {MOST} steps" in refused.text
    until = clock.instant + dt.timedelta(hours=1, seconds=wait)  # London has summer time
    assert f"Go on in {wait} second" in refused.text
    assert f"at {until:%H:%M:%S}." in refused.text
    assert 'href="/reminders?again=1"' in refused.text
    (event,) = told()
    assert (event["what"], event["code"]) == ("limit", "too-many-requests")
    clock.instant += dt.timedelta(seconds=wait)
    assert spend(desk, 2) == [200, 429]


def test_styles_and_scripts_and_what_is_for_anybody_are_not_counted(
    enter: Callable[..., Person],
) -> None:
    desk = enter("demo1-clinician")
    for path in ("/assets/pages.css", "/assets/pages.js", "/about", "/help"):
        assert {desk.get(path).status_code for _ in range(MOST)} == {200}
    assert spend(desk, MOST) == [200] * MOST


def test_a_form_of_a_draft_comes_back_whole_and_is_sent_again_by_one_button(
    enter: Callable[..., Person], both: list[FastAPI], clock: Clock
) -> None:
    desk = enter("demo1-clinician")
    id_ = begun(desk, "H000778", 60_002)
    at = f"/drafts/{id_}/treatment"
    shown = desk.get(at).text
    sent = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', shown))
    sent |= {"commissioner": "DEMQ1", "details.registry_id": "R-7"}
    before = forms(both[0])
    spent(desk)
    refused = desk.http.post(at, data=sent)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "none of it is lost" in refused.text
    assert forms(both[0]) == before, "nothing was done"
    back = {name: unescape(value) for name, value in HIDDEN.findall(refused.text)}
    assert back == sent
    assert f'<form method="post" action="{at}">' in refused.text

    clock.instant += dt.timedelta(seconds=int(refused.headers["Retry-After"]))
    again = desk.http.post(at, data=back)
    assert again.status_code == 303, again.text
    assert forms(both[0]) != before
    clock.instant += dt.timedelta(minutes=1)
    assert 'value="R-7"' in desk.get(at).text


def test_words_come_back_as_text_letter_by_letter(enter: Callable[..., Person]) -> None:
    desk = enter("demo1-clinician")
    spent(desk)
    refused = desk.http.post("/break-glass", data={"reason": WORDS, "csrf": "x"})
    assert refused.status_code == 429
    assert "<b>long</b>" not in refused.text
    back = {name: unescape(value) for name, value in HIDDEN.findall(refused.text)}
    assert back == {"reason": WORDS, "csrf": "x"}


def test_a_form_with_a_file_shows_its_words_and_asks_for_the_file_again(
    enter: Callable[..., Person],
) -> None:
    desk = enter("demo1-pharmacist")
    spent(desk)
    refused = desk.http.post(
        "/submissions",
        data={"note": WORDS},
        files={"file": ("a.csv", b"1,2\n" * 400_000, "text/csv")},
        headers={"Referer": "http://127.0.0.1:8000/submissions"},
    )
    assert refused.status_code == 429
    assert "The file was not taken" in refused.text
    assert 'href="/submissions">open the page again' in refused.text
    assert "&lt;b&gt;long&lt;/b&gt;" in refused.text
    assert "Send it again" not in refused.text


def test_whoever_met_the_limit_can_still_sign_out(enter: Callable[..., Person]) -> None:
    desk = enter("demo1-clinician")
    csrf = re.findall(r'name="csrf" value="([^"]+)"', desk.get("/reminders").text)[0]
    spent(desk)
    assert desk.http.post("/sign-out", data={"csrf": csrf}).headers["location"] == "/signed-out"


def test_who_uses_up_a_persons_steps_elsewhere_is_put_out_all_the_same(
    enter: Callable[..., Person],
) -> None:
    thief, desk = enter("demo1-clinician", 1), enter("demo1-clinician")
    spent(thief)
    assert desk.get("/").status_code == 429
    assert desk.get("/sessions").status_code == 200
    assert desk.send("/sessions", "/sessions/end-others").status_code == 303
    assert thief.get("/").headers["location"] == "/sign-in"
    told = [desk.get("/sessions").status_code for _ in range(MOST)]
    assert told[-1] == 429, "these are counted too"


def test_the_bucket_names_nobody(enter: Callable[..., Person], both: list[FastAPI]) -> None:
    spend(enter("demo1-clinician"), 2)
    query = sa.select(rate_bucket.c.who)
    kept = both[0].state.door.read(lambda work: work.connection.scalars(query).all())
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in kept)


def forms(application: FastAPI) -> list[Any]:
    query = sa.select(draft.c.form, draft.c.answers, draft.c.version)
    found: list[Any] = application.state.door.database.read(
        lambda work: [tuple(row) for row in work.connection.execute(query)],
        moment=Moment(application.state.door.now(), application.state.door.now().date()),
    )
    return found
