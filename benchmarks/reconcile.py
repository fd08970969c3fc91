"""Reconciliation at scale: what it costs beside reading and writing the same columns.

`python -m benchmarks.reconcile --lines 1000000 10000000` generates lines and approvals with a seed
and measures at each size, each part in a process of its own:

- `match`: DuckDB from prepared columns to outcomes, Parquet to Parquet; its floor reads the lines
  from Parquet and writes the same columns. Once under each memory limit of the goals.
- `whole`: from a raw CSV file (DrPLCM version 3) to stored outcomes and totals, through the
  functions that the worker calls (`_reconcile_whole`), in stages; its floor reads the same CSV and
  writes its columns. Once under each memory limit too.
- `intake`: a CSV and a Parquet file into rows, rows to prepared columns, and 50,000 row by row.
- `pandas`, as an analyst would write it (`_reconcile_pandas`), which does less, on the prepared
  columns; `--pandas FOLDER` names where it is installed.
- `spark` (only where it is asked for): the same steps on Spark (`local[2]`).

What differs is counted: at up to 100,000 lines between the plain engine and each of `match` and
`whole`, at every size between the runs under the two limits and between DuckDB and Spark. Goals
that are missed are said and fail nothing; a line that differs fails the run. Patients are invented.

Of the lines 5% lack the NHS number, 2% have a wrong one, half quote a reference of which 3% are
wrong, 1% are credits that reverse a line and half a percent restate one. Approvals nest and
overlap: a tenth are short ones within longer ones.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import _reconcile_plain as plainly
from benchmarks._reconcile_cost import Cost, cost_of, stages_told, tell_peak
from benchmarks._reconcile_data import generate, write_submission
from benchmarks._reconcile_goals import GOALS, Goal, Measured, exit_code, verdicts

if TYPE_CHECKING:
    from app.reconciliation.engines.in_sql import Executor

LINES: Final = 1_000_000
PLAIN_UP_TO: Final = 100_000
ROW_BY_ROW_UP_TO: Final = 50_000
#: All that pandas may ask the system for; beyond it the whole machine would suffer.
PANDAS_BYTES: Final = 12 * 10**9
PARTS: Final = ("match", "whole", "intake", "pandas", "spark")
TABLES: Final = (
    *("line", "coverage", "coverage_local", "coverage_legacy", "coverage_pause", "product_set"),
    *("provider_set", "dose_set", "capped_allowance", "pending", "pending_local", "policy"),
    *("named_by_hand", "override", "dose_tolerated", "cap_tolerated", "undebited", "taken"),
    "freed",
)
OUTCOME: Final = """
SELECT result.* EXCLUDE (step, other_pos, cov, within_cov),
    coverage.treatment_id, coverage.approval_reference
FROM result
LEFT JOIN coverage ON coverage.cov = result.cov
"""


class Bench:
    """The parts at one size, in one folder."""

    def __init__(self, folder: Path, lines: int, approvals: int, pandas: Path | None) -> None:
        self.folder, self.lines, self.pandas = folder, lines, pandas
        self.cost("generate", lines=lines, approvals=approvals)
        print(f"\n{lines:,} lines, {approvals:,} approvals", flush=True)

    def cost(self, part: str, goal: Goal = GOALS[0], *, lines: int = 0, approvals: int = 0) -> Cost:
        """What a part costs in a process of its own."""
        asked = ["--part", part, "--folder", str(self.folder), "--memory", goal.memory]
        asked += ["--lines", str(lines or self.lines), "--approvals", str(approvals)]
        path = self.pandas if part == "pandas" else None
        return cost_of(asked, path=path, with_children=part == "spark")

    def differing(self, part: str) -> int:
        """How many lines a part that compares found to differ."""
        found = self.cost(part).said[-1]
        print(f"    {int(found):,} lines differ ({part})", flush=True)
        return int(found)

    def under_goals(
        self, part: str, floor: str, compared: Callable[[], int | None]
    ) -> list[Measured]:
        """A part once under each goal's memory, with its floor before and after."""
        floors = [self.cost(floor)]
        told = [self._one(part, goal) for goal in GOALS]
        floors.append(self.cost(floor))
        least = min(floors, key=lambda cost: cost.cpu)
        for each in floors:
            print(f"  {floor:15} {each}", flush=True)
        differing = compared()
        return [
            Measured(part, self.lines, goal, cost, least, differing)
            for goal, cost in zip(GOALS, told, strict=True)
        ]

    def _one(self, part: str, goal: Goal) -> Cost:
        cost = self.cost(part if goal is GOALS[0] else f"{part} again", goal)
        print(f"  {part:15} {cost}  memory_limit {goal.memory}")
        stages, said = stages_told(cost.said)
        for name, took in stages.items():
            print(f"    {name:22} {took}")
        print("\n".join(f"    {line}" for line in said), flush=True)
        return cost


def run(
    lines: int | Sequence[int] = LINES,
    approvals: int | None = None,
    parts: Sequence[str] = PARTS[:-1],
    *,
    pandas: Path | None = None,
    below: Path | None = None,
) -> int:
    """Measure each size, say where each goal is met or missed; 1 where a line differs."""
    measured: list[Measured] = []
    for size in [lines] if isinstance(lines, int) else sorted(lines):
        with tempfile.TemporaryDirectory(dir=below) as name:
            bench = Bench(Path(name), size, approvals or max(size * 3 // 10, 100), pandas)
            measured += _at_one_size(bench, parts)
    print()
    before: dict[tuple[str, Goal], Measured] = {}
    for each in measured:
        print(f"{each.part}, {each.lines:,} lines, below {each.goal.gigabytes:.0f} GB")
        for verdict in verdicts(each, before.get((each.part, each.goal))):
            print(f"  {verdict}")
        before[each.part, each.goal] = each
    return exit_code(measured)


def _at_one_size(bench: Bench, parts: Sequence[str]) -> list[Measured]:
    found: list[Measured] = []
    small = bench.lines <= PLAIN_UP_TO
    if "match" in parts:

        def of_match() -> int:
            differing = bench.differing("match: limits")
            differing += bench.differing("match: plain engine") if small else 0
            if "spark" in parts:
                cost = bench.cost("spark")
                print(f"  spark           {cost}  {cost.said[-1]}")
                differing += bench.differing("match: Spark")
            return differing

        found += bench.under_goals("match", "floor", of_match)
    if {"whole", "intake"} & set(parts):
        bench.cost("write")
    if "whole" in parts:

        def of_whole() -> int:
            differing = bench.differing("whole: limits")
            return differing + (bench.differing("whole: plain engine") if small else 0)

        found += bench.under_goals("whole", "floor of CSV", of_whole)
    if "intake" in parts:
        for part in ("csv", "parquet", "prepared"):
            _say(part, bench.cost(part))
        if bench.lines > ROW_BY_ROW_UP_TO:
            bench.cost("write", lines=ROW_BY_ROW_UP_TO)
        _say("row by row", bench.cost("row by row"))
    if "pandas" in parts:
        if bench.pandas or importlib.util.find_spec("pandas"):
            _say("pandas", bench.cost("pandas"))
        else:  # beside it PySpark warns on every run, so it is not among the dependencies
            print("  pandas          NOT RUN: it is not installed (--pandas FOLDER names where)")
    return found


def _say(part: str, cost: Cost) -> None:
    print(f"  {part:15} {cost}  {cost.said[0] if cost.said else ''}", flush=True)


# --- the parts, each in a process of its own ------------------------------------------------------


def _part(what: str, folder: Path, memory: str, lines: int, approvals: int) -> None:
    """One part; those that are timed in stages tell their own peak."""
    if what.startswith("whole") or what == "floor of CSV":
        from benchmarks import _reconcile_whole as whole

        first, again = whole.PLACES
        if what == "whole: plain engine":
            print(whole.differing(folder))
        elif what == "whole: limits":
            one, other = whole.outcomes_in(folder, first), whole.outcomes_in(folder, again)
            print(whole.not_alike(one, other, "row"))
        elif what == "floor of CSV":
            whole.floor(folder, memory)
        else:
            return whole.whole(folder, memory, again if what.endswith("again") else first)
    else:
        named = _PLAIN_PARTS.get(what)
        if named is None:
            _in_duckdb(what, folder, memory)
        else:
            named(folder, memory, lines, approvals)
    return tell_peak()


_PLAIN_PARTS: Final[dict[str, Callable[[Path, str, int, int], None]]] = {
    "generate": lambda folder, _, lines, approvals: generate(folder, lines, approvals, seed=1),
    "write": lambda folder, _, lines, __: write_submission(folder, lines),
    "csv": lambda folder, *_: plainly.intake(folder, "csv"),
    "parquet": lambda folder, *_: plainly.intake(folder, "parquet"),
    "prepared": lambda folder, memory, *_: plainly.prepared(folder, memory),
    "row by row": lambda folder, *_: plainly.row_by_row(folder),
    "pandas": lambda folder, *_: _in_pandas(folder),
    "spark": lambda folder, memory, *_: _in_spark(folder, memory),
    "match: plain engine": lambda folder, *_: print(plainly.compare(folder)),
    "match: limits": lambda folder, *_: print(_unlike(folder, "outcome-again.parquet")),
    "match: Spark": lambda folder, *_: print(_unlike(folder, "spark-outcome/*.parquet")),
}


def _unlike(folder: Path, other: str) -> int:
    from benchmarks._reconcile_whole import not_alike

    return not_alike(folder / "outcome.parquet", folder / other, "pos")


def _in_pandas(folder: Path) -> None:
    # Imported here, so that no other part carries it in its memory.
    from benchmarks._reconcile_pandas import reconcile

    resource.setrlimit(resource.RLIMIT_AS, (PANDAS_BYTES, PANDAS_BYTES))
    try:
        reconcile(folder)
    except MemoryError:  # numpy's is one, and pyarrow's
        print(f"NOT DONE: it asked for more than {PANDAS_BYTES / 1e9:.0f} GB")


def _in_spark(folder: Path, memory: str) -> None:
    import time

    from app.reconciliation.engines.spark import Cluster, opened, running

    began = time.perf_counter()
    with running(Cluster(folder / "spark", memory=memory)) as on, opened(on) as executor:
        started = time.perf_counter() - began
        _tell(executor, _matched(executor, folder, "spark-outcome"))
    print(f"of this, {started:.1f} s until Spark had started")


def _in_duckdb(what: str, folder: Path, memory: str) -> None:
    from app.reconciliation.engines.duckdb import InDuckDB, Machine, database

    outcomes = {"match": "outcome.parquet", "match again": "outcome-again.parquet"}
    with database(Machine(memory, spill_to=folder / "spill")) as connection:
        if what == "floor":
            connection.execute(
                f"COPY (SELECT * FROM '{folder}/line.parquet') TO '{folder}/floor.parquet'"
            )
            return
        executor = InDuckDB(connection)
        _tell(executor, _matched(executor, folder, outcomes[what]))


def _matched(executor: Executor, folder: Path, outcome: str) -> int:
    """Match the folder's tables into a file; how many lines were split by plain functions."""
    from app.reconciliation.engines.in_sql import decide

    for name in TABLES:
        executor.look_at(name, folder / f"{name}.parquet")
    split = decide(executor)
    executor.save(OUTCOME, folder / outcome)
    return split


def _tell(executor: Executor, split: int) -> None:
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
    parser.add_argument("--lines", type=int, nargs="+", default=[LINES], help="one size or more")
    parser.add_argument("--approvals", type=int, help="of each size (three for ten lines)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS[:-1])
    parser.add_argument("--pandas", type=Path, help="a folder in which pandas is installed")
    parser.add_argument("--below", type=Path, help="the folder for what is laid by")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        approvals = chosen.approvals or 0
        _part(chosen.part, chosen.folder, chosen.memory or "4GB", chosen.lines[0], approvals)
        return 0
    places = {"pandas": chosen.pandas, "below": chosen.below}
    return run(chosen.lines, chosen.approvals, chosen.parts, **places)


if __name__ == "__main__":
    sys.exit(main())
