"""`assent settings`: what is in force and where it comes from; every fault at once; no secret."""

import os

import pytest
from typer.testing import CliRunner

from app.cli import app

KEY = "a key of the tests, of 32 characters or more"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)


def run(command: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ("settings", command))
    assert result.exit_code == code, result.output
    return result.output


def test_each_setting_is_told_with_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_PORT", "8123")
    monkeypatch.setenv("ASSENT_DATABASE_URL", "postgresql+psycopg://assent:hunter2@db/assent")
    monkeypatch.setenv("ASSENT_AUDIT_KEYS_RETIRED", f'["{KEY}, the older"]')
    told = run("show").splitlines()
    assert "ASSENT_PORT=8123  (environment)" in told
    assert "ASSENT_BREAK_GLASS_MINUTES=240  (default)" in told
    assert "ASSENT_AUDIT_KEY=(set, not shown)  (environment)" in told
    assert "ASSENT_AUDIT_KEYS_RETIRED=[(set, not shown)]  (environment)" in told
    assert "ASSENT_RECORDS_KEPT_YEARS=(not set)  (default)" in told
    assert "ASSENT_DATABASE_URL=postgresql+psycopg://assent:***@db/assent  (environment)" in told
    assert "hunter2" not in str(told)
    assert KEY not in str(told)


def test_what_is_worked_out_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_DATA_DIR", "/srv/assent")
    told = run("show")
    assert "ASSENT_DATABASE_URL=sqlite:////srv/assent/assent.db  (worked out from" in told


def test_every_fault_is_told_at_once_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_PORT", "eighty")
    monkeypatch.setenv("ASSENT_SESSION_HOURS", "99")
    monkeypatch.setenv("ASSENT_AUDIT_KEYY", "a secret in the wrong place")
    monkeypatch.setenv("ASSENT_REQUIRE_BROWSER", "1")
    for command in ("check", "show"):
        told = run(command, code=2)
        assert "ASSENT_PORT: " in told
        assert "ASSENT_SESSION_HOURS: " in told
        assert "ASSENT_AUDIT_KEYY is no setting. Did you mean ASSENT_AUDIT_KEY?" in told
        assert "secret in the wrong place" not in told
        assert len(told.splitlines()) == 3


def test_a_fault_of_several_settings_together_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", "short")
    assert "The audit key is under 32 characters" in run("check", code=2)


def test_without_a_fault_it_says_so() -> None:
    assert run("check") == "The settings have no fault.\n"
