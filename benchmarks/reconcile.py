"""Matching at scale: what it costs beside reading and writing the same columns.

`python -m benchmarks.reconcile --lines 1000000 --approvals 300000 --memory 5GB` generates lines and
approvals with a seed and measures in one run, each in a process of its own: the floor (DuckDB reads
the lines from Parquet and writes the same columns), matching from Parquet to Parquet, the intake of
a CSV and of a Parquet file into rows and their preparing for the match, and at up to 100,000 lines
the plain engine too, with the lines that differ. Beside them pandas, as an analyst would write it
(`_reconcile_pandas`), which does less, from the same Parquet. `--spark` has Spark match the same
files (`local[2]`, as much memory), with the lines that differ from DuckDB's; its start is told
apart. Patients are invented: their numbers are counters.

Of the lines 5% lack the NHS number, 2% have a wrong one, half quote a reference of which 3% are
wrong, 1% are credits that reverse a line and half a percent restate one. Approvals nest and
overlap: a tenth are short ones within longer ones.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import _reconcile_plain as plainly
from benchmarks._reconcile_data import generate, write_submission

if TYPE_CHECKING:
    from app.reconciliation.engines.in_sql import Executor

LINES = 1_000_000
PLAIN_UP_TO = 100_000
ROW_BY_ROW_UP_TO = 50_000
TIMES_THE_FLOOR = 4.0
PEAK_GIGABYTES = 5.0
#: All that pandas may ask the system for; beyond it the whole machine would suffer.
PANDAS_BYTES = 12 * 10**9
TABLES = (
    *("line", "coverage", "coverage_local", "coverage_legacy", "coverage_pause", "product_set"),
    *("provider_set", "dose_set", "capped_allowance", "pending", "pending_local", "policy"),
    *("named_by_hand", "override", "dose_tolerated", "cap_tolerated", "undebited", "taken"),
    "freed",
)
OUTCOME = """
SELECT result.* EXCLUDE (step, other_pos, cov, within_cov),
    coverage.treatment_id, coverage.approval_reference
FROM result
LEFT JOIN coverage ON coverage.cov = result.cov
"""


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds of the clock and of the processors, and GB at its peak."""

    wall: float
    cpu: float
    peak: float
    said: str

    def __str__(self) -> str:
        return f"{self.wall:8.1f} s  {self.cpu:8.1f} CPU s  {self.peak:5.2f} GB"


def run(
    lines: int = LINES, approvals: int | None = None, memory: str = "5GB", *, spark: bool = False
) -> int:
    """Measure and say where the goal is met or missed."""
    approvals = approvals or max(lines * 3 // 10, 100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _cost("generate", folder, memory, lines, approvals)
        print(f"  {lines:,} lines, {approvals:,} approvals, memory_limit {memory}")
        floor = _cost("floor", folder, memory)
        print(f"  floor           {floor}")
        matching = _cost("match", folder, memory)
        print(f"  DuckDB          {matching}  {matching.wall / floor.wall:.1f} x the floor")
        print("\n".join(f"    {row}" for row in matching.said.splitlines()))
        for name, cost in _intake(folder, lines, memory):
            print(f"  {name:15} {cost}  {cost.said.strip()}")
        if importlib.util.find_spec("pandas"):
            by_pandas = _cost("pandas", folder, memory)
            print(f"  pandas          {by_pandas}  {by_pandas.wall / floor.wall:.1f} x the floor")
            print(f"    {by_pandas.said.splitlines()[0]}")
        else:  # beside it PySpark warns on every run, so it is not among the dependencies
            print("  pandas          NOT RUN: it is not installed (`pip install pandas` for this)")
        differing = 0
        if spark:
            by_spark = _cost("spark", folder, memory)
            print(f"  Spark           {by_spark}  {by_spark.wall / floor.wall:.1f} x the floor")
            totals, *_, start = by_spark.said.splitlines()
            print(f"    {totals}\n    {start}")
            differing += _differing(folder)
            print(f"    {differing} lines differ from DuckDB's")
        if lines <= PLAIN_UP_TO:
            plain = _cost("plain", folder, memory)
            print(f"  plain engine    {plain}  {plain.said.strip()}")
            differing += int(plain.said.split()[0])
    checks = [
        (
            f"{matching.wall / floor.wall:.1f} x the floor (at most {TIMES_THE_FLOOR:.0f})",
            matching.wall <= TIMES_THE_FLOOR * floor.wall,
        ),
        (f"{matching.peak:.2f} GB (below {PEAK_GIGABYTES:.0f})", matching.peak < PEAK_GIGABYTES),
        (f"{differing} lines differ (none allowed)", differing == 0),
    ]
    for line, met in checks:
        print(f"  {'met   ' if met else 'MISSED'} {line}")
    return 0 if all(met for _, met in checks) else 1


def _intake(folder: Path, lines: int, memory: str) -> Iterator[tuple[str, Cost]]:
    """From the file that a provider sends to the table that the steps read."""
    _cost("write", folder, memory, lines)
    for name in ("csv", "parquet", "prepared"):
        yield name, _cost(name, folder, memory)
    if lines > ROW_BY_ROW_UP_TO:
        _cost("write", folder, memory, ROW_BY_ROW_UP_TO)
    yield "row by row", _cost("row by row", folder, memory)


def _cost(what: str, folder: Path, memory: str, lines: int = 0, approvals: int = 0) -> Cost:
    """Run a part in a process of its own.

    Generating is one too: the system counts what this process has ever held as the peak of each
    process that it starts, so this one must stay small.
    """
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.reconcile", "--part", what]
    command += ["--folder", str(folder), "--memory", memory]
    command += ["--lines", str(lines), "--approvals", str(approvals)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{what} failed")
    wall = time.perf_counter() - started
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6, said)


def _part(what: str, folder: Path, memory: str, lines: int, approvals: int) -> None:
    """One part, in a process of its own."""
    if what == "generate":
        generate(folder, lines, approvals, seed=1)
    elif what == "write":
        write_submission(folder, lines)
    elif what in ("csv", "parquet"):
        plainly.intake(folder, what)
    elif what == "prepared":
        plainly.prepared(folder, memory)
    elif what == "row by row":
        plainly.row_by_row(folder)
    elif what == "plain":
        plainly.compare(folder)
    elif what == "pandas":
        # Imported here, so that no other part carries it in its memory.
        from benchmarks._reconcile_pandas import reconcile

        resource.setrlimit(resource.RLIMIT_AS, (PANDAS_BYTES, PANDAS_BYTES))
        try:
            reconcile(folder)
        except MemoryError:  # numpy's is one, and pyarrow's
            print(f"NOT DONE: it asked for more than {PANDAS_BYTES / 1e9:.0f} GB")
    elif what == "spark":
        _in_spark(folder, memory)
    else:
        _in_duckdb(what, folder, memory)


def _in_spark(folder: Path, memory: str) -> None:
    from app.reconciliation.engines.spark import Cluster, opened, running

    began = time.perf_counter()
    with running(Cluster(folder / "spark", memory=memory)) as on, opened(on) as executor:
        started = time.perf_counter() - began
        _say(executor, _matched(executor, folder, "spark-outcome"))
    print(f"of this, {started:.1f} s until Spark had started")


def _differing(folder: Path) -> int:
    """How many lines Spark's outcomes and DuckDB's do not share, in any column."""
    import duckdb

    ours, theirs = f"'{folder}/outcome.parquet'", f"'{folder}/spark-outcome/*.parquet'"
    with duckdb.connect() as connection:
        one = f"(FROM {ours} EXCEPT ALL SELECT {{0}} FROM {theirs})"
        other = f"(SELECT {{0}} FROM {theirs} EXCEPT ALL FROM {ours})"
        columns = ", ".join(connection.sql(f"FROM {ours}").columns)
        query = f"SELECT count(DISTINCT pos) FROM ({one} UNION ALL {other})".format(columns)
        (count,) = connection.execute(query).fetchone() or (-1,)
    return int(count)


def _in_duckdb(what: str, folder: Path, memory: str) -> None:
    from app.reconciliation.engines.duckdb import InDuckDB, Machine, database

    with database(Machine(memory, spill_to=folder / "spill")) as connection:
        if what == "floor":
            connection.execute(
                f"COPY (SELECT * FROM '{folder}/line.parquet') TO '{folder}/floor.parquet'"
            )
            return
        executor = InDuckDB(connection)
        _say(executor, _matched(executor, folder, "outcome.parquet"))


def _matched(executor: Executor, folder: Path, outcome: str) -> int:
    """Match the folder's tables into a file; how many lines were split by plain functions."""
    from app.reconciliation.engines.in_sql import decide

    for name in TABLES:
        executor.look_at(name, folder / f"{name}.parquet")
    split = decide(executor)
    executor.save(OUTCOME, folder / outcome)
    return split


def _say(executor: Executor, split: int) -> None:
    """Totals in and out, which must tie, and the lines by outcome."""
    total, out = (
        tuple(executor.read(query).to_pylist()[0].values())
        for query in (
            "SELECT count(*) AS n, sum(total) AS total FROM line",
            "SELECT count(*) AS n, sum(accepted + queried) AS total FROM result",
        )
    )
    if total != out:
        raise SystemExit(f"the totals do not tie: {total} in, {out} out")
    print(f"{total[0]:,} lines, £{total[1]:,.2f} in and out; {split:,} split by plain functions")
    counted = executor.read("SELECT outcome, count(*) AS n FROM result GROUP BY outcome")
    for row in sorted(counted.to_pylist(), key=lambda row: -row["n"]):
        print(f"{row['n']:>11,}  {row['outcome']}")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconcile", description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--approvals", type=int)
    parser.add_argument("--memory", default="5GB", help="DuckDB's memory_limit")
    parser.add_argument("--spark", action="store_true", help="match on Spark too (its extra)")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        _part(chosen.part, chosen.folder, chosen.memory, chosen.lines, chosen.approvals)
        return 0
    return run(chosen.lines, chosen.approvals, chosen.memory, spark=chosen.spark)


if __name__ == "__main__":
    sys.exit(main())
