"""Spark for the tests: one session on this machine, and a standalone cluster on loopback.

Without pyspark (the extra `spark`) or Java these tests are skipped, loudly; where
ASSENT_REQUIRE_SPARK is set they fail.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.reconciliation.engines import spark
from app.reconciliation.errors import SparkUnavailable
from tests.spark.standalone import Standalone, left_behind, standalone, write_conf

PARTITIONS = 2


@pytest.fixture(scope="session")
def spark_is_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Skips, or fails, where Spark cannot run; has it run as what does not live long."""
    try:
        spark.check_available()
    except SparkUnavailable as error:
        if os.environ.get("ASSENT_REQUIRE_SPARK"):
            pytest.fail(f"ASSENT_REQUIRE_SPARK asks for the tests on Spark. {error}")
        pytest.skip(f"The tests on Spark did NOT run. {error}")
    with pytest.MonkeyPatch.context() as environment:
        conf = write_conf(tmp_path_factory.mktemp("spark") / "conf")
        environment.setenv("SPARK_CONF_DIR", str(conf))
        yield


@pytest.fixture(scope="module")
def local(spark_is_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[spark.Running]:
    """Spark in a process beside this one."""
    folder = tmp_path_factory.mktemp("spark")
    with spark.running(spark.Cluster(folder, partitions=PARTITIONS)) as on:
        process = on.session.sparkContext._gateway.proc
        yield on
    assert process.poll() is not None, "Spark's process did not end"
    assert left_behind(folder) == []


@pytest.fixture(scope="module")
def cluster(spark_is_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A master and a worker, each a process of its own on loopback."""
    folder: Path = tmp_path_factory.mktemp("standalone")
    with standalone(folder) as started:
        yield started
