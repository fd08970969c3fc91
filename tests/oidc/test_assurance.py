"""What a security officer asks of the sign-in: how strong it was, what it leaves, what is noted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.common.errors import AuthlibBaseError
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from app.approvals.library import Library
from app.db.transaction import Database
from app.main import create_app
from app.settings import Settings
from app.web import provider
from app.web.provider import Provider, ProviderRefused
from tests.oidc.browser import PUBLIC, SESSION, Browser
from tests.oidc.conftest import CLIENT_ID, MEANINGS, SECRET, Running, Turned
from tests.security_events import Told, told

Open = Callable[[], Browser]
__all__ = ["told"]  # a fixture


@pytest.fixture
def strict(
    running: Running, database: Database, now: Turned, tmp_path: Path
) -> Iterator[TestClient]:
    """The service where two factors are asked for."""
    settings = Settings(
        demonstration=True,
        data_dir=tmp_path / "var",
        public_url=PUBLIC,
        oidc_issuer=running.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SECRET,
        oidc_acr=("two-factors",),
        national_roles=MEANINGS,
    )
    app = create_app(settings, database=database, library=Library(()), now=now)
    with TestClient(app, base_url=PUBLIC, follow_redirects=False) as client:
        yield client


def test_who_signed_in_less_strongly_than_the_settings_ask_is_not_let_in(
    strict: TestClient, told: Told
) -> None:
    browser = Browser(strict)
    asked = parse_qs(urlsplit(browser.start()).query)
    assert asked["acr_values"] == ["two-factors"]
    for who in ("clinician", "delegate"):  # one factor; and nothing is said of how
        weak = Browser(strict)
        refused = weak.sign_in(who)
        assert refused.status_code == 403
        assert "asks for a stronger sign-in" in refused.text
        assert weak.secret() is None
    told()
    strong = Browser(strict)
    assert strong.sign_in("careful").headers["location"] == "/"
    (event,) = told()
    assert (event["what"], event["outcome"], event["acr"]) == ("sign-in", "accepted", "two-factors")


def test_signing_in_again_ends_the_session_of_before(open_browser: Open) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    before = browser.secret()
    browser.sign_in("clinician")
    assert browser.secret() != before
    assert browser.get("/").status_code == 200
    old = open_browser()
    old.ours.cookies.set(SESSION, before or "")
    assert old.get("/").headers["location"] == "/sign-in"


def test_signing_out_lets_the_browser_forget_what_it_kept(open_browser: Open) -> None:
    browser = open_browser()
    browser.sign_in("clinician")
    out = browser.submit("/", "/sign-out")
    assert out.headers["clear-site-data"] == '"cache", "storage"'
    assert f'{SESSION}=""' in out.headers["set-cookie"]


def test_who_comes_and_goes_is_noted_good_and_bad_and_without_a_secret(
    open_browser: Open, told: Told, running: Running
) -> None:
    browser = open_browser()
    browser.sign_in("several")
    secret = browser.secret() or "none"
    browser.submit("/role", "/role", seat="DEMO2 pharmacist")
    browser.submit("/", "/sign-out")
    entered, chose, left = told()
    assert (entered["what"], entered["outcome"], entered["how"]) == (
        "sign-in",
        "accepted",
        "provider",
    )
    assert entered["who"] == chose["who"] == left["who"]
    assert (chose["role"], chose["organisation"]) == ("pharmacist", "DEMO2")
    assert left["what"] == "sign-out"
    assert all(each["peer"] and each["correlation_id"] for each in (entered, chose, left))

    spoilt = open_browser()
    back = spoilt.at_provider(spoilt.start(), "clinician")
    assert spoilt.ours.get(f"{back}x").status_code == 403
    nobody = open_browser()
    assert nobody.sign_in("nobody").status_code == 403
    stale = open_browser()
    stale.ours.cookies.set(SESSION, secret)
    stale.get("/")
    forged = {"logout_token": "a.b.c"}
    assert stale.ours.post("/sign-in/back-channel-logout", data=forged).status_code == 400
    events = told()
    assert [(each["what"], each["outcome"]) for each in events] == [
        ("sign-in", "refused"),
        ("sign-in", "refused"),
        ("credential of a call", "refused"),
        ("sign-out at the provider", "refused"),
    ]
    assert "you have no role here" in events[1]["why"]
    assert "000000000005" not in str(events), "no id of the provider's"
    for hidden in (secret, "Two Hats", "code=", "state="):
        assert hidden not in str(events)


def test_a_refused_step_on_a_page_and_a_form_of_another_session_are_noted(
    open_browser: Open, told: Told
) -> None:
    browser = open_browser()
    browser.sign_in("delegate")
    told()
    assert browser.get("/administration").status_code == 403
    assert browser.ours.post("/sign-out", data={"csrf": "another"}).status_code == 403
    refused, form = told()
    assert (refused["what"], refused["role"], refused["organisation"]) == (
        "access",
        "delegate",
        "DEMO1",
    )
    assert form["what"] == "form of another site or session"
    assert form["who"] == refused["who"]


@pytest.mark.parametrize(
    ("typ", "taken"),
    [("logout+jwt", True), ("JWT", True), ("at+jwt", False), ("dpop+jwt", False)],
)
def test_a_token_of_another_kind_signs_nobody_out(
    monkeypatch: pytest.MonkeyPatch, now: Turned, typ: str, taken: bool
) -> None:
    issuer = "https://id.example"
    settings = Settings(
        demonstration=True,
        public_url=PUBLIC,
        oidc_issuer=issuer,
        oidc_client_id=CLIENT_ID,
    )
    key = RSAKey.generate_key(3072, {"kid": "k"})
    known = provider._Known(now(), {}, KeySet([key]))
    made = Provider(settings, now)
    monkeypatch.setattr(made, "_metadata", lambda **_: known)
    claims = {
        "iss": issuer,
        "aud": CLIENT_ID,
        "jti": "1",
        "sub": "somebody",
        "iat": int(now().timestamp()),
        "events": {provider.LOGOUT_EVENT: {}},
    }
    text = jwt.encode({"alg": "RS256", "kid": "k", "typ": typ}, claims, key)
    if taken:
        assert made.signed_out(text).subject == "somebody"
    else:
        with pytest.raises(ProviderRefused, match="another kind"):
            made.signed_out(text)


def test_an_identity_token_is_taken_for_this_client_and_now_only(
    monkeypatch: pytest.MonkeyPatch, now: Turned
) -> None:
    issuer = "https://id.example"
    settings = Settings(
        demonstration=True, public_url=PUBLIC, oidc_issuer=issuer, oidc_client_id=CLIENT_ID
    )
    key = RSAKey.generate_key(3072, {"kid": "k"})
    known = provider._Known(now(), {}, KeySet([key]))
    made = Provider(settings, now)
    monkeypatch.setattr(made, "_metadata", lambda **_: known)
    at = int(now().timestamp())
    right = {
        "iss": issuer,
        "aud": CLIENT_ID,
        "sub": "somebody",
        "iat": at,
        "exp": at + 300,
        "nonce": "n",
    }

    def taken(**wrong: object) -> object:
        text = jwt.encode({"alg": "RS256", "kid": "k"}, right | wrong, key)
        return made._identity({"id_token": text, "access_token": "x"}, "n")["sub"]

    assert taken() == "somebody"
    for wrong in (
        {"aud": "another client"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"exp": at - 3600},
        {"nonce": "another"},
    ):
        with pytest.raises((AuthlibBaseError, JoseError)):
            taken(**wrong)


def test_a_provider_whose_document_names_another_issuer_is_not_read(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch, running: Running
) -> None:
    told_us = {"issuer": "https://evil.example", "jwks_uri": f"{running.issuer}/jwks"}
    monkeypatch.setattr(provider, "_json", lambda _client, _url: told_us)
    with TestClient(application, base_url=PUBLIC, follow_redirects=False) as client:
        assert client.get("/sign-in/start").status_code == 503
