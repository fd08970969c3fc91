"""Where Spark's ways differ from DuckDB's: each is settled, and nothing is told of a patient."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from app.reconciliation.engines import spark
from app.reconciliation.engines.duckdb import InDuckDB, Machine, database
from app.reconciliation.engines.in_sql import Executor
from app.reconciliation.engines.table_columns import AMOUNT
from app.reconciliation.errors import SparkFailed
from app.reconciliation.sql import Step

pytestmark = [pytest.mark.spark, pytest.mark.slow]
NUMBER = "9990000018"  # of the range for tests
PENNY_PART, LARGEST, SMALLEST = Decimal("0.00000001"), Decimal("9" * 30), Decimal("-" + "9" * 30)
DAY = dt.date(2025, 6, 10)
DAYS = [DAY, dt.date(9999, 12, 31), None, dt.date(1500, 1, 1), dt.date(2024, 2, 29), DAY, DAY, None]
WORDS = ["b", "B", "", None, "é", "b ", "\uffff", "\U0001f600"]
AMOUNTS = [Decimal("1.1"), PENNY_PART, None, Decimal("-7.125"), Decimal(0), PENNY_PART, None, None]
TABLE = pa.table(
    {
        "pos": pa.array(range(8), pa.int64()),
        "day": pa.array(DAYS, pa.date32()),
        "word": pa.array(WORDS, pa.string()),
        "amount": pa.array(AMOUNTS, AMOUNT),
        "days": pa.array([3, 0, 1, None, 366, -1, None, 2], pa.int32()),
        "yes": pa.array([True, False, None, True, False, None, True, True], pa.bool_()),
    }
)


@pytest.fixture(scope="module")
def in_spark(local: spark.Running) -> Iterator[spark.InSpark]:
    with spark.opened(local) as executor:
        executor.hold("t", TABLE)
        yield executor


@pytest.fixture(scope="module")
def in_duckdb() -> Iterator[InDuckDB]:
    with database(Machine()) as connection:
        executor = InDuckDB(connection)
        executor.hold("t", TABLE)
        yield executor


@pytest.mark.parametrize(
    "expression",
    [
        "row_number() OVER (ORDER BY word, pos)",
        "row_number() OVER (ORDER BY word DESC, pos)",
        "row_number() OVER (ORDER BY day DESC, amount, pos)",
        "greatest(day, day + days)",
        "greatest(date_diff('day', day, DATE '2025-06-10'), 0)",
        "day + days >= DATE '2025-06-10'",
        "word = 'b' OR yes",
        "NOT yes AND amount > 0",
        "coalesce(amount = 0, TRUE)",
        "CASE WHEN yes THEN 0 WHEN NOT yes THEN amount END",
        "coalesce(amount, 0) - coalesce(days, 0)",
        f"CAST(1 AS DECIMAL(38, 8)) - CAST({PENNY_PART:f} AS DECIMAL(38, 8))",
        "coalesce(amount, 0) + CAST(123456789012345678.12345678 AS DECIMAL(38, 8))",
        "-abs(amount)",
        "sum(amount) OVER (ORDER BY pos ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)",
        "max(CASE WHEN yes THEN 1 ELSE 0 END) OVER (PARTITION BY word)",
        "count(*) OVER (PARTITION BY yes)",
        "word IN ('b', 'é')",
        "count(*) OVER (PARTITION BY word)",
        "word IS NOT DISTINCT FROM NULL",
    ],
)
def test_an_expression_of_the_steps_says_the_same_in_both(
    in_spark: spark.InSpark, in_duckdb: InDuckDB, expression: str
) -> None:
    said = [_said(each, expression) for each in (in_spark, in_duckdb)]
    assert said[0] == said[1]


def _said(executor: Executor, expression: str) -> list[object]:
    rows = executor.read(f"SELECT pos, {expression} AS said FROM t").sort_by("pos")
    found: list[object] = rows.column("said").to_pylist()
    return found


@pytest.mark.parametrize("over", ["a + a", "a - b", "a * a", "sum(a) OVER ()"])
def test_an_amount_that_overflows_raises_and_is_never_null(
    in_spark: spark.InSpark, over: str
) -> None:
    wide = pa.array([LARGEST, LARGEST], AMOUNT)
    in_spark.hold("wide", pa.table({"a": wide, "b": pa.array([SMALLEST, SMALLEST], AMOUNT)}))
    with pytest.raises(SparkFailed, match=r"step too_wide \(.*(OVERFLOW|OUT_OF_RANGE)"):
        in_spark.make(Step("too_wide", f"SELECT {over} AS x FROM wide", is_view=False))
    in_spark.drop("wide")
    in_spark.drop("too_wide")  # what a failed step leaves goes with the run's folder


def test_a_failure_names_the_step_and_no_value(
    in_spark: spark.InSpark, capfd: pytest.CaptureFixture[str]
) -> None:
    in_spark.hold("told", pa.table({"nhs_number": [f"{NUMBER}x"]}))
    step = Step("reading", "SELECT CAST(nhs_number AS BIGINT) AS n FROM told", is_view=False)
    with pytest.raises(SparkFailed) as raised:
        in_spark.make(step)
    assert "step reading (CAST_INVALID_INPUT" in str(raised.value)
    assert raised.value.__cause__ is None
    out = capfd.readouterr()
    assert NUMBER not in str(raised.value) + out.out + out.err
    in_spark.drop("told")


def test_a_table_made_of_rows_that_were_read_has_all_its_columns(in_spark: spark.InSpark) -> None:
    """Spark's own schema in a file's metadata would hide the column that was added."""
    rows = in_spark.read("SELECT pos FROM t")
    in_spark.hold("more", rows.append_column("extra", pa.array(["x"] * len(rows))))
    assert in_spark.read("SELECT * FROM more").column_names == ["pos", "extra"]
    in_spark.drop("more")
    assert not (in_spark.folder / "more").exists()


def test_only_its_owner_may_look_into_a_runs_folder(local: spark.Running) -> None:
    assert local.folder.stat().st_mode & 0o077 == 0
