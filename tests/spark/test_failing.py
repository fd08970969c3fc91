"""Spark that dies in a run: it is said, nothing is left, and the next run finds a new one."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pyarrow as pa
import pytest

from app.reconciliation.engines import spark
from app.reconciliation.errors import SparkFailed
from tests.spark.standalone import left_behind

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_after_spark_was_killed_the_next_run_has_a_new_one(
    spark_is_here: None, tmp_path: Path
) -> None:
    cluster = spark.Cluster(tmp_path / "tables", "local[1]", partitions=1)
    # What pyspark warns of when it stops what is no longer there.
    with warnings.catch_warnings(action="ignore"), pytest.raises(SparkFailed, match="step lines"):
        kill_in_a_run(cluster)
    assert left_behind(cluster.folder) == []
    with spark.running(cluster) as on, spark.opened(on) as executor:
        executor.hold("lines", pa.table({"pos": [1, 2]}))
        assert executor.read("SELECT count(*) AS n FROM lines").to_pylist() == [{"n": 2}]


def kill_in_a_run(cluster: spark.Cluster) -> None:
    from pyspark import SparkContext

    with spark.running(cluster) as on, spark.opened(on) as executor:
        SparkContext._gateway.proc.kill()
        SparkContext._gateway.proc.wait()
        executor.hold("lines", pa.table({"pos": [1, 2]}))


KILLED = """
import sys
from pathlib import Path
from app.reconciliation.engines import spark
import pyarrow as pa
cluster = spark.Cluster(Path(sys.argv[1]), "local[1]")
with spark.running(cluster) as on, spark.opened(on) as executor:
    executor.hold("lines", pa.table({"pos": [1, 2]}))
    print(on.session.sparkContext._gateway.proc.pid, flush=True)
    input()
"""


def test_what_a_killed_run_leaves_is_gone_with_the_next_one(
    spark_is_here: None, tmp_path: Path
) -> None:
    ours = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ours.stdout is not None
    java = int(ours.stdout.readline())
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    assert ended(java), "Spark outlived the process that started it"
    assert list(tmp_path.rglob("lines"))  # patients' numbers, until the next run
    with spark.running(spark.Cluster(tmp_path, "local[1]")):
        assert not list(tmp_path.rglob("lines"))


def ended(process: int) -> bool:
    for _ in range(300):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
