"""What it costs to act on a few lines of a run: in a web request, so by a process that serves.

`python -m benchmarks.few_lines --lines 20000 --approvals 1000` has invented approvals submitted in
a SQLite database of its own, and a payer's file reconciled in which one line in twenty is of a
patient with an approval whose number was mistyped, and the others are of nobody. Then it measures,
in a process each: reading a challenge of a few lines, drafting one by outcome and drug, deciding a
line by hand, and accepting a proposal. Wall and processor seconds and peak memory of the process;
`nothing` is what the application takes by itself.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from app.approvals import submitting
from app.approvals.model import PatientDetails
from app.auth.model import Caller, Role
from app.db.engine import make_engine
from app.db.upgrade import upgrade
from app.db.work import Work
from app.main import create_app
from app.reconciliation import challenging, deciding_lines, service
from app.reconciliation.line_filter import LineFilter
from app.reconciliation.linkage import proposing
from app.reconciliation.model import DecisionKind
from app.reference_data.nhs_number import test_number
from app.settings import Settings
from tests.world import initiation

#: The day of every form and act, before the supplies of the file.
_NOW: Final = dt.datetime(2026, 6, 11, 11, tzinfo=dt.UTC)
PARTS: Final = ("nothing", "read", "draft", "decide", "accept")


def _csv(lines: int, approvals: int) -> bytes:
    """A payer's file: one line in twenty states a patient of ours by a number with a slip."""
    text = io.StringIO()
    names = (
        *("FINANCIAL MONTH", "FINANCIAL YEAR", "ORGANISATION IDENTIFIER (CODE OF PROVIDER)"),
        *("ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)", "NHS NUMBER", "PERSON BIRTH DATE"),
        *("CLINICAL INTERVENTION DATE (DRUG DISPENSED)", "DRUG NAME", "TOTAL COST"),
    )
    writer = csv.writer(text)
    writer.writerow(names)
    for n in range(lines):
        patient = n // 20 % approvals
        number, born = test_number(patient * 90), f"19{40 + patient % 60}-03-{patient % 28 + 1:02d}"
        if n % 20 == 0:  # the sixth figure is another
            number = f"{number[:5]}{(int(number[5]) + 5) % 10}{number[6:]}"
        else:
            number, born = test_number(n * 4 % 99_000 + 45), f"18{n % 90 + 10}-11-30"
        drug = "Humira 40mg" if n % 20 == 0 or n % 2 else "Tysabri 300mg"
        cost = f"{100 + n % 900}.{n % 100:02d}"
        row = ("3", "202627", "DEMO1", "DEMQ1", number, born, "2026-06-15", drug, cost)
        writer.writerow(row)
    return text.getvalue().encode()


def _payer() -> Caller:
    return Caller("bench", "bench", "person", "DEMQ1", Role.COMMISSIONER, "bench", "bench")


def _begin(folder: Path) -> FastAPI:
    url = f"sqlite:///{folder}/few.db"
    settings = Settings(demonstration=True, data_dir=folder / "var", database_url=url)
    return create_app(settings, now=lambda: _NOW)


def lay(folder: Path, lines: int, approvals: int) -> None:
    """The approvals, the run, its proposals, and a challenge of a few of its lines."""
    upgrade(make_engine(f"sqlite:///{folder}/few.db"))
    app = _begin(folder)
    door, desk, payer = app.state.door, app.state.desk, _payer()
    clinician = Caller("c", "c", "person", "DEMO1", Role.CLINICIAN, "bench", "bench")
    own, at_trust = door.acting_for("DEMQ1"), door.acting_for("DEMO1")
    for n in range(approvals):
        command = initiation(
            patient=PatientDetails(
                birth_date=dt.date(1940 + n % 60, 3, n % 28 + 1),
                sex="female",
                nhs_number=test_number(n * 90),
                local_id=f"F{n:06d}",
            )
        )
        at_trust.transact(
            lambda work, command=command: submitting.submit_initiation(
                work, desk.office, clinician, command
            )
        )
    data = _csv(lines, approvals)
    run = service.reconcile(own.transact, desk, payer, data, "few.csv", read=own.read).run
    seen = own.read(lambda work: proposing.look(work, desk, payer, run.id))
    found = proposing.work_out(desk, seen)
    own.transact(lambda work: proposing.save(work, payer, seen, found))
    first = found.proposals[0].row
    told = own.read(lambda work: challenging.load_for_draft(work, desk, payer, run.id, FEW))
    few = replace(told, matched=told.matched[:5], keys=told.keys[:5], others=None)
    made = own.transact(lambda work: challenging.draft(work, payer, few, by_month=False))
    print(f"{run.lines:,} lines, {len(found.proposals):,} proposals")
    kept = {"run": run.id, "row": first, "challenge": made.challenges[0].id}
    (folder / "kept.json").write_text(json.dumps(kept))


FEW: Final = LineFilter(outcome="no approval", drug="natalizumab")


def measure(folder: Path, part: str) -> None:
    """One part, in this process."""
    app = _begin(folder)
    door, desk, payer = app.state.door, app.state.desk, _payer()
    own, kept = door.acting_for("DEMQ1"), json.loads((folder / "kept.json").read_text())
    listed = own.read(lambda work: proposing.list_proposals(work, payer, kept["run"], 2))
    proposal = listed.proposals[0]
    named = proposal.proposed.candidates[0].approval_reference

    def decide(work: Work) -> Any:
        row, kind = kept["row"], DecisionKind.QUERY
        seen = deciding_lines.look(work, desk, payer, kept["run"], row, kind)
        return deciding_lines.draft(desk, payer, seen, row, kind, None)

    acts: dict[str, Callable[[Work], Any]] = {
        "nothing": lambda _: None,
        "read": lambda work: challenging.show(work, desk, payer, kept["challenge"]),
        "draft": lambda work: challenging.load_for_draft(work, desk, payer, kept["run"], FEW),
        "decide": decide,
        "accept": lambda work: proposing.prepare_to_accept(work, desk, payer, proposal.id, named),
    }
    began, cpu = time.perf_counter(), time.process_time()
    own.read(acts[part])
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{part:>8}: {took:6.2f} s wall, {cpu:6.2f} s CPU, {peak:6.0f} MB peak", flush=True)


def main() -> None:
    """Lay the database, then measure each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--approvals", type=int, default=1_000)
    parser.add_argument("--part", choices=("lay", *PARTS))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.part is not None:
        if asked.part == "lay":
            lay(asked.folder, asked.lines, asked.approvals)
        else:
            measure(asked.folder, asked.part)
        return
    with tempfile.TemporaryDirectory() as folder:
        for part in ("lay", *PARTS):
            command = [sys.executable, __file__, "--part", part, "--folder", folder]
            command += ["--lines", str(asked.lines), "--approvals", str(asked.approvals)]
            subprocess.run(command, check=True, env=os.environ)


if __name__ == "__main__":
    main()
