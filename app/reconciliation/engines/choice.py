"""Which engine matches, and what it may use of the machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Protocol

from app.reconciliation.engines import duckdb, plain, spark
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.model import ContractLine, MatchedLine, Snapshot
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory


class Matcher(Protocol):
    """What gives a MatchedLine for each line of a submission, in its order."""

    def __call__(
        self,
        lines: Sequence[ContractLine],
        snapshot: Snapshot,
        dictionary: DrugDictionary,
        organisations: OrganisationDirectory,
        progress: Progress = untold,
    ) -> tuple[MatchedLine, ...]:
        """Match them, and tell now and then how many have come to their outcome."""


class Engine(StrEnum):
    """The engines, by the name that a run records."""

    PLAIN = "plain"
    DUCKDB = "duckdb"
    SPARK = "spark"


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, with what it may use.

    `memory_limit` ("2GB") is DuckDB's, or that of each of Spark's processes; beyond it they spill
    below `spill_to`, where Spark also keeps its tables during a run, unless `spark_folder` names a
    folder that all machines of its cluster reach.

    A submission of more than `most_lines` lines is not held in memory: it goes from file to file,
    in DuckDB unless Spark is chosen. Without `spill_to` there is no place for that.
    """

    engine: Engine = Engine.PLAIN
    memory_limit: str = "2GB"
    spill_to: Path | None = None
    spark_master: str = "local[2]"
    spark_folder: Path | None = None
    most_lines: int = 200_000

    def takes_files(self, lines: int) -> bool:
        """Whether so many lines go from file to file."""
        return self.spill_to is not None and lines > self.most_lines

    def machine(self) -> duckdb.Machine:
        """What DuckDB may use."""
        return duckdb.Machine(self.memory_limit, spill_to=self.spill_to)

    def check_available(self) -> None:
        """Raise SparkUnavailable where Spark is chosen and cannot run."""
        if self.engine is Engine.SPARK:
            spark.check_available()

    def matcher(self) -> Matcher:
        """How the engine matches."""
        match self.engine:
            case Engine.PLAIN:
                return plain.match_submission
            case Engine.DUCKDB:
                return partial(duckdb.match_submission, machine=self.machine())
            case Engine.SPARK:
                return partial(spark.match_submission, on=self.cluster())

    def cluster(self) -> spark.Cluster:
        """Where Spark runs, and what it may use."""
        folder = self.spark_folder or self.spill_to
        if folder is None:
            raise ValueError("Spark needs a folder for its tables")
        return spark.Cluster(folder, self.spark_master, self.memory_limit)


BY_DEFAULT = Choice()
