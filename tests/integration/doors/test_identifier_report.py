"""`assent report identifier-access`: how often a commissioner's people saw who a patient is."""

import datetime as dt
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.approvals.identifiers import BY_SEARCH, record_run, record_search
from app.auth.model import Caller, Role
from app.cli import app
from app.db.engine import make_engine
from app.db.transaction import Database
from app.door import Door

runner = CliRunner()
KEY = "a key of the tests, of 32 characters or more"
NOON = dt.datetime(2026, 6, 15, 11, tzinfo=dt.UTC)
DAYS = ("--from", "2026-06-15", "--to", "2026-06-15")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)


def run(*arguments: str, code: int = 0) -> str:
    result = runner.invoke(app, ["report", "identifier-access", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_each_way_and_caller_is_counted_for_its_own_commissioner(tmp_path: Path) -> None:
    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    engine = make_engine(f"sqlite:///{tmp_path / 'assent.db'}")
    database = Database(engine, KEY.encode())

    def validator(organisation: str, name: str) -> Caller:
        role = Role.INVOICE_VALIDATION
        return Caller(name, name, "person", organisation, role, "client", "correlation")

    def search(at: dt.datetime, caller: Caller, times: int) -> None:
        door = Door(database, now=lambda: at)
        for _ in range(times):
            door.transact(lambda work: record_search(work, caller, "An invoice was queried."))

    search(NOON, validator("DEMQ1", "anne"), 2)
    search(NOON + dt.timedelta(days=1), validator("DEMQ1", "anne"), 1)
    search(NOON, validator("DEMQ2", "bert"), 1)
    door = Door(database, now=lambda: NOON)
    anne = validator("DEMQ1", "anne")
    door.transact(lambda work: record_run(work, anne, "run-1", 12, "Year end."))

    told = run("--commissioner", "DEMQ1", *DAYS)
    assert len(told.splitlines()) == 2
    (line,) = [line for line in told.splitlines() if BY_SEARCH in line]
    assert "anne" in line
    assert "2" in line.replace("2026", "")
    assert "bert" not in told
    assert "bert" in run("--commissioner", "DEMQ2", *DAYS)
    assert "Nobody's identifiers" in run("--commissioner", "DEMQ3", *DAYS)
    backwards = ("--from", "2026-06-16", "--to", "2026-06-15")
    assert "lies before the first" in run("--commissioner", "DEMQ1", *backwards, code=2)
    engine.dispose()
