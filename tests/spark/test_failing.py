"""Spark that dies in a run: it is said, nothing is left, and the next run finds a new one."""

import warnings
from pathlib import Path

import pyarrow as pa
import pytest

from app.reconciliation.engines import spark
from app.reconciliation.errors import SparkFailed

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_after_spark_was_killed_the_next_run_has_a_new_one(
    spark_is_here: None, tmp_path: Path
) -> None:
    cluster = spark.Cluster(tmp_path / "tables", "local[1]", partitions=1)
    # What pyspark warns of when it stops what is no longer there.
    with warnings.catch_warnings(action="ignore"), pytest.raises(SparkFailed, match="step lines"):
        kill_in_a_run(cluster)
    assert not list(cluster.folder.iterdir())
    with spark.running(cluster) as on, spark.opened(on) as executor:
        executor.hold("lines", pa.table({"pos": [1, 2]}))
        assert executor.read("SELECT count(*) AS n FROM lines").to_pylist() == [{"n": 2}]


def kill_in_a_run(cluster: spark.Cluster) -> None:
    from pyspark import SparkContext

    with spark.running(cluster) as on, spark.opened(on) as executor:
        SparkContext._gateway.proc.kill()
        SparkContext._gateway.proc.wait()
        executor.hold("lines", pa.table({"pos": [1, 2]}))
