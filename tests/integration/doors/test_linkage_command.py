"""`assent linkage …` on a run with nothing to propose, on wrong calls, and the table it prints."""

import datetime as dt
import os
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.commands import linkage
from app.reconciliation.linkage.model import Candidate, FieldShown, Proposed
from app.reconciliation.linkage.proposing import Listed
from app.reconciliation.linkage.store import Counts, ProposalRecord, SearchRecord
from tests.unit.reconciliation.builders import PATIENT, cells, csv_bytes

runner = CliRunner()
NOBODY = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"


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
    """A run of DEMQ1 over a supply that nothing covers and one whose patient is withheld."""
    path = tmp_path / "lines.csv"
    withheld = cells(nhs="", local="", withheld="03", total="10.50")
    path.write_bytes(csv_bytes([cells(), withheld]))
    done = runner.invoke(app, ["reconcile", str(path), "--organisation", "DEMQ1"])
    found = re.search(r"Run: (\S+)", done.stderr)
    assert found is not None, done.output
    return found.group(1)


def called(*arguments: str, code: int = 0) -> Any:
    result = runner.invoke(app, ["linkage", *arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert PATIENT not in result.output
    return result


def test_where_nothing_is_held_each_line_is_counted_with_its_reason(run: str) -> None:
    payer = ("--commissioner", "DEMQ1")
    assert "Nothing was proposed" in called("list", run, *payer).stderr
    told = called("propose", run, *payer).stdout
    assert "Model linkage-1; 0 proposals. Nothing is matched by them." in told
    assert "1  no approval of the drug at that time" in told
    assert "1  identity withheld" in told
    assert called("list", run, *payer).stdout == told


def test_another_organisation_finds_neither_run_nor_proposal(run: str) -> None:
    why = ("--reason", "No.")
    for who in (("--commissioner", "DEMQ2"), ("--provider", "DEMO1")):
        assert "No such" in called("propose", run, *who, code=3).stderr
        assert "No such" in called("list", run, *who, code=3).stderr
        assert "No such proposal" in called("refuse", NOBODY, *who, *why, code=3).stderr
    named = (NOBODY, "PA0000000000000", "--commissioner", "DEMQ1", *why)
    assert "No such proposal" in called("accept", *named, code=3).stderr
    called("propose", run, code=2)


def test_the_table_tells_candidates_that_are_alike_and_calls_none_certain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    fields = (
        FieldShown("birth date", "birth date agrees", 12.94),
        FieldShown("drug", "drug", None),
    )
    one, other = (
        Candidate(f"PA000000000000{i}", f"T{i}", 0.49999, 12.94, fields, "d", "e") for i in (1, 2)
    )
    sure = Candidate("PA0000000000009", "T9", 0.999999, 30.0, fields, "d", "e")
    made = [
        ProposalRecord(f"P{row}", "S", "R", proposed, "open", None, None, None, None, None)
        for row, proposed in (
            (4, Proposed(4, "k", (one, other), None, 9, "60.5")),
            (7, Proposed(7, "l", (sure,), one, 9, "30")),
        )
    ]
    at = dt.datetime(2026, 6, 15, tzinfo=dt.UTC)
    search = SearchRecord("S", "R", "linkage-1", "d", {"one approval proposed": 1}, at)
    linkage._print(Listed(search, Counts(2, 2, Decimal("90.50")), tuple(made), next=7))
    told = capsys.readouterr().out
    assert told.count("one of 2 alike") == 2
    assert "birth date agrees (+12.9); drug" in told
    assert "0.9999" in told
    assert "1.0000" not in told
    assert "next best" in told
    assert "60.50" in told
    assert "2 wait, for lines that charge £90.50." in told
    assert "--after 7" in told
