"""`assent reconcile --engine spark`: the same summary, quietly, and nothing left behind."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.spark.standalone import left_behind
from tests.unit.reconciliation.builders import cells, csv_bytes

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def assent(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {n: v for n, v in os.environ.items() if not n.startswith("ASSENT_")}
    environment |= {
        "ASSENT_DATA_DIR": str(folder / "data"),
        "ASSENT_AUDIT_KEY": "a key of the tests, of 32 characters or more",
    } | settings
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def test_the_command_prints_what_the_plain_engine_gives(
    spark_is_here: None, tmp_path: Path
) -> None:
    file = tmp_path / "lines.csv"
    file.write_bytes(csv_bytes([cells(), cells(total="10.50"), cells(total="TBC")]))
    assent(tmp_path, "db", "upgrade")
    by_spark = assent(tmp_path, "reconcile", str(file), "--engine", "spark")
    plain = assent(tmp_path, "reconcile", str(file))
    assert "1,010.50" in by_spark.stdout
    assert by_spark.stdout == plain.stdout
    assert "WARN" not in by_spark.stderr
    assert "park" not in by_spark.stderr
    assert left_behind(tmp_path / "data" / "spill") == []
    with sqlite3.connect(tmp_path / "data" / "assent.db") as database:
        engines = database.execute("SELECT engine FROM reconciliation_run ORDER BY 1").fetchall()
    assert engines == [("plain",), ("spark",)]


def test_a_file_over_the_limit_goes_from_file_to_file_on_spark(
    spark_is_here: None, tmp_path: Path
) -> None:
    file = tmp_path / "lines.csv"
    file.write_bytes(csv_bytes([cells(), cells(total="10.50"), cells(total="TBC")]))
    assent(tmp_path, "db", "upgrade")
    most = {"ASSENT_RECONCILIATION_MOST_LINES": "2"}
    by_spark = assent(tmp_path, "reconcile", str(file), "--engine", "spark", **most)
    assert "1,010.50" in by_spark.stdout
    assert left_behind(tmp_path / "data" / "spill") == []
    with sqlite3.connect(tmp_path / "data" / "assent.db") as database:
        query = "SELECT engine, outcomes_file FROM reconciliation_run"
        ((engine, outcomes),) = database.execute(query).fetchall()
    assert engine == "spark"
    assert list((tmp_path / "data").rglob(f"*{outcomes}*"))
