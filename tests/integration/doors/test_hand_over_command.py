"""`assent terms hand-over`: by two people, from a day that has come."""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.faults.house import few_policies

runner = CliRunner()
TODAY = dt.datetime.now(dt.UTC).date()
TWO = ("--by", "Ann One", "--seconded-by", "Ben Two")


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lay_database: Callable[[Path], None]
) -> None:
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    monkeypatch.setenv("ASSENT_POLICIES_DIR", str(few_policies(tmp_path)))
    lay_database(tmp_path)


def run(*who: str, day: str = "2026-06-01", to: str = "DEMQ2", code: int = 0) -> str:
    asked = ["natalizumab", "--organisation", "DEMQ1", "--to", to, "--from", day]
    result = runner.invoke(app, ["terms", "hand-over", *asked, "--reason", "Delegated.", *who])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_two_people_hand_over(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "0 treatment(s) went to DEMQ2 from 01/06/2026 on; 0 request(s) wait with DEMQ1."
    assert run(*TWO) == told
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "false")
    monkeypatch.setenv("ASSENT_AUDIT_KEY", "a key of the tests, of 32 characters or more")
    assert "nobody's here" in run(*TWO, code=3), "elsewhere both are registered"


@pytest.mark.parametrize(
    ("who", "changes", "code", "why"),
    [
        (("--by", "Ann One", "--seconded-by", " ann  one"), {}, 3, "takes two people"),
        (("--by", "Ann One"), {}, 2, "--seconded-by"),
        (TWO, {"to": "DEMQ1"}, 3, "to itself"),
        (TWO, {"to": "DEMO1"}, 3, "No commissioner with that code"),
        (TWO, {"day": f"{TODAY + dt.timedelta(days=3)}"}, 3, "Its first day is"),
    ],
)
def test_what_is_not_theirs_to_do_is_refused(
    who: tuple[str, ...], changes: dict[str, str], code: int, why: str
) -> None:
    assert why in run(*who, code=code, **changes)
