"""The steps on a standalone cluster: master, worker and executor, each a process of its own."""

from pathlib import Path

import pytest

from app.reconciliation.engines import spark
from tests.spark.standalone import Standalone, left_behind
from tests.spark.table import check_table

pytestmark = [pytest.mark.spark, pytest.mark.slow]
#: Each run is an application of its own, half a minute long; Spark in one process takes them all.
LARGEST_RUNS = 3


def test_a_standalone_cluster_gives_what_the_table_says(
    cluster: Standalone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", str(cluster.conf))
    on = spark.Cluster(tmp_path / "shared", cluster.master, memory="1GB", partitions=2)
    check_table(on, most=LARGEST_RUNS)
    assert [each.poll() for each in cluster.processes] == [None, None]
    assert "Registering app assent" in (cluster.logs / "master").read_text()
    assert "Launching executor" in (cluster.logs / "master").read_text()
    assert left_behind(tmp_path / "shared") == []
