"""Of millions of lines neither Python holds what is distinct, nor a join all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from app.reconciliation.engines import line_sql
from app.reconciliation.engines.distinct import _AT_A_TIME, distinct, hold
from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.line_sql import Reference, hold_lines
from tests.unit.reconciliation.builders import DRUGS_AND_ORGANISATIONS, cells, snapshot, submission
from tests.unit.reconciliation.test_out_of_core import stored

#: More than a few of DuckDB's own groups of rows, and no round number of ours.
COUNT = 300_007


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"preserve_insertion_order": False}) as opened:
        opened.execute(f"CREATE TABLE many AS SELECT i % {COUNT} AS n FROM range(700_000) AS t(i)")
        yield opened


def test_each_distinct_value_is_asked_of_once_and_held_once(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    told = ((n, n * 2) for (n,) in distinct(connection, "n", "many"))
    hold(connection, "doubled", {"n": pa.int64(), "twice": pa.int64()}, told)
    found = connection.sql(
        "SELECT count(*), count(DISTINCT n), min(n), max(n), sum(twice) FROM doubled"
    ).fetchall()
    assert found == [(COUNT, COUNT, 0, COUNT - 1, COUNT * (COUNT - 1))]


def test_python_holds_some_of_them_at_a_time(connection: duckdb.DuckDBPyConnection) -> None:
    asked, behind = 0, []

    def told() -> Iterator[tuple[int]]:
        nonlocal asked
        for (n,) in distinct(connection, "n", "many"):
            asked += 1
            if asked % 1_000 == 0:
                ((held,),) = connection.sql("SELECT count(*) FROM kept").fetchall()
                behind.append(asked - held)
            yield (n,)

    hold(connection, "kept", {"n": pa.int64()}, told())
    assert asked == COUNT
    assert max(behind) <= _AT_A_TIME


def test_nothing_distinct_leaves_an_empty_table(connection: duckdb.DuckDBPyConnection) -> None:
    told = distinct(connection, "n", "many", "FALSE")
    hold(connection, "none", {"n": pa.int64()}, told)
    assert connection.sql("SELECT count(*) FROM none").fetchall() == [(0,)]


def test_no_join_of_the_lines_is_turned_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for one row behind a chain of joins, the lines would be what a join holds."""
    setting, seen = "SELECT current_setting('disabled_optimizers')", set[str]()

    def held(connection: duckdb.DuckDBPyConnection, *given: Any) -> None:
        seen.add(connection.sql(setting).fetchall()[0][0])
        hold(connection, *given)

    monkeypatch.setattr(line_sql, "hold", held)
    snap, (dictionary, organisations) = snapshot(), DRUGS_AND_ORGANISATIONS
    known = Reference(snap, index_snapshot(snap), dictionary, Folder(organisations))
    with database(Machine("1GB")) as connection:
        connection.read_parquet(str(stored(tmp_path, submission(cells()).lines))).create_view(
            "stored"
        )
        hold_lines(connection, known, tmp_path)
        after = connection.sql(setting).fetchall()
    assert [set(each.split(",")) for each in seen] == [{"join_order", "build_side_probe_side"}]
    assert after == [("",)]
