"""What it costs to propose approvals for a run that is not held in memory.

`python -m benchmarks.large_links --lines 200000 --approvals 60000` invents approvals of many drugs,
lines of their patients, of which one in twenty is nobody's by its number (a figure of it wrong, or
none) and without a hospital number, and lets the functions of the worker seek, compare and weigh.
Wall and processor seconds and peak memory, in a process each; `approvals` holds what is known of
approvals and proposes nothing, since that is in memory whatever is done with it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

import pyarrow.parquet as pq

from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.line_columns import SCHEMA, batch_of
from app.reconciliation.linkage.comparing import parameters_of
from app.reconciliation.linkage.known import Known
from app.reconciliation.linkage.large import find_in_files
from app.reconciliation.linkage.seeking import approvals_of
from app.reconciliation.model import (
    ContractLine,
    Coverage,
    LineKind,
    LineOutcome,
    MatchedLine,
    Snapshot,
)
from app.reconciliation.outcome_files import write_parquet
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from benchmarks._linkage_people import REPORTED, make_world

MEMORY: Final = "2GB"
_TOGETHER: Final = 20_000
_DRUGS: Final = (
    *("adalimumab", "natalizumab", "infliximab", "rituximab", "tocilizumab", "secukinumab"),
    *("ustekinumab", "vedolizumab", "etanercept", "ocrelizumab", "omalizumab", "abatacept"),
)
_DAY: Final = dt.date(2026, 6, 1)


def coverages(approvals: int) -> list[Coverage]:
    """Approvals of invented patients, spread over drugs and providers."""
    like = make_world(REPORTED, 3, 3).coverages[0]
    rng = random.Random(1)
    drugs = [drug for drug in _DRUGS if drug in load_drugs().drugs]
    made = []
    for n in range(approvals):
        provider = f"P{n % 150:03d}"
        made.append(
            replace(
                like,
                treatment_id=f"T{n:08d}",
                approval_reference=f"PA{n:013d}",
                drug=drugs[n % len(drugs)],
                nhs_number=_number(n),
                local_ids=frozenset({(provider, f"L{n:07d}")}),
                birth_date=dt.date(1940, 1, 1) + dt.timedelta(days=rng.randrange(25_000)),
                provider=provider,
                supplying_providers=frozenset(),
                from_=dt.date(2025, 1, 1),
                to=None,
            )
        )
    return made


def _number(patient: int) -> str:
    """Ten figures of nobody: spread as real numbers are, and of the 9 range."""
    return f"9{patient * 7_919_317 % 1_000_000_000:09d}"


def lay(folder: Path, lines: int, approvals: int) -> None:
    """The two files of a run: of its lines one in twenty has no approval found."""
    held, rng = coverages(approvals), random.Random(2)
    names = {key: load_drugs().drugs[key].name for key in {each.drug for each in held}}
    none = load_drugs().recognise(None, "adalimumab", _DAY)
    with pq.ParquetWriter(folder / "rows.parquet", SCHEMA, compression="zstd") as rows:

        def pieces() -> Any:
            for begin in range(0, lines, _TOGETHER):
                some = [
                    _line(n, held[n % len(held)], names, rng)
                    for n in range(begin, min(begin + _TOGETHER, lines))
                ]
                rows.write_batch(batch_of(some))
                yield [_matched(line, none) for line in some]

        write_parquet(pieces(), folder / "outcomes.parquet")


def _line(n: int, of: Coverage, names: dict[str, str], rng: random.Random) -> ContractLine:
    lost = n % 20 == 0
    number = of.nhs_number or ""
    if lost:
        at = rng.randrange(1, 10)
        number = number[:at] + str((int(number[at]) + 1 + rng.randrange(9)) % 10) + number[at + 1 :]
        number = number if rng.random() < 0.7 else ""
    return ContractLine(
        row=n + 2,
        content_hash=f"{n:064d}",
        raw=(),
        provider=of.provider,
        commissioner="DEMQ1",
        nhs_number=number or None,
        local_patient_id=None if lost else next(iter(of.local_ids))[1],
        birth_date=of.birth_date,
        supply_date=_DAY - dt.timedelta(days=n % 60),
        drug_name=names[of.drug],
        total_cost=Decimal(rng.randrange(10_000, 300_000)) / 100,
    )


def _matched(line: ContractLine, recognition: Any) -> MatchedLine:
    lost = line.local_patient_id is None
    assert line.total_cost is not None
    return MatchedLine(
        line=line,
        kind=LineKind.DRUG,
        recognition=recognition,
        outcome=LineOutcome.NO_APPROVAL if lost else LineOutcome.MATCHED,
        accepted=Decimal(0) if lost else line.total_cost,
        queried=line.total_cost if lost else Decimal(0),
        provider=line.provider,
        reference=None,
        treatment_id=None if lost else "T",
        found_by=None if lost else "NHS number",
        tests=(),
        reason="",
        remedy="",
        proposed_commissioner=None,
    )


def known_of(approvals: int) -> Known:
    """What is held of approvals."""
    snapshot = Snapshot(tuple(coverages(approvals)), (), (), _DAY)
    return Known(
        snapshot,
        index_snapshot(snapshot),
        approvals_of(snapshot.coverages),
        {},
        frozenset(),
        parameters_of(),
        load_drugs(),
        Folder(load_organisations()),
    )


def propose(folder: Path, approvals: int, memory: str, *, searching: bool) -> None:
    """One search, or only what it holds of approvals."""
    known = known_of(approvals)
    began, cpu = time.perf_counter(), time.process_time()
    told = "approvals alone"
    if searching:
        machine = Machine(memory, spill_to=folder / "spill")
        files = folder / "rows.parquet", folder / "outcomes.parquet"
        nothing = cast(Any, None)
        found = find_in_files(LargeLines(nothing, nothing, *files, machine), known)
        told = f"{len(found.proposals):,} proposals, " + ", ".join(
            f"{count:,} {why.value}" for why, count in sorted(found.counts.items())
        )
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{took:7.1f} s wall, {cpu:7.1f} s CPU, {peak:5.2f} GB peak: {told}", flush=True)


def main() -> None:
    """Lay the files, then measure each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--approvals", type=int, default=60_000)
    parser.add_argument("--memory", default=MEMORY)
    parser.add_argument("--part", choices=("lay", "approvals", "search"))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.part is not None:
        if asked.part == "lay":
            lay(asked.folder, asked.lines, asked.approvals)
        else:
            searching = asked.part == "search"
            propose(asked.folder, asked.approvals, asked.memory, searching=searching)
        return
    print(f"{asked.lines:,} lines × {asked.approvals:,} approvals, DuckDB at {asked.memory}")
    with tempfile.TemporaryDirectory() as folder:
        for part in ("lay", "approvals", "search"):
            command = [sys.executable, "-m", "benchmarks.large_links", "--part", part]
            command += ["--folder", folder, "--lines", str(asked.lines)]
            command += ["--approvals", str(asked.approvals), "--memory", asked.memory]
            subprocess.run(command, check=True, env=os.environ)


if __name__ == "__main__":
    main()
