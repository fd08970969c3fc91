"""`assent people`: who may sign in, and in which roles; and where signing in is not served."""

import os
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.cli import app
from app.db.engine import make_engine
from app.db.tables import audit_event

runner = CliRunner()
PANEL = ("--organisation", "DEMP1", "--role", "panel member")
DELEGATE = ("--organisation", "DEMO1", "--role", "delegate")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ASSENT_AUDIT_KEY", "a key of the tests, of 32 characters or more")
    monkeypatch.setenv("ASSENT_PSEUDONYM_KEY", "another key of the tests, of 32 or more")
    monkeypatch.setenv("ASSENT_PUBLIC_URL", "https://assent.test")
    monkeypatch.setenv("ASSENT_OIDC_ISSUER", "https://id.test")
    monkeypatch.setenv("ASSENT_OIDC_CLIENT_ID", "assent")
    monkeypatch.setenv("ASSENT_HOST", "127.0.0.1")


def run(*arguments: str, code: int = 0) -> str:
    result = runner.invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def add(subject: str = "000000000001", code: int = 0) -> str:
    return run("people", "add", "--subject", subject, "--name", "Dr Invented", code=code)


def test_people_are_registered_granted_roles_listed_and_revoked(tmp_path: Path) -> None:
    run("db", "upgrade")
    found = re.fullmatch(r"person ([0-9a-f-]{36})\n", add())
    assert found is not None
    person = found[1]
    assert run("people", "list") == f"{person}  Dr Invented  no role granted here\n"

    assert run("people", "grant", person, *PANEL) == "granted panel member at DEMP1\n"
    run("people", "grant", person, *DELEGATE)
    told = f"{person}  Dr Invented  delegate at DEMO1, panel member at DEMP1\n"
    assert run("people", "list") == run("people", "list", "--organisation", "DEMP1") == told
    assert run("people", "list", "--organisation", "DEMP2") == ""

    assert run("people", "withdraw", person, *DELEGATE) == "withdrawn delegate at DEMO1\n"
    assert run("people", "revoke", person) == f"revoked {person}\n"
    assert run("people", "list") == f"{person}  Dr Invented (revoked)  panel member at DEMP1\n"

    engine = make_engine(f"sqlite:///{tmp_path / 'data' / 'assent.db'}")
    with engine.connect() as connection:
        actions = list(connection.scalars(sa.select(audit_event.c.action)))
    engine.dispose()
    assert actions == [
        "register person",
        "grant role",
        "grant role",
        "withdraw role",
        "revoke person",
    ]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("grant", "nobody", *PANEL), "no active person of that id"),
        (("withdraw", "nobody", *PANEL), "was not granted that role"),
        (("revoke", "nobody"), "No active person has that id"),
        (("add", "--subject", " ", "--name", "X"), "has 1 to 120 characters"),
        (("add", "--subject", "1", "--name", "x" * 121), "has 1 to 120 characters"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(command: tuple[str, ...], why: str) -> None:
    run("db", "upgrade")
    assert why in run("people", *command, code=1)


def test_nothing_is_granted_twice() -> None:
    run("db", "upgrade")
    person = add().split()[1]
    assert "registered already" in add(code=1)
    run("people", "grant", person, *PANEL)
    assert "has that role there already" in run("people", "grant", person, *PANEL, code=1)
    wrong = ("--organisation", "demp1", "--role", "panel member")
    assert "upper-case letters and digits" in run("people", "grant", person, *wrong, code=1)


def test_the_service_refuses_to_start_with_demonstration_sign_in_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASSENT_DEMONSTRATION_SIGN_IN", "true")
    monkeypatch.setenv("ASSENT_PUBLIC_URL", "http://127.0.0.1:8000")
    assert "demonstration mode only" in run("serve", code=2)
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    assert "this machine only" in run("serve", "--host", "0.0.0.0", code=2)
