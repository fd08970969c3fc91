"""The steps on Spark for a file whose lines are not held in memory.

DuckDB has laid the lines by as Parquet, and writes the outcomes: only the steps between run on
Spark, which reads that file and leaves a folder of files with their result. All lie in the run's
folder, or in one below the cluster's that goes with the run, since every machine must reach them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.duckdb import InDuckDB
from app.reconciliation.engines.fees import FeeCase
from app.reconciliation.engines.in_sql import decide
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.spark import Cluster, InSpark, opened, running


def decide_on_spark(
    cluster: Cluster,
    here: InDuckDB,
    tables: Mapping[str, pa.Table],
    folder: Path,
    held: tuple[SnapshotIndex, Debits],
    keep: frozenset[str],
) -> list[FeeCase]:
    """Run every step on Spark, and have DuckDB know what it leaves as if it had run them.

    That is `result`, `fee_case` and the steps' tables to `keep`. `folder` holds the lines
    (`line.parquet`) and gets the tables. Returns what came of fees on lines of their own. Raises
    SparkUnavailable and SparkFailed.
    """
    fees: list[FeeCase] = []
    tables_kept = ("result", *sorted(keep))
    with running(cluster) as on, opened(on) as there, TemporaryDirectory(dir=on.folder) as shared:
        _look_at_lines(there, folder / "line.parquet", Path(shared))
        for name, table in tables.items():
            there.hold(name, table)
        decide(there, *held, keep=keep, fees=fees)
        for name in tables_kept:
            there.save(f"SELECT * FROM {name}", Path(shared) / name)
            # Spark's process goes, and what it wrote with it: tables move to the run's folder.
            shutil.move(Path(shared) / name, folder / name)
        here.hold("fee_case", there.read("SELECT * FROM fee_case"))
    for name in tables_kept:
        here.connection.execute(f"CREATE VIEW {name} AS FROM '{folder}/{name}/*.parquet'")
    return fees


def _look_at_lines(there: InSpark, file: Path, shared: Path) -> None:
    """Put the lines where every machine reads them; as a link where that is the same disk."""
    (shared / "lines").mkdir()
    place = shared / "lines" / "line.parquet"
    try:
        place.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, place)
    there.look_at("line", shared / "lines")
