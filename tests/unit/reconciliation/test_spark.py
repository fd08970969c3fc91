"""What the Spark engine is before Spark starts: the steps in its dialect, and plain refusals."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.reconciliation import LineOutcome
from app.reconciliation.engines import spark
from app.reconciliation.engines.choice import Choice, Engine
from app.reconciliation.errors import SparkUnavailable
from app.reconciliation.sql import steps
from tests.unit.reconciliation.builders import cells, coverage, snapshot, submission
from tests.unit.reconciliation.test_engines import KNOWN


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.name)
def test_every_step_is_translated(step: object) -> None:
    assert spark.in_spark(step.select) != ""  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "select",
    [
        "SELECT hash(pos) FROM line",
        "SELECT list_aggregate(x, 'sum') FROM line",
        "SELECT 1 FROM line ASOF JOIN coverage ON line.first_day >= coverage.from_day",
        "SELECT 1 FROM line POSITIONAL JOIN coverage",
        "SELECT some_function_of_tomorrow(pos) FROM line",
    ],
)
def test_what_sqlglot_would_pass_on_unchanged_is_refused(select: str) -> None:
    with pytest.raises(ValueError, match="does not know how Spark says"):
        spark.in_spark(select)


def test_nulls_sort_as_in_duckdb() -> None:
    said = spark.in_spark("SELECT row_number() OVER (ORDER BY a, b DESC) FROM t")
    assert said == "SELECT ROW_NUMBER() OVER (ORDER BY a NULLS LAST, b DESC) FROM t"


def test_without_pyspark_or_java_it_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as without:
        without.setattr(spark, "find_spec", lambda _: None)
        with pytest.raises(
            SparkUnavailable, match=r"assent\[spark\].*choose the plain or the Duck"
        ):
            Choice(Engine.SPARK).check_available()
    monkeypatch.setattr(spark, "find_spec", lambda _: True)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkUnavailable, match="no Java"):
        Choice(Engine.SPARK).check_available()
    Choice(Engine.DUCKDB).check_available()


def test_what_the_tables_cannot_hold_never_starts_spark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spark, "running", lambda _: pytest.fail("Spark was started"))
    (line,) = submission(cells()).lines
    lines = [replace(line, total_cost=Decimal("1E-9"))]
    matcher = Choice(Engine.SPARK, spill_to=tmp_path).matcher()
    (matched,) = matcher(lines, snapshot(coverage()), *KNOWN)
    assert (matched.outcome, matched.accepted) == (LineOutcome.MATCHED, Decimal("1E-9"))


@pytest.mark.parametrize("master", ["local[2]", "local[*]", "spark://127.0.0.1:7077"])
def test_on_this_machine_spark_listens_on_loopback_only(tmp_path: Path, master: str) -> None:
    settings = spark._conf(spark.Cluster(tmp_path, master, "500MB"), tmp_path)
    assert settings["spark.driver.host"] == settings["spark.driver.bindAddress"] == "127.0.0.1"
    assert settings["spark.driver.memory"] == "500m"


def test_elsewhere_the_cluster_must_reach_the_driver(tmp_path: Path) -> None:
    settings = spark._conf(spark.Cluster(tmp_path, "spark://cluster:7077"), tmp_path)
    assert "spark.driver.host" not in settings
    assert settings["spark.executor.memory"] == "2g"
