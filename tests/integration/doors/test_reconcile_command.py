"""`assent reconcile`: exit codes, formats, the file that comes back, and doing it twice."""

import csv
import io
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.unit.reconciliation.builders import PATIENT, cells, csv_bytes
from tests.workbooks import workbook

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
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines.csv"
    rows = [cells(), cells(drug="=1+1", total="10.50"), cells(total="TBC")]
    path.write_bytes(csv_bytes(rows))
    return path


def run(*arguments: object, code: int = 0) -> Any:
    result = runner.invoke(app, ["reconcile", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def test_the_summary_comes_as_text_json_or_csv(file: Path) -> None:
    assert "1,010.50" in run(file).stdout
    shown = json.loads(run(file, "--format", "json").stdout)
    assert "1010.50" in json.dumps(shown)
    rows = list(csv.reader(io.StringIO(run(file, "--format", "csv").stdout)))
    assert len({len(row) for row in rows}) == 1
    assert PATIENT not in run(file, "--format", "json").output


def test_the_second_time_nothing_changes(file: Path) -> None:
    first, again = run(file), run(file)
    assert "nothing changed" not in first.stderr
    assert "nothing changed" in again.stderr
    assert first.stdout == again.stdout


def test_the_file_comes_back_with_outcomes_and_its_formulas_disarmed_on_request(
    file: Path, tmp_path: Path
) -> None:
    plain, safe = tmp_path / "plain.csv", tmp_path / "safe.csv"
    run(file, "-o", plain)
    run(file, "-o", safe, "--safe")
    found = {}
    for path in (plain, safe):
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        assert [row["ASSENT OUTCOME"] for row in rows] == [
            "no approval",
            "cannot be read",
            "cannot be read",
        ]
        found[path] = rows[1]["DRUG NAME"]
    assert found == {plain: "=1+1", safe: "'=1+1"}


def test_the_other_engine_prints_the_same_and_is_a_run_of_its_own(
    file: Path, tmp_path: Path
) -> None:
    plain, by_sql = run(file), run(file, "--engine", "duckdb")
    assert by_sql.stdout == plain.stdout
    assert "nothing changed" not in by_sql.stderr
    assert "nothing changed" in run(file, "--engine", "duckdb").stderr
    runs = tmp_path / "data" / "spill" / "runs"
    assert [left.name for left in runs.iterdir() if left.is_dir()] == []
    with sqlite3.connect(next((tmp_path / "data").glob("*.db"))) as database:
        engines = database.execute("SELECT engine FROM reconciliation_run").fetchall()
    assert sorted(engines) == [("duckdb",), ("plain",)]


def test_a_wrong_call_exits_with_2(tmp_path: Path, file: Path) -> None:
    assert "Check the path" in run(tmp_path / "absent.csv", code=2).output
    run(file, "--format", "xml", code=2)
    run(code=2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a workbook", b"only words\n"])
def test_a_file_that_cannot_be_read_exits_with_3(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "unreadable.csv"
    path.write_bytes(content)
    run(path, code=3)


def test_a_workbook_is_reconciled_and_comes_back_as_csv(tmp_path: Path) -> None:
    path, back = tmp_path / "lines.xlsx", tmp_path / "back.csv"
    sheets = {"Front": [["A title"]], "Lines": [list(cells()), list(cells().values())]}
    path.write_bytes(workbook(sheets))
    result = run(path, "-o", back)
    assert "1,000.00" in result.stdout
    assert "Front" in result.stderr
    rows = list(csv.DictReader(io.StringIO(back.read_text(encoding="utf-8-sig"))))
    assert [row["ASSENT OUTCOME"] for row in rows] == ["no approval"]


def test_a_file_that_is_too_large_exits_with_5_unread(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    with path.open("wb") as file:
        file.truncate(17 << 30)  # as many gigabytes that take no room on the disk
    assert "over 16384 MB" in run(path, code=5).output
    assert "over 1024 MB" in run(path, "--preview", code=5).output


@pytest.mark.parametrize("safe", [(), ("--safe",)])
def test_a_file_that_is_not_held_in_memory_comes_back_byte_for_byte_the_same(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safe: tuple[str, ...]
) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    run(file, "-o", small, *safe)
    monkeypatch.setenv("ASSENT_RECONCILIATION_MOST_LINES", "0")
    told = run(file, "-o", large, *safe).stderr
    assert "DuckDB took it from file to file" in told
    assert f"The file, with the outcome of each line: {large}" in told
    assert large.read_bytes() == small.read_bytes()
    assert b"cannot be read" in large.read_bytes()


@pytest.mark.parametrize("most", ["0", "1000"])
def test_a_file_that_cannot_be_written_back_is_told_and_the_run_stays(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    monkeypatch.setenv("ASSENT_RECONCILIATION_MOST_LINES", most)
    told = run(file, "-o", tmp_path / "nowhere" / "back.csv", code=2).stderr
    assert "The run is saved" in told
    assert "No such file or directory" in told
    assert "nothing changed" in run(file).stderr
