"""The command line: set up a database, register a caller, serve it, and stop cleanly."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from app.cli import app
from app.db.upgrade import head
from tests.faults.cluster import free_port
from tests.patience import PATIENCE_SECONDS, tries

runner = CliRunner()
KEY = "a key of the tests, of 32 characters or more"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv("ASSENT_REGISTERED_TOKENS", "true")


def run(*arguments: str, code: int = 0) -> str:
    result = runner.invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def add_caller(*more: str, code: int = 0) -> str:
    described = ("--name", "EPR", "--organisation", "DEMO1", "--role", "clinician")
    return run("callers", "add", *described, *more, code=code)


def test_the_database_is_made_and_upgraded_and_the_second_time_nothing_happens() -> None:
    assert "applied" in run("db", "upgrade")
    assert run("db", "upgrade") == f"the database is at {head()}\n"


def test_a_caller_is_added_with_a_token_shown_once_and_can_be_revoked() -> None:
    run("db", "upgrade")

    output = add_caller()
    caller = re.search(r"^caller ([0-9a-f-]{36})$", output, re.MULTILINE)
    assert caller is not None
    assert re.search(r"^token  [\w-]{43}$", output, re.MULTILINE)

    assert "ASSENT_REGISTERED_TOKENS" not in output

    assert run("callers", "revoke", caller[1]) == f"revoked {caller[1]}\n"
    assert "No active caller" in run("callers", "revoke", caller[1], code=1)


def test_a_token_that_the_service_will_not_take_is_given_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("db", "upgrade")
    monkeypatch.delenv("ASSENT_REGISTERED_TOKENS")
    assert "only with ASSENT_REGISTERED_TOKENS=true" in add_caller()


def test_a_caller_that_cannot_be_registered_is_refused_with_the_reason() -> None:
    run("db", "upgrade")

    assert "upper-case" in add_caller("--organisation", "demo1", code=1)


def test_without_an_audit_key_nothing_starts_and_the_setting_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ASSENT_AUDIT_KEY")

    for command in (["db", "upgrade"], ["serve"], ["worker"]):
        assert "ASSENT_AUDIT_KEY" in run(*command, code=2)


def test_a_worker_until_idle_stops_when_nothing_waits_and_gives_signals_back() -> None:
    run("db", "upgrade")
    before = signal.getsignal(signal.SIGTERM)

    run("worker", "--until-idle")

    assert signal.getsignal(signal.SIGTERM) is before


def test_sqlite_is_not_served_by_several_processes() -> None:
    assert "one serving process" in run("serve", "--workers", "2", code=2)


def test_several_processes_are_given_the_time_that_a_busy_machine_takes_to_start_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """uvicorn kills one that says nothing for 5 seconds, and begins anew: then none ever serves."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _, **options: given.update(options))
    monkeypatch.setenv("ASSENT_DATABASE_URL", "postgresql://nobody@127.0.0.1/none")

    run("serve", "--workers", "2")

    assert given["workers"] == 2
    assert given["timeout_worker_healthcheck"] >= 60


def test_the_description_can_be_written_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"

    assert "is stale" in run("openapi", "--check", "--file", str(file), code=1)
    run("openapi", "--write", "--file", str(file))
    run("openapi", "--check", "--file", str(file))
    assert run("openapi") == file.read_text(encoding="utf-8")


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port"]
    process = subprocess.Popen(
        [*command, str(port)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process, f"http://127.0.0.1:{port}"
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.slow
def test_the_service_serves_what_the_command_line_set_up(
    server: tuple[subprocess.Popen[str], str],
) -> None:
    process, url = server
    wait_for(f"{url}/livez")
    assert httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 503

    run("db", "upgrade")
    token = re.search(r"token  (\S+)", add_caller())
    assert token is not None

    assert httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
    secret = "/v1/policies/zephaniah"
    reply = httpx.get(
        url + secret, headers={"Authorization": f"Bearer {token[1]}"}, timeout=PATIENCE_SECONDS
    )
    assert (reply.status_code, reply.json()["code"]) == (404, "policy-not-found")
    assert "server" not in reply.headers

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert "/v1/policies/{policy}" in err
    for text in (out, err):
        assert "zephaniah" not in text
        assert token[1] not in text


def wait_for(url: str) -> None:
    for _ in tries():
        try:
            httpx.get(url, timeout=PATIENCE_SECONDS)
        except httpx.TransportError:
            continue
        else:
            return
    pytest.fail("the service does not answer")
