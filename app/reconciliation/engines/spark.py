"""The Spark engine: the same SQL steps as DuckDB's, translated by sqlglot and run on Spark.

For what outgrows one machine. Spark runs in a process beside this one (`local[2]`) or on a
standalone cluster. Tables pass from step to step as Parquet in a folder of the run's own, which
every machine of the cluster reaches under the same path; it holds patients' numbers, and goes when
the run ends, as Spark's process does. What Spark itself spills is encrypted.

Where Spark's ways differ from DuckDB's they are settled here, once: days and instants in UTC,
standard SQL (ANSI: what overflows raises and is never null), and DECIMAL that keeps every place.
sqlglot writes out where nulls sort; a function that it does not know is refused.

pyspark is the optional extra `spark`; without it, or without Java, SparkUnavailable says so.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from app.reconciliation.engines import in_sql
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.errors import SparkFailed, SparkUnavailable
from app.reconciliation.model import ContractLine, MatchedLine, Snapshot
from app.reconciliation.scratch import scratch
from app.reconciliation.sql import Step
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory

LOOPBACK: Final = "127.0.0.1"
_SETTLED: Final = {
    "spark.app.name": "assent",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.io.encryption.enabled": "true",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Otherwise a difference of two DECIMAL(38, 8) keeps seven places, and a part of a penny goes.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}

#: What pyspark logs an error's text to, which may quote a patient's values.
_QUOTING_LOGGERS: Final = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Spark runs, and what it may use.

    `folder` is where runs keep their tables meanwhile. `master` is `local[N]` (N threads of a
    process here) or `spark://HOST:PORT`. `memory`, in DuckDB's notation, is for Spark's process
    here and for each of its executors elsewhere. `partitions` is into how many parts a step's rows
    are dealt at first; Spark joins small ones.
    """

    folder: Path
    master: str = "local[2]"
    memory: str = "2GB"
    partitions: int = 8


def check_available() -> None:
    """Raise SparkUnavailable where pyspark or Java is absent."""
    if find_spec("pyspark") is None:
        raise SparkUnavailable(
            "the extra `spark` is not installed (pip install 'assent[spark]', or pip install "
            "--require-hashes -r requirements-spark.lock)"
        )
    home = os.environ.get("JAVA_HOME")
    if shutil.which(str(Path(home) / "bin" / "java") if home else "java") is None:
        raise SparkUnavailable("there is no Java (17 or later) on the path or in JAVA_HOME")


@dataclass(frozen=True, slots=True)
class Running:
    """A Spark session, and the folder in which its runs keep their tables."""

    session: Any
    folder: Path


#: pyspark knows one Spark in a process of Python; whoever comes second waits.
_ONE: Final = Lock()


@contextmanager
def running(cluster: Cluster) -> Iterator[Running]:
    """Spark, from its start until its process has ended."""
    check_available()
    with ExitStack() as stack:
        stack.enter_context(_ONE)
        folder = stack.enter_context(scratch(cluster.folder))
        try:
            session = stack.enter_context(_session(_conf(cluster, folder)))
        except _errors() as error:
            raise SparkUnavailable(
                f"it did not start on {cluster.master} ({type(error).__name__}), so see whether "
                "Java is 17 or later and whether the cluster answers"
            ) from None
        yield Running(session, folder)


@contextmanager
def _session(settings: Mapping[str, str]) -> Iterator[Any]:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    for name in _QUOTING_LOGGERS:
        PySparkLogger.getLogger(name).disabled = True
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    # What Java and Spark say of themselves goes nowhere, unless SPARK_CONF_DIR has them log.
    with Path(os.devnull).open("wb") as nowhere:
        gateway = launch_gateway(conf, popen_kwargs={"stdout": nowhere, "stderr": nowhere})
    try:
        session = SparkSession(SparkContext(conf=conf, gateway=gateway))
        try:
            yield session
        finally:
            with suppress(*_errors()):  # it may have died
                session.stop()
    finally:
        # Spark's process goes too: patients' numbers were in its memory.
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        # What pyspark remembers of a Spark that died, or never was whole, would refuse the next.
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = None


def _errors() -> tuple[type[Exception], ...]:
    """What pyspark raises."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return PySparkException, Py4JError, OSError


def _conf(cluster: Cluster, folder: Path) -> dict[str, str]:
    memory = cluster.memory.removesuffix("B").lower()  # "2GB" is "2g" to Spark
    conf = _SETTLED | {
        "spark.master": cluster.master,
        "spark.driver.memory": memory,
        "spark.executor.memory": memory,
        "spark.local.dir": str(folder / "spill"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.shuffle.partitions": str(cluster.partitions),
    }
    if cluster.master.startswith(("local", f"spark://{LOOPBACK}:")):
        conf |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
    return conf


@cache
def in_spark(select: str) -> str:
    """A query of DuckDB's dialect in Spark's. ValueError where that is not certain."""
    tree = sqlglot.parse_one(select, read="duckdb")
    unknown = {call.name for call in tree.find_all(exp.Anonymous)}
    unknown |= {join.method for join in tree.find_all(exp.Join) if join.method}
    if unknown:
        raise ValueError(f"sqlglot does not know how Spark says {', '.join(sorted(unknown))}")
    return tree.sql(dialect="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


#: Views that stay views.
_NOT_WRITTEN: Final = frozenset({"supply"})


@dataclass(frozen=True, slots=True)
class InSpark:
    """Runs the steps in a session, with each table as Parquet in a folder."""

    session: Any
    folder: Path

    def hold(self, name: str, table: pa.Table) -> None:
        """Write an Arrow table where every machine of the cluster can read it."""
        path = self.folder / name
        path.mkdir()
        pq.write_table(table, path / "part.parquet")
        self.look_at(name, path)

    def look_at(self, name: str, path: Path) -> None:
        """Read a table from Parquet that is there already: a file, or a folder of files."""
        with _telling(name):
            self.session.read.parquet(str(path)).createOrReplaceTempView(name)

    def make(self, step: Step) -> None:
        """Run a step; the next reads its Parquet files.

        A view is written too, but for the plainest: Spark plans a view anew wherever it
        is named, and several of them upon one another take it minutes.
        """
        with _telling(step.name):
            rows = self.session.sql(in_spark(step.select))
            if step.name not in _NOT_WRITTEN:
                path = str(self.folder / step.name)
                rows.write.parquet(path)
                rows = self.session.read.schema(rows.schema).parquet(path)
            rows.createOrReplaceTempView(step.name)

    def drop(self, name: str) -> None:
        """Forget a table, and remove its files where they are the run's own."""
        with _telling(name):
            self.session.catalog.dropTempView(name)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def read(self, select: str) -> pa.Table:
        """The rows of a query."""
        with TemporaryDirectory(dir=self.folder) as name:
            path = Path(name) / "rows"
            self.save(select, path)
            # Spark leaves its schema in the files' metadata, and would take it for that of a table
            # which is made of these rows.
            return ds.dataset(path, format="parquet").to_table().replace_schema_metadata(None)

    def save(self, select: str, path: Path) -> None:
        """Write the rows of a query as a folder of Parquet files."""
        with _telling("a query"):
            self.session.sql(in_spark(select)).write.parquet(str(path))


@contextmanager
def _telling(step: str) -> Iterator[None]:
    """Turn Spark's errors, whose text may quote patients' values, into one that names the step."""
    from pyspark.errors import AnalysisException, PySparkException

    try:
        yield
    except _errors() as error:
        condition = error.getCondition() if isinstance(error, PySparkException) else None
        # An error of analysis quotes the query and no row: none was read yet.
        cause = error if isinstance(error, AnalysisException) else None
        raise SparkFailed(step, condition or type(error).__name__) from cause


@contextmanager
def opened(on: Running) -> Iterator[InSpark]:
    """What runs the steps, in a folder of its own."""
    with TemporaryDirectory(dir=on.folder) as name:
        yield InSpark(on.session.newSession(), Path(name))


@contextmanager
def _started_and_opened(cluster: Cluster) -> Iterator[InSpark]:
    with running(cluster) as on, opened(on) as executor:
        yield executor


def match_submission(
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    progress: Progress = untold,
    *,
    on: Cluster | Running,
) -> tuple[MatchedLine, ...]:
    """One MatchedLine for each line, in the same order: what the plain engine gives.

    Raises SparkUnavailable where Spark cannot start and SparkFailed where a step fails.
    """

    def executor() -> AbstractContextManager[InSpark]:
        return opened(on) if isinstance(on, Running) else _started_and_opened(on)

    return in_sql.match_submission(
        lines, snapshot, dictionary, organisations, progress, executor=executor
    )
