"""A person sees and ends their own open sessions, and nobody else's (OWASP ASVS 5.0, 7.5.2)."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response

from app.api.security import What
from app.approvals.library import Library
from app.auth.model import Role
from app.auth.people import Seat, active_person
from app.auth.sessions import Limits, begin, find_session, open_session, take
from app.auth.store import token_hash
from app.db.tables import audit_event, audit_payload, session
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.main import create_app
from app.settings import Settings
from tests.functional.approvals.api import Clock
from tests.functional.web.conftest import Person
from tests.security_events import Told, told

__all__ = ["told"]  # a fixture
AT = "/sessions"
COOKIE = "__Host-assent-session"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"
#: Minutes after which proving who one is no longer counts.
LATE = dt.timedelta(minutes=16)
Enter = Callable[..., Person]


@pytest.fixture
def clock(moment: Moment) -> Clock:
    return Clock(moment.instant)


@pytest.fixture
def application(database: Database, tmp_path: Path, clock: Clock) -> FastAPI:
    settings = Settings(demonstration=True, demonstration_sign_in=True, data_dir=tmp_path / "var")
    return create_app(settings, database=database, library=Library(()), now=lambda: clock.instant)


@pytest.fixture
def enter(application: FastAPI) -> Iterator[Enter]:
    """Signs somebody in: `enter("demo1-clinician", EDGE)`."""
    with ExitStack() as stack:

        def open_(who: str, browser: str = EDGE) -> Person:
            person = Person(application, who, {"User-Agent": browser})
            stack.callback(person.http.close)
            return person

        yield open_


def ids_on(text: str) -> list[str]:
    return [str(each) for each in re.findall(rf"{AT}/([0-9a-f-]{{36}})/end", text)]


def id_of(application: FastAPI, person: Person) -> str:
    """The id of the session that a browser has."""
    held = token_hash(person.http.cookies[COOKIE])
    query = sa.select(session.c.id).where(session.c.token_hash == held)
    found: str = application.state.door.read(lambda work: work.connection.scalar(query))
    return found


def is_out(person: Person) -> bool:
    reply = person.get("/")
    return reply.status_code == 303 and reply.headers["location"] == "/sign-in"


def end(person: Person, id_: str) -> Response:
    return person.send(AT, f"{AT}/{id_}/end")


def endings(application: FastAPI) -> list[tuple[str, str, str]]:
    """Who ended which session, and why, as the audit log has it."""
    e, p = audit_event.c, audit_payload.c
    query = (
        sa.select(e.actor, e.object_id, p.body)
        .join(audit_payload, p.id == e.payload_id)
        .where(e.action == "end session")
        .order_by(e.id)
    )
    rows: list[Any] = application.state.door.read(lambda work: work.connection.execute(query).all())
    return [(row.actor, row.object_id, str(row.body)) for row in rows]


def test_a_person_sees_each_of_their_own_sessions_and_ends_one_at_once(
    enter: Enter, application: FastAPI, clock: Clock, told: Told
) -> None:
    ward = enter("demo1-clinician", PHONE)
    clock.instant += dt.timedelta(minutes=10)
    desk = enter("demo1-clinician")
    shown = desk.get(AT).text
    assert "This browser: Edge on Windows" in shown
    assert '<h3 class="nhsuk-heading-s">Safari on an iPhone</h3>' in shown
    assert shown.count("clinician at DEMO1") >= 2
    assert "15 June 2026 at 10:30am" in shown, "when the other was begun and last used, in London"
    assert "15 June 2026 at 11:00am" in shown, "when it ends if nobody uses it"
    assert ids_on(shown) == [id_of(application, ward)]
    for secret in (ward.http.cookies[COOKIE], token_hash(ward.http.cookies[COOKIE])):
        assert secret not in shown

    told()
    done = end(desk, id_of(application, ward))
    assert (done.status_code, done.headers["location"]) == (303, f"{AT}?ended=1")
    assert "1 session was ended" in desk.get(done.headers["location"]).text
    assert is_out(ward), "from the next call on"
    assert not is_out(desk)
    assert ids_on(desk.get(AT).text) == []
    (event,) = [each for each in told() if each["what"] == What.SIGN_OUT]
    assert (event["outcome"], event["why"]) == ("accepted", "sessions ended by their person: 1")
    ((who, which, why),) = endings(application)
    assert (who, which) == (event["who"], id_of(application, ward))
    assert "ended by its person from another session" in why
    # Ended twice, by going back: nothing more happens.
    assert end(desk, id_of(application, ward)).status_code == 303
    assert len(endings(application)) == 1


def test_all_others_end_together_and_nobody_else_s(enter: Enter, application: FastAPI) -> None:
    others = [enter("demo1-clinician") for _ in range(3)]
    colleague, elsewhere = enter("demo1-pharmacist"), enter("demo2-clinician")
    desk = enter("demo1-clinician")
    shown = desk.get(AT).text
    assert len(ids_on(shown)) == 3
    assert "End all 3 of them" in shown
    done = desk.send(AT, f"{AT}/end-others")
    assert done.headers["location"] == f"{AT}?ended=3"
    assert all(is_out(each) for each in others)
    assert not any(is_out(each) for each in (desk, colleague, elsewhere))
    assert "signed in nowhere else" in desk.get(AT).text
    assert len(endings(application)) == 3
    assert desk.send(AT, f"{AT}/end-others").headers["location"] == f"{AT}?ended=0"


@pytest.mark.parametrize("who", ["demo1-pharmacist", "demo1-administrator", "demo2-clinician"])
def test_another_person_s_session_is_neither_seen_nor_ended(
    enter: Enter, application: FastAPI, who: str
) -> None:
    owner, tries = enter("demo1-clinician"), enter(who)
    theirs = id_of(application, owner)
    enter(who)  # so that the page has a form
    assert theirs not in tries.get(AT).text
    refused = end(tries, theirs)
    assert refused.status_code == 404
    nowhere = end(tries, "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1")
    assert nowhere.status_code == 404
    assert nowhere.text.partition("<main")[2] == refused.text.partition("<main")[2]
    tries.send(AT, f"{AT}/end-others")
    assert not is_out(owner)
    assert endings(application) == [each for each in endings(application) if each[1] != theirs]


def test_ending_takes_a_fresh_proof_and_a_stolen_cookie_has_none(
    enter: Enter, application: FastAPI, clock: Clock
) -> None:
    ward, desk = enter("demo1-clinician"), enter("demo1-clinician")
    clock.instant += LATE
    shown = desk.get(AT).text
    assert "Sign in again to end one" in shown
    assert ids_on(shown) == []
    for action in (f"{AT}/{id_of(application, ward)}/end", f"{AT}/end-others"):
        refused = desk.send(AT, action)
        assert refused.status_code == 403
        assert "you signed in more than 15 minutes ago" in refused.text
    assert not is_out(ward)
    again = enter("demo1-clinician")
    assert end(again, id_of(application, ward)).status_code == 303
    assert is_out(ward)


def test_the_session_in_use_signs_out_and_is_not_ended_here(
    enter: Enter, application: FastAPI
) -> None:
    desk = enter("demo1-clinician")
    refused = end(desk, id_of(application, desk))
    assert refused.status_code == 403
    assert "Sign out instead" in refused.text
    assert not is_out(desk)


def test_what_is_over_is_not_listed(enter: Enter, clock: Clock) -> None:
    idle = enter("demo1-clinician")
    out = enter("demo1-clinician")
    out.send("/", "/sign-out")
    clock.instant += dt.timedelta(minutes=31)
    desk = enter("demo1-clinician")
    assert "signed in nowhere else" in desk.get(AT).text
    assert is_out(idle)


def test_every_page_of_somebody_signed_in_leads_there_and_nobody_else_s(enter: Enter) -> None:
    desk = enter("demo1-clinician")
    assert 'href="/sessions"' in desk.get("/").text
    desk.send("/", "/sign-out")
    assert 'href="/sessions"' not in desk.get("/sign-in").text
    assert desk.get(AT).headers["location"] == "/sign-in"


def test_no_form_ends_anything_without_its_token(enter: Enter, application: FastAPI) -> None:
    ward, desk = enter("demo1-clinician"), enter("demo1-clinician")
    for action in (f"{AT}/{id_of(application, ward)}/end", f"{AT}/end-others"):
        assert desk.http.post(action, data={"csrf": "another session's"}).status_code == 403
        sent = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', desk.get(AT).text)[0]}
        foreign = desk.http.post(action, data=sent, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
    assert not is_out(ward)


def test_what_a_browser_calls_itself_is_not_kept(enter: Enter, application: FastAPI) -> None:
    enter("demo1-clinician", "<script>alert(1)</script> 999 000 0018 Firefox/1")
    query = sa.select(session.c.browser)
    kept = application.state.door.read(lambda work: work.connection.scalars(query).all())
    assert kept == ["Firefox"]


def test_a_person_of_two_organisations_sees_both_from_either_and_before_choosing(
    application: FastAPI, enter: Enter
) -> None:
    """Sessions are a person's, wherever they act; the wall between organisations is of objects."""
    enter("demo1-clinician")
    door = application.state.door
    limits: Limits = application.state.session_limits

    def open_two(work: Work) -> tuple[str, str]:
        person = active_person(work, str(work.connection.scalar(sa.select(session.c.person_id))))
        assert person is not None
        seats = (Seat("DEMO1", Role.CLINICIAN), Seat("DEMO2", Role.PHARMACIST))
        proved = {"correlation_id": "c", "proved_at": work.moment.instant}
        there, _ = open_session(work, person, seats[1:], limits, browser="Opera", **proved)
        choosing, _ = open_session(work, person, seats, limits, **proved)
        return there, choosing

    there, choosing = door.transact(open_two)
    here = enter("demo1-clinician")
    shown = here.get(AT).text
    assert "pharmacist at DEMO2" in shown
    assert "no role chosen yet" in shown
    assert "A browser that is not known" in shown
    here.http.cookies.clear()
    here.http.cookies.set(COOKIE, choosing)
    assert "pharmacist at DEMO2" in here.get(AT).text
    assert here.send(AT, f"{AT}/end-others").status_code == 303
    assert door.read(lambda work: find_session(work, there, limits)) is None
    assert door.read(lambda work: find_session(work, choosing, limits)) is not None


def test_a_sign_in_that_must_ask_again_says_so_in_its_state_and_cannot_be_made_of_another(
    application: FastAPI,
) -> None:
    door = application.state.door
    browser, state, _ = door.transact(begin)
    assert door.transact(lambda work: take(work, browser, f"again.{state}")) is None
    browser, state, _ = door.transact(lambda work: begin(work, again=True))
    assert state.startswith("again.")
    assert door.transact(lambda work: take(work, browser, state)) is not None
