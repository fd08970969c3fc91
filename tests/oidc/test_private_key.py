"""The service proves who it is to the provider with a signed assertion in place of a secret."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.approvals.library import Library
from app.db.transaction import Database
from app.main import create_app
from app.settings import Settings
from tests.functional.test_clients import new_pair
from tests.oidc.browser import PUBLIC, Browser
from tests.oidc.conftest import (
    KEY_ID,
    KEYED_ID,
    KEYED_PRIVATE,
    KEYED_PUBLIC,
    MEANINGS,
    Running,
    Turned,
)

Sign = Callable[..., int]


@pytest.fixture
def sign_in(running: Running, database: Database, now: Turned, tmp_path: Path) -> Sign:
    """Signs a clinician in with a key of ours, and gives the status of the answer."""

    def run(pem: str = KEYED_PRIVATE, kid: str = KEY_ID) -> int:
        at = tmp_path / "ours.pem"
        at.write_text(pem)
        settings = Settings(
            demonstration=True,
            data_dir=tmp_path / "var",
            public_url=PUBLIC,
            oidc_issuer=running.issuer,
            oidc_client_id=KEYED_ID,
            oidc_client_auth="private_key_jwt",
            oidc_client_key_file=at,
            oidc_client_key_id=kid,
            national_roles=MEANINGS,
        )
        app = create_app(settings, database=database, library=Library(()), now=now)
        with TestClient(app, base_url=PUBLIC, follow_redirects=False) as client:
            return int(Browser(client).sign_in("clinician").status_code)

    return run


def test_our_key_signs_us_in_each_time_anew(sign_in: Sign) -> None:
    assert [sign_in(), sign_in()] == [303, 303]


def test_a_key_that_the_provider_does_not_know_signs_nobody_in(sign_in: Sign) -> None:
    assert sign_in(pem=new_pair()[0]) == 403
    assert sign_in(kid="another") == 403


def test_a_key_that_is_too_short_stops_the_start(sign_in: Sign) -> None:
    with pytest.raises(ValueError, match="under 3072 bits"):
        sign_in(pem=new_pair(2048)[0])


def test_a_file_without_a_private_key_stops_the_start(sign_in: Sign) -> None:
    for pem in (KEYED_PUBLIC, "no key"):
        with pytest.raises(ValueError, match="no private RSA key in PEM"):
            sign_in(pem=pem)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "ASSENT_OIDC_CLIENT_KEY_FILE"),
        ({"oidc_client_key_file": Path("absent.pem")}, "ASSENT_OIDC_CLIENT_KEY_FILE"),
        ({"oidc_client_key_file": Path(__file__)}, "ASSENT_OIDC_CLIENT_KEY_ID"),
    ],
)
def test_what_is_missing_is_named(given: dict[str, Path], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(
            demonstration=True,
            oidc_issuer="https://id.example",
            oidc_client_id="assent",
            public_url="https://assent.example",
            oidc_client_auth="private_key_jwt",
            **given,  # type: ignore[arg-type]
        )
