"""The DuckDB engine: the SQL steps, out of core, in the process of the service."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.reconciliation.engines import in_sql
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.errors import EngineRanOut
from app.reconciliation.model import ContractLine, MatchedLine, Snapshot
from app.reconciliation.scratch import scratch
from app.reconciliation.sql import Step
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory


@dataclass(frozen=True, slots=True)
class Machine:
    """What DuckDB may use: memory in its own notation ("2GB"), threads, and where it spills.

    Without `spill_to` it never writes to a disk, where patients' numbers would lie, and a run that
    needs more memory fails.
    """

    memory_limit: str = "2GB"
    threads: int | None = None
    spill_to: Path | None = None


@contextmanager
def database(machine: Machine) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills only below `spill_to` and loads no extension.

    Raises EngineRanOut where memory or room on the disk did not suffice.
    """
    with ExitStack() as stack:
        spill = ""
        if machine.spill_to is not None:
            # A folder for each run: two that share one would write over each other.
            spill = str(stack.enter_context(scratch(machine.spill_to)))
        connection = begun(machine, spill)
        stack.callback(connection.close)
        with told_when_out():
            yield connection


def begun(machine: Machine, spill: str) -> duckdb.DuckDBPyConnection:
    """The same, for whoever closes it; it spills into this folder, nowhere where that is empty."""
    return duckdb.connect(":memory:", config=_config(machine, spill))


@contextmanager
def told_when_out() -> Iterator[None]:
    """Turn what DuckDB and the system raise where something is used up into EngineRanOut."""
    try:
        yield
    except (duckdb.OutOfMemoryException, MemoryError):
        raise EngineRanOut("memory, and of room to write what did not fit") from None
    except duckdb.IOException as error:
        if "o space left" not in str(error) and "ould not write" not in str(error):
            raise
        raise EngineRanOut("room on the disk") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise EngineRanOut("room on the disk") from None


def _config(machine: Machine, spill: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "memory_limit": machine.memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
        "temp_directory": spill,
    }
    if machine.threads is not None:
        config["threads"] = machine.threads
    return config


#: DuckDB takes a fifth of a file's rows for all that a filter leaves, and after some joins one row
#: for all lines, and so holds ten million wide lines in memory to look approvals up in them. As
#: written, what comes after JOIN is held.
_AS_WRITTEN: Final = "join_order,build_side_probe_side"


@contextmanager
def as_written(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within, every join is made as it is written: what comes after JOIN is held in memory."""
    connection.execute(f"SET disabled_optimizers = '{_AS_WRITTEN}'")
    try:
        yield
    finally:
        connection.execute("RESET disabled_optimizers")


@dataclass(frozen=True, slots=True)
class InDuckDB:
    """Runs the steps on a connection."""

    connection: duckdb.DuckDBPyConnection

    def hold(self, name: str, table: pa.Table) -> None:
        """Take an Arrow table, by reference."""
        self.connection.register(name, table)

    def make(self, step: Step) -> None:
        """Create the step's table or view, its joins in the order in which they are written."""
        kind = "VIEW" if step.is_view else "TABLE"
        with as_written(self.connection):
            self.connection.execute(f"CREATE {kind} {step.name} AS {step.select}")

    def drop(self, name: str) -> None:
        """Forget a table or view, whether it was made or taken."""
        self.connection.unregister(name)
        views = self.connection.sql("SELECT view_name FROM duckdb_views()").fetchall()
        kind = "VIEW" if (name,) in views else "TABLE"
        self.connection.execute(f"DROP {kind} IF EXISTS {name}")

    def read(self, select: str) -> pa.Table:
        """The rows of a query."""
        return self.connection.sql(select).to_arrow_table()

    def look_at(self, name: str, path: Path) -> None:
        """Read a table from Parquet that is there already: a file, or a folder of files."""
        files = path / "*.parquet" if path.is_dir() else path
        self.connection.execute(f"CREATE VIEW {name} AS FROM '{files}'")

    def save(self, select: str, path: Path) -> None:
        """Write the rows of a query to a Parquet file."""
        self.connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")


@contextmanager
def opened(machine: Machine) -> Iterator[InDuckDB]:
    """What runs the steps on a database of its own."""
    with database(machine) as connection:
        yield InDuckDB(connection)


def match_submission(
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    progress: Progress = untold,
    *,
    machine: Machine | None = None,
) -> tuple[MatchedLine, ...]:
    """One MatchedLine for each line, in the same order: what the plain engine gives."""
    chosen = machine or Machine()
    return in_sql.match_submission(
        lines, snapshot, dictionary, organisations, progress, executor=lambda: opened(chosen)
    )
