"""Every `assent report …` on an empty database, and called wrongly."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.faults.house import few_policies

runner = CliRunner()
DAYS = ("--from", "2026-06-15", "--to", "2026-06-15")
EITHER = {
    "overrides": "No request of that period was decided by a criterion that may be overridden.",
    "best-value": "No request of that period was under a policy that asks for products first.",
    "changed-answers": "No answer changed after a refusal in that period.",
}


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lay_database: Callable[[Path], None]
) -> None:
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSENT_AUDIT_KEY", "a key of the tests, of 32 characters or more")
    monkeypatch.setenv("ASSENT_POLICIES_DIR", str(few_policies(tmp_path)))
    lay_database(tmp_path)


def run(*arguments: str, code: int = 0) -> str:
    result = runner.invoke(app, ["report", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("whose", ["--commissioner", "--provider"])
@pytest.mark.parametrize("name", EITHER)
def test_a_report_on_nothing_says_so(name: str, whose: str) -> None:
    assert run(name, *DAYS, whose, "DEMO1").strip() == EITHER[name]


@pytest.mark.parametrize("named", [(), ("--provider", "DEMO1", "--commissioner", "DEMQ1")])
@pytest.mark.parametrize("name", EITHER)
def test_a_report_is_of_one_organisation(name: str, named: tuple[str, ...]) -> None:
    assert "either --commissioner or --provider" in run(name, *DAYS, *named, code=2)


def test_nobody_opened_a_record() -> None:
    told = run("break-glass", *DAYS, "--provider", "DEMO1")
    assert told.strip() == "Nobody opened a record by break-glass in that period."


@pytest.mark.parametrize("name", EITHER)
def test_days_in_the_wrong_order_are_refused(name: str) -> None:
    backwards = ("--from", "2026-06-16", "--to", "2026-06-15")
    assert "Swap the two days" in run(name, *backwards, "--provider", "DEMO1", code=2)
