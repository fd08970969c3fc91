"""People sign in by OpenID Connect, with a real provider, and act in one role at a time."""

import datetime as dt
import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import clock
from app.audit.model import Actor
from app.auth import people, sessions
from app.auth.model import Role
from app.auth.people import Seat
from app.db.tables import audit_event, session
from app.db.work import Work
from app.web import cookies
from app.web.provider import Provider
from tests.oidc.browser import PUBLIC, SESSION, Browser
from tests.oidc.conftest import SUBJECTS_ID, Running, Turned
from tests.patience import PATIENCE_SECONDS

Open = Callable[[], Browser]
ADMINISTRATOR = Actor("admin", "system", "SERVICE", "administrator", "test", "correlation-1")


def signed_in(browser: Browser) -> bool:
    return bool(browser.get("/").status_code == 200)


def test_a_clinician_signs_in_with_pkce_state_and_nonce_and_sees_who_they_are(
    open_browser: Open,
) -> None:
    browser = open_browser()
    assert browser.get("/").headers["location"] == "/sign-in"
    address = browser.start()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) == 43

    reply = browser.ours.get(browser.at_provider(address, "clinician"))
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    shown = browser.get("/").text
    for told in ("Dr Invented", "DEMO1", "clinician", "Demonstration: everything here is invented"):
        assert told in shown


def test_the_cookies_are_kept_from_scripts_and_other_sites(open_browser: Open) -> None:
    browser = open_browser()
    given = [browser.ours.get("/sign-in/start"), browser.sign_in("clinician")]
    found = {}
    for reply in given:
        for line in reply.headers.get_list("set-cookie"):
            parsed = SimpleCookie(line)
            found |= {name: (line, morsel) for name, morsel in parsed.items() if morsel.value}
    assert set(found) == {SESSION, cookies.SIGN_IN}
    assert all(name.startswith("__Host-") for name in found)
    for line, morsel in found.values():
        assert (morsel["path"], morsel["samesite"].lower(), morsel["domain"]) == ("/", "lax", "")
        assert morsel["secure"], line
        assert morsel["httponly"], line
        assert (morsel["max-age"], morsel["expires"]) == ("", "")


def test_the_pages_allow_scripts_of_our_own_only_and_no_frame(
    open_browser: Open, running: Running
) -> None:
    browser = open_browser()
    reply = browser.get("/sign-in")
    assert reply.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {running.issuer}"
    )
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "same-origin"  # else forms come as "Origin: null"
    assert re.findall(r"<script(?! [^>]*src=\"/assets/)", reply.text) == []
    assert " style=" not in reply.text
    assert " onclick=" not in reply.text
    assert browser.get("/assets/pages.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("spoil", ["state", "browser", "code", "issuer"])
def test_what_comes_back_must_belong_to_the_sign_in_that_this_browser_began(
    open_browser: Open, spoil: str
) -> None:
    browser = open_browser()
    back = browser.at_provider(browser.start(), "clinician")
    caught = browser
    if spoil == "browser":
        caught = open_browser()  # the address is brought to somebody else's browser
        caught.start()
    elif spoil == "issuer":
        back = back.replace("iss=http", "iss=https")
    else:
        value = parse_qs(urlsplit(back).query)[spoil][0]
        back = back.replace(value, value[:-2] + ("AA" if value[-2:] != "AA" else "BB"))
    reply = caught.ours.get(back)
    assert reply.status_code == 403
    assert "Begin again" in reply.text
    assert caught.secret() is None
    assert caught.ours.get(back).status_code == 403  # and it is used up


def test_an_answer_is_used_once(open_browser: Open) -> None:
    browser = open_browser()
    back = browser.at_provider(browser.start(), "clinician")
    assert browser.ours.get(back).status_code == 303
    assert browser.ours.get(back).status_code == 403


def test_an_identity_token_for_another_nonce_is_refused(
    open_browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = open_browser()
    back = browser.at_provider(browser.start(), "clinician")
    take = sessions.take

    def another(work: Work, secret: str, state: str) -> sessions.Expected | None:
        held = take(work, secret, state)
        return held and sessions.Expected("another nonce", held.verifier)

    monkeypatch.setattr(sessions, "take", another)
    assert browser.ours.get(back).status_code == 403
    assert browser.secret() is None


def test_a_code_for_another_verifier_is_refused(
    open_browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = open_browser()
    back = browser.at_provider(browser.start(), "clinician")
    take = sessions.take

    def another(work: Work, secret: str, state: str) -> sessions.Expected | None:
        held = take(work, secret, state)
        return held and sessions.Expected(held.nonce, "v" * 43)

    monkeypatch.setattr(sessions, "take", another)
    assert browser.ours.get(back).status_code == 403


def test_a_sign_in_that_takes_too_long_begins_again(open_browser: Open, now: Turned) -> None:
    browser = open_browser()
    back = browser.at_provider(browser.start(), "clinician")
    now.ahead += sessions.SIGN_IN_LIFE
    assert browser.ours.get(back).status_code == 403


def test_who_has_several_roles_chooses_one_and_the_secret_changes(open_browser: Open) -> None:
    browser = open_browser()
    assert browser.sign_in("several").headers["location"] == "/role"
    assert browser.get("/").headers["location"] == "/role"
    choices = browser.get("/role").text
    assert "Clinician at DEMO1" in choices
    assert "Pharmacist at DEMO2" in choices
    assert choices.count('type="radio"') == 2  # the third code means nothing here

    before, csrf = browser.secret(), browser.csrf("/role")
    refused = browser.submit("/role", "/role", seat="DEMO3 clinician")
    assert refused.status_code == 403
    assert browser.submit("/role", "/role", seat="DEMO2 pharmacist").headers["location"] == "/"
    assert "DEMO2" in browser.get("/").text
    assert browser.secret() != before
    assert browser.csrf("/") != csrf

    old = open_browser()
    old.ours.cookies.set(SESSION, before or "")
    assert old.get("/").headers["location"] == "/sign-in"


def test_a_role_chosen_at_the_provider_is_the_one_acted_in(open_browser: Open) -> None:
    browser = open_browser()
    assert browser.sign_in("selected").headers["location"] == "/"
    shown = browser.get("/").text
    assert "pharmacist" in shown
    assert "DEMO2" in shown
    assert "DEMO1" not in shown.split("Drafts of your organisation")[0]


def test_who_has_no_role_is_not_let_in(open_browser: Open) -> None:
    browser = open_browser()
    reply = browser.sign_in("nobody")
    assert reply.status_code == 403
    assert "you have no role here" in reply.text
    assert browser.secret() is None


def test_a_role_granted_here_lets_a_panel_member_in(
    open_browser: Open, application: FastAPI, running: Running
) -> None:
    door = application.state.door

    def grant(work: Work) -> None:
        made = people.add_person(
            work, ADMINISTRATOR, issuer=running.issuer, subject="000000000005", name="Panel"
        )
        people.grant(work, ADMINISTRATOR, made.id, Seat("DEMP1", Role.PANEL_MEMBER))

    door.transact(grant)
    browser = open_browser()
    assert browser.sign_in("nobody").headers["location"] == "/"
    assert "panel member" in browser.get("/").text


def test_a_session_ends_when_it_was_idle_too_long(open_browser: Open, now: Turned) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    for _ in range(3):
        now.ahead += dt.timedelta(minutes=29)
        assert signed_in(browser)
    now.ahead += dt.timedelta(minutes=31)
    assert not signed_in(browser)


def test_a_session_ends_at_its_absolute_limit_however_busy_it_is(
    open_browser: Open, now: Turned
) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    for _ in range(12 * 60 // 20 - 1):
        now.ahead += dt.timedelta(minutes=20)
        assert signed_in(browser)
    now.ahead += dt.timedelta(minutes=20)
    assert not signed_in(browser)


def test_a_revoked_person_is_out_at_once_and_stays_out(
    open_browser: Open, application: FastAPI, running: Running
) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    door = application.state.door
    found = door.read(lambda work: people.find_person(work, running.issuer, "000000000001"))
    assert door.transact(lambda work: people.revoke_person(work, ADMINISTRATOR, found.id))
    assert not signed_in(browser)
    again = browser.sign_in("clinician")
    assert again.status_code == 403
    assert "your access was revoked" in again.text


def test_all_sessions_of_a_person_can_be_ended(
    open_browser: Open, application: FastAPI, running: Running
) -> None:
    both = [open_browser(), open_browser()]
    for browser in both:
        browser.sign_in("clinician")
    door = application.state.door
    found = door.read(lambda work: people.find_person(work, running.issuer, "000000000001"))
    ended = door.transact(lambda work: sessions.end_all(work, ADMINISTRATOR, found.id, "lost"))
    assert ended == 2
    assert [signed_in(browser) for browser in both] == [False, False]


def test_signing_out_ends_the_session_here_and_at_the_provider(
    open_browser: Open, running: Running
) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    secret = browser.secret()
    out = browser.submit("/", "/sign-out")
    assert out.status_code == 303
    assert out.headers["location"].startswith(f"{running.issuer}/session/end?")
    assert browser.sign_out_there(out.headers["location"]).startswith(f"{PUBLIC}/signed-out")
    browser.ours.cookies.set(SESSION, secret or "")
    assert not signed_in(browser)


def test_signing_out_at_the_provider_ends_the_session_here_once(
    open_browser: Open, running: Running
) -> None:
    browser, other = open_browser(), open_browser()
    browser.sign_in("clinician")
    other.sign_in("clinician")
    running.post.tokens.clear()
    running.post.arrived.clear()
    browser.sign_out_there(f"{running.issuer}/session/end?client_id=assent-tests")
    assert running.post.arrived.wait(PATIENCE_SECONDS), "the provider sent no logout token"
    (token,) = running.post.tokens

    address = "/sign-in/back-channel-logout"
    head, body, _ = token.split(".")
    forged = other.ours.post(address, data={"logout_token": f"{head}.{body}.AAAA"})
    assert forged.status_code == 400
    assert signed_in(browser)
    assert other.ours.post(address, data={"logout_token": token}).status_code == 200
    assert (signed_in(browser), signed_in(other)) == (False, True)  # that session and no other
    assert other.ours.post(address, data={"logout_token": token}).status_code == 400


def test_a_logout_token_that_names_a_person_alone_ends_all_of_their_sessions(
    application: FastAPI, open_browser: Open, running: Running
) -> None:
    # Our provider's subject is not the id that we know people by, as at NHS Care Identity.
    provider = application.state.provider
    application.state.provider = Provider(
        application.state.settings.model_copy(update={"oidc_client_id": SUBJECTS_ID}), clock.now
    )
    mine, also_mine, of_another = open_browser(), open_browser(), open_browser()
    mine.sign_in("clinician")
    also_mine.sign_in("clinician")
    of_another.sign_in("delegate")
    running.post.tokens.clear()
    running.post.arrived.clear()
    mine.sign_out_there(f"{running.issuer}/session/end?client_id={SUBJECTS_ID}")
    assert running.post.arrived.wait(PATIENCE_SECONDS), "the provider sent no logout token"
    (token,) = running.post.tokens
    address = "/sign-in/back-channel-logout"
    reply = of_another.ours.post(address, data={"logout_token": token})
    application.state.provider = provider
    assert reply.status_code == 200
    assert [signed_in(each) for each in (mine, also_mine, of_another)] == [False, False, True]


def test_a_provider_that_ends_everybody_s_sessions_at_once_is_heard(
    application: FastAPI, open_browser: Open
) -> None:
    browser, rate = open_browser(), application.state.limits.per_minute
    address = "/sign-in/back-channel-logout"
    replies = {browser.ours.post(address).status_code for _ in range(rate + 20)}
    assert replies == {400}  # each was looked at; 429 would lose the session that it names


def test_an_identity_token_or_a_stale_token_signs_nobody_out(
    open_browser: Open, running: Running, now: Turned
) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    running.post.tokens.clear()
    running.post.arrived.clear()
    browser.sign_out_there(f"{running.issuer}/session/end?client_id=assent-tests")
    assert running.post.arrived.wait(PATIENCE_SECONDS)
    now.ahead += dt.timedelta(minutes=20)
    address = "/sign-in/back-channel-logout"
    reply = browser.ours.post(address, data={"logout_token": running.post.tokens[0]})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    assert browser.ours.post(address).status_code == 400
    assert signed_in(browser)


@pytest.mark.parametrize("csrf", [None, "", "another", "é"])
@pytest.mark.parametrize("action", ["/sign-out", "/role", "/start/adalimumab-ra-severe"])
def test_a_form_without_its_token_does_nothing(
    open_browser: Open, csrf: str | None, action: str
) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    fields = {"policy": "adalimumab-ra-severe", "seat": "DEMO1 clinician"}
    reply = browser.ours.post(action, data=fields | ({} if csrf is None else {"csrf": csrf}))
    assert reply.status_code == 403
    assert "not of this session" in reply.text
    assert "No form is half-filled" in browser.get("/").text


def test_a_form_of_another_site_is_refused_with_the_right_token_too(open_browser: Open) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    fields = {"csrf": browser.csrf("/")}
    reply = browser.ours.post("/sign-out", data=fields, headers={"Origin": "https://evil.test"})
    assert reply.status_code == 403
    assert signed_in(browser)


def begun(browser: Browser) -> str:
    """Begin a form for a patient without a number; the address of its page about the treatment."""
    form = "/start/adalimumab-ra-severe"
    patient = {
        "patient.no_nhs_number_reason": "overseas",
        "patient.local_id": "H000777",
        "patient.sex": "female",
        "patient.birth_date-day": "1",
        "patient.birth_date-month": "2",
        "patient.birth_date-year": "1970",
    }
    at = str(browser.submit(form, form, **patient).headers["location"])
    assert at.endswith("/begun")
    return at.replace("/begun", "/treatment")


def test_a_session_lost_in_the_middle_of_a_form_loses_nothing_that_was_saved(
    open_browser: Open, now: Turned
) -> None:
    browser = open_browser()
    browser.sign_in("delegate")
    at = begun(browser)
    saved = browser.submit(
        at, at, version="1", commissioner="DEMQ1", **{"details.registry_id": "R-1"}
    )
    assert saved.status_code == 303, saved.text
    csrf = browser.csrf(at)
    now.ahead += dt.timedelta(hours=1)
    lost = browser.ours.post(at, data={"csrf": csrf, "version": "2", "commissioner": "X"})
    assert lost.status_code == 401
    assert "You were signed out before this was sent" in lost.text
    assert ">\nX</textarea>" in lost.text, "what was typed is shown again, to copy"

    browser.sign_in("delegate")
    assert f'href="{at.rpartition("/")[0]}"' in browser.get("/").text
    assert 'value="R-1"' in browser.get(at).text

    colleague = open_browser()
    colleague.sign_in("clinician")
    assert 'value="R-1"' in colleague.get(at).text
    stale = colleague.submit(at, at, version="1", **{"details.registry_id": "R-2"})
    assert stale.status_code == 409
    assert "changed in another tab or by a colleague" in stale.text
    assert 'value="R-2"' in stale.text, "what was typed comes back"
    assert 'value="R-1"' in colleague.get(at).text, "and is not saved"
    outsider = open_browser()
    outsider.sign_in("selected")  # of another hospital
    assert outsider.get(at).status_code == 404


def test_showing_a_draft_leaves_an_audit_event(open_browser: Open, application: FastAPI) -> None:
    browser = open_browser()
    browser.sign_in("delegate")
    at = begun(browser)
    count = sa.select(sa.func.count()).where(audit_event.c.action == "draft read")

    def readings() -> int | None:
        told: int | None = application.state.door.read(lambda work: work.connection.scalar(count))
        return told

    assert readings() == 0
    assert browser.get(at).status_code == 200
    assert readings() == 1


def test_the_database_holds_no_secret_and_the_log_tells_who_came_and_went(
    open_browser: Open, application: FastAPI
) -> None:
    browser = open_browser()
    browser.sign_in("several")
    browser.submit("/role", "/role", seat="DEMO1 clinician")
    secret = browser.secret() or ""
    browser.submit("/", "/sign-out")

    def look(work: Work) -> tuple[list[str], list[str]]:
        rows = [str(dict(row)) for row in work.connection.execute(sa.select(session)).mappings()]
        told = sa.select(audit_event.c.action).where(audit_event.c.object_type == "session")
        return rows, list(work.connection.scalars(told.order_by(audit_event.c.id)))

    rows, actions = application.state.door.read(look)
    assert len(secret) == 43
    assert all(secret not in row for row in rows)
    assert actions == ["sign in", "choose role", "sign out"]


def test_other_sessions_end_after_the_provider_has_asked_again_and_not_before(
    open_browser: Open, now: Turned, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward, desk = open_browser(), open_browser()
    ward.sign_in("clinician")
    desk.sign_in("clinician")
    now.ahead += dt.timedelta(minutes=16)
    assert 'href="/sign-in/start?again=yes"' in desk.get("/sessions").text
    assert desk.submit("/sessions", "/sessions/end-others").status_code == 403
    # Whoever is signed in there and is not asked has proved nothing, however new the session is.
    desk.sign_in("clinician")
    assert desk.submit("/sessions", "/sessions/end-others").status_code == 403
    assert ward.get("/").status_code == 200

    asked = str(desk.get("/sign-in/start?again=yes").headers["location"])
    named = parse_qs(urlsplit(asked).query)
    assert (named["prompt"], named["max_age"]) == (["login"], ["0"])
    # The provider answers without asking: the sign-in is not taken for a proof.
    bare = re.sub(r"&(prompt|max_age)=[^&]*", "", asked)
    before = desk.secret()
    refused = desk.get(desk.at_provider(bare, "clinician"))
    assert refused.status_code == 403
    assert "did not say that it asked you again" in refused.text
    assert desk.secret() == before
    assert desk.get("/").status_code == 200, "signed in as before"

    now.ahead = dt.timedelta()
    desk = open_browser()
    desk.sign_in("clinician")
    asked = str(desk.get("/sign-in/start?again=yes").headers["location"])
    back = desk.get(desk.at_provider(asked, "clinician"))
    assert back.headers["location"] == "/sessions"
    done = desk.submit("/sessions", "/sessions/end-others")
    assert (done.status_code, done.headers["location"]) == (303, "/sessions?ended=2")
    assert ward.get("/").headers["location"] == "/sign-in"


def test_a_session_is_no_token_of_the_api(open_browser: Open) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    assert browser.get("/v1/drafts").status_code == 401
    assert (
        browser.ours.get(
            "/v1/drafts", headers={"Authorization": f"Bearer {browser.secret()}"}
        ).status_code
        == 401
    )


def test_while_the_provider_is_down_the_page_says_so(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application.state.provider, "issuer", "http://127.0.0.1:9")
    with TestClient(application, base_url=PUBLIC, follow_redirects=False) as client:
        reply = client.get("/sign-in/start")
    assert reply.status_code == 503
    assert "drafts are kept" in reply.text
