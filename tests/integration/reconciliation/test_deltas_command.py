"""`assent slices deltas`: where no closed month has changed, and where one has."""

import csv
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.integration.reconciliation.matching import line
from tests.unit.reconciliation.builders import csv_bytes


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_it_says_that_nothing_has_changed(tmp_path: Path, form: str) -> None:
    runner = CliRunner(env={"ASSENT_DATA_DIR": str(tmp_path), "ASSENT_DEMONSTRATION": "true"})
    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    done = runner.invoke(app, ["slices", "deltas", "--organisation", "DEMQ1", "--format", form])
    assert done.exit_code == 0, done.output
    if form == "text":
        assert done.stdout == "No line of a closed month has changed since it was frozen.\n"
    elif form == "csv":
        (header,) = csv.reader(done.stdout.splitlines())
        assert "ACCEPTED DIFFERENCE" in header
    else:
        assert json.loads(done.stdout) == {"deltas": [], "left_out": 0, "slices": []}


def test_a_corrected_month_is_printed_as_a_table_as_csv_and_as_json(tmp_path: Path) -> None:
    """June is closed; a correction states one of its two lines dearer."""
    data = tmp_path / "data"
    runner = CliRunner(env={"ASSENT_DATA_DIR": str(data), "ASSENT_DEMONSTRATION": "true"})

    def run(*words: str) -> str:
        done = runner.invoke(app, [*words, "--organisation", "DEMQ1"])
        assert done.exit_code == 0, done.output
        return done.stdout

    def reconcile(name: str, *totals: str) -> None:
        path = tmp_path / name
        path.write_bytes(csv_bytes([line(dt.date(2026, 6, 20), total=each) for each in totals]))
        run("reconcile", str(path))

    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    reconcile("first.csv", "1000", "70")
    calendar = tmp_path / "calendar.csv"
    calendar.write_text(
        "financial_year,financial_month,submission,flex,freeze,challenge_by,source\n"
        "202627,3,,,2026-08-20,,Invented for the tests\n"
    )
    run("slices", "calendar", str(calendar))
    reconcile("second.csv", "1200.50", "70")

    text = run("slices", "deltas")
    assert "1,200.50" in text
    assert "taken away" in text
    assert "with a test that could not be made" in text
    (header, *rows) = csv.reader(run("slices", "deltas", "--format", "csv").splitlines())
    told = [dict(zip(header, row, strict=True)) for row in rows]
    assert sorted(row["KIND"] for row in told) == ["added", "taken away"]
    more = sum(
        Decimal(row["ACCEPTED DIFFERENCE"]) + Decimal(row["QUERIED DIFFERENCE"]) for row in told
    )
    assert more == Decimal("200.50")
    found = json.loads(run("slices", "deltas", "--format", "json"))
    (month,) = found["slices"]
    now = Decimal(month["accepted_now"]) + Decimal(month["queried_now"])
    assert now == Decimal("1270.50")
    untested = [month[f"not_testable{when}"] for when in ("", "_more", "_now")]
    assert list(map(Decimal, untested)) == [0, 0, 0]  # nothing of it is accepted
    assert {Decimal(each["not_testable_more"]) for each in found["deltas"]} == {0}
