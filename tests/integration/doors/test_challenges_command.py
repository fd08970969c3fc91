"""`assent challenges …`: from a run to a credit, each step by its own side."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.unit.reconciliation.builders import PATIENT, cells, csv_bytes

runner = CliRunner()


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lay_database: Callable[[Path], None]
) -> None:
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ASSENT_AUDIT_KEY", "a key of the tests, of 32 characters or more")
    lay_database(tmp_path / "data")


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A run of DEMQ1 over two supplies that nothing covers."""
    path = tmp_path / "lines.csv"
    path.write_bytes(csv_bytes([cells(), cells(total="10.50")]))
    done = runner.invoke(app, ["reconcile", str(path), "--organisation", "DEMQ1"])
    found = re.search(r"Run: (\S+)", done.stderr)
    assert found is not None, done.output
    return found.group(1)


def challenges(*arguments: str, code: int = 0) -> Any:
    result = runner.invoke(app, ["challenges", *arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert PATIENT not in result.output
    return result


def test_a_challenge_goes_from_its_draft_to_its_credit(run: str) -> None:
    drafted = challenges("draft", run, "--commissioner", "DEMQ1").stdout
    assert "1,010.50" in drafted
    (id,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", drafted)
    assert id not in challenges("list", "--provider", "DEMO1").stdout
    payer, trust = ("--commissioner", "DEMQ1"), ("--provider", "DEMO1")
    challenges("raise", id, *payer, "--respond-by", "2199-01-01")
    assert "row 2: £10.50" in challenges("show", id, *trust).stdout
    challenges("answer", id, *trust, "--evidence", f"Patient {PATIENT} was approved late.")
    assert "Answer: Patient [hidden] was approved late." in challenges("show", id, *payer).stdout
    upheld = challenges("uphold", id, *payer, "--reason", "None shown.", "--amount", "10.50")
    assert "upheld" in upheld.stdout
    assert "credited" in challenges("credit", id, *payer, "--note", "CN-1").stdout
    again = challenges("draft", run, *payer)
    assert "Not challenged: 2 line(s), £1,010.50: it is challenged already." in again.stdout
    assert "It is closed" in challenges("withdraw", id, *payer, "--reason", "x", code=3).stderr


def test_another_organisation_finds_neither_run_nor_challenge(run: str) -> None:
    other = ("--commissioner", "DEMQ2")
    assert "No such reconciliation run" in challenges("draft", run, *other, code=3).stderr
    drafted = challenges("draft", run, "--commissioner", "DEMQ1").stdout
    (id,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", drafted)
    for who in (other, ("--provider", "DEMO1"), ("--provider", "DEMO2")):
        assert "No such challenge" in challenges("show", id, *who, code=3).stderr
    challenges("list", code=2)


def test_a_run_is_exported_explained_and_decided_by_hand(run: str, tmp_path: Path) -> None:
    def runs(*arguments: str, code: int = 0) -> Any:
        result = runner.invoke(app, ["runs", *arguments])
        assert result.exit_code == code, result.output
        assert PATIENT not in result.output
        return result

    for format in ("xlsx", "csv", "parquet", "json"):
        made = tmp_path / f"run.{format}"
        runs("export", run, "-o", str(made), "--organisation", "DEMQ1", "--format", format)
        assert made.stat().st_size > 100
        assert PATIENT.encode() not in made.read_bytes()
    told = runs("line", run, "2", "--organisation", "DEMQ1").stdout
    assert '"name": "NHS number, elsewhere"' in told
    payer = ("--commissioner", "DEMQ1")
    kept = runs("override", run, "2", *payer, "--accept", "--reason", "Agreed.").stdout
    (id,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", kept)
    again = runner.invoke(
        app, ["reconcile", str(tmp_path / "lines.csv"), "--organisation", "DEMQ1"]
    )
    assert "nothing changed" not in again.stderr
    assert "10.50" in again.stdout
    assert "undone" in runs("undo", id, *payer, "--reason", "No.").stdout
    no_such = runs("match", run, "1", "PA0000000000000", *payer, "--reason", "x", code=3)
    assert "No such approval" in no_such.stderr


def test_a_trust_checks_a_draft_and_a_planned_supply_and_nothing_is_stored(
    run: str, tmp_path: Path
) -> None:
    back = tmp_path / "back.csv"
    draft = ["reconcile", str(tmp_path / "lines.csv"), "--draft", "DEMO1", "-o", str(back)]
    done = runner.invoke(app, draft)
    assert done.exit_code == 0, done.output
    assert "2 line(s) would be challenged. Nothing was stored." in done.stderr
    assert "Submit a request for this treatment" in back.read_text()
    other = runner.invoke(app, [*draft[:3], "DEMO2"])
    assert (other.exit_code, "name another provider" in other.stderr) == (3, True)
    supply = ["supply-check", "TYSABRI 300mg", "--provider", "DEMO1", "--on", "2025-06-10"]
    told = runner.invoke(app, [*supply, "--nhs-number", PATIENT])
    assert "no approval: would be challenged" in told.stdout, told.output
    assert "Form: initiation" in told.stdout
