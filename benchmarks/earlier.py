"""Counting what twelve earlier files use, beside matching as many lines in the same way.

`python -m benchmarks.earlier --lines 240000 --memory 2GB` invents twelve months of a provider's
files, of which every line's approval caps a quantity, and the submission after them, and measures
in a process each: what the plain functions take to tell what stood before (up to 240,000 lines),
what the SQL steps take, and what `match_rows` takes for as many lines of one submission. The two
must say the same, by the digest of a run's inputs. Of the lines 1% are credits, half of them of the
day of their charge and half in the file after it, and half a percent state a line of the file
before. Patients are invented: their numbers are counters.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

LINES: Final = 24_000
PLAIN_UP_TO: Final = 240_000
FILES: Final = 12
#: The most that the steps may take beside a match of as many lines.
TIMES_A_MATCH: Final = 3.0

#: Month `f` of one line in so many is a credit (7 and 57) or a line of the month before (11).
_LINES: Final = """
WITH made AS (
    SELECT
        p, CASE WHEN f > 0 AND p % 200 IN (11, 57) THEN f - 1 ELSE f END AS m,
        f > 0 AND p % 200 = 57 AS later, p % 200 = 7 AS same_day
    FROM range({patients}) AS patients(p), (SELECT unnest({months}) AS f)
),

told AS (
    SELECT *, FALSE AS back FROM made WHERE NOT later
    UNION ALL
    SELECT *, TRUE AS back FROM made WHERE later OR same_day
)

SELECT
    row_number() OVER () AS row,
    row_number() OVER () - 1 AS pos,
    CAST(NULL AS VARCHAR) AS why_skipped,
    sha256(p || '/' || m || '/' || back) AS content_hash,
    CAST([] AS VARCHAR[]) AS raw,
    FALSE AS shifted,
    {columns},
    CAST(NULL AS STRUCT(field VARCHAR, raw VARCHAR, why VARCHAR)[]) AS faults
FROM told
"""
_CELLS: Final = {
    "financial_year": "CASE WHEN m < 12 THEN '202526' ELSE '202627' END",
    "financial_month": "CAST(m % 12 + 1 AS TINYINT)",
    "provider": "'DEMO1'",
    "commissioner": "'DEMQ1'",
    "nhs_number": "CAST(9990000000 + p AS VARCHAR)",
    "local_patient_id": "'L' || p",
    "supply_date": "DATE '2025-04-01' + CAST(30 * m + p % 25 AS INTEGER)",
    "drug_name": "'natalizumab'",
    "quantity": "CASE WHEN p % 3 = 0 THEN '1.50' ELSE '1' END",
    "unit": "'vial'",
    "unit_price": "'1000'",
    "total_cost": "CASE WHEN back THEN '-1000.00' ELSE '1000.00' END",
    "dispensing_route": "'4'",
}


@dataclass(frozen=True)
class Cost:
    """Processor seconds of the part itself, and GB held at its peak and before it began."""

    cpu: float
    peak: float
    before: float
    said: str

    def __str__(self) -> str:
        return f"{self.cpu:8.1f} CPU s, {self.peak:5.2f} GB at most, {self.before:.2f} before it"


def run(lines: int = LINES, memory: str = "2GB") -> int:
    """Measure, and say whether both ways say the same and what the steps take beside a match."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        patients = lines // FILES
        _make(folder, patients)
        print(f"  {FILES} earlier files of {lines:,} lines in all, memory_limit {memory}")
        steps = _cost("steps", folder, memory, patients)
        match = _cost("match", folder, memory, patients)
        print(f"  SQL steps        {steps}\n  a match as large {match}")
        checks = [
            (
                f"{steps.cpu / match.cpu:.1f} x a match (at most {TIMES_A_MATCH:.0f})",
                steps.cpu <= TIMES_A_MATCH * match.cpu,
            )
        ]
        if lines <= PLAIN_UP_TO:
            plain = _cost("plain", folder, memory, patients)
            print(f"  plain functions  {plain}, {plain.cpu / steps.cpu:.1f} x the steps")
            checks.append(("both say the same of every amount", plain.said == steps.said))
    for line, met in checks:
        print(f"  {'met   ' if met else 'MISSED'} {line}")
    return 0 if all(met for _, met in checks) else 1


def _make(folder: Path, patients: int) -> None:
    from app.reconciliation.line_columns import READ, type_of

    kinds = {"string": "VARCHAR", "date32[day]": "DATE", "bool": "BOOLEAN", "int8": "TINYINT"}
    columns = ", ".join(
        f"{_CELLS.get(name, f'CAST(NULL AS {kinds[str(type_of(name))]})')} AS {name}"
        for name in READ
    )
    with duckdb.connect() as connection:
        for name, months in {
            **{f"file-{n}": [n] for n in range(FILES)},
            "own": [FILES],
            "all": list(range(FILES)),
        }.items():
            rows = _LINES.format(patients=patients, months=months, columns=columns)
            connection.execute(f"COPY ({rows}) TO '{folder}/{name}.parquet'")


def _cost(what: str, folder: Path, memory: str, patients: int) -> Cost:
    """Run a part in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.earlier", "--part", what, "--memory", memory]
    command += ["--folder", str(folder), "--lines", str(patients)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    cpu, before, said = child.stdout.read().split()
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{what} failed")
    return Cost(float(cpu), used.ru_maxrss / 1e6, float(before), said)


def _part(what: str, folder: Path, memory: str, patients: int) -> None:
    """One part: its processor seconds, GB held before it, and what it says."""
    from app.reconciliation.engines.duckdb import Machine
    from app.reconciliation.engines.out_of_core import match_rows
    from app.reference_data.drugs import load_drugs
    from app.reference_data.organisations import load_organisations

    known = load_drugs(), load_organisations()
    machine, snapshot = Machine(memory, spill_to=folder / "spill"), _snapshot(patients)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    started = time.process_time()
    if what == "match":
        rows = folder / "all.parquet"
        done = match_rows(rows, folder / "outcomes.parquet", snapshot, *known, machine)
        said = f"{done.summary.grand.accepted:f}"
    else:
        said = _told(folder, snapshot, (*known, machine), 10**9 if what == "plain" else 0)
    print(time.process_time() - started, before, said)


def _told(folder: Path, snapshot: Any, known: tuple[Any, ...], most_plain: int) -> str:
    """What stands before the submission, by the digest of a run's inputs."""
    from app.reconciliation.earlier import told_before
    from app.reconciliation.earlier_rows import Looking, Other
    from app.reconciliation.files import FileStore
    from app.reconciliation.slices import SliceKey
    from app.reconciliation.snapshots import digest_of

    by = Looking(FileStore(folder), *known, None, most_plain)
    files = []
    for n in range(FILES):
        # A line of the month before is of that month's slice, which its own file states too.
        keys = {SliceKey("DEMO1", "DEMQ1", "202526", m + 1) for m in (n, n - 1) if m >= 0}
        files.append(Other(str(folder / f"file-{n}.parquet"), "drplcm-v3", frozenset(keys)))
    earlier = told_before(by, files, str(folder / "own.parquet"), snapshot)
    assert len(earlier.used) > 0
    return digest_of(replace(snapshot, coverages=(), earlier=earlier))


def _snapshot(patients: int) -> Any:
    from app.reconciliation import Coverage, Snapshot

    began = dt.date(2025, 4, 1)
    return Snapshot(
        tuple(
            Coverage(
                treatment_id=f"T{p:09}",
                approval_reference=f"PA{p:09}",
                drug="natalizumab",
                indication_key="rrms",
                from_=began,
                to=None,
                provider="DEMO1",
                commissioner="DEMQ1",
                nhs_number=str(9990000000 + p),
                local_ids=frozenset({("DEMO1", f"L{p}")}),
                quantity_cap=Decimal(24),
                quantity_unit="vial",
            )
            for p in range(patients)
        ),
        (),
        (),
        dt.date(2026, 5, 1),
        layout="drplcm-v3",
    )


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.earlier", description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--memory", default="2GB", help="DuckDB's memory_limit")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        _part(chosen.part, chosen.folder, chosen.memory, chosen.lines)
        return 0
    return run(chosen.lines, chosen.memory)


if __name__ == "__main__":
    sys.exit(main())
