"""What it costs to look at, draft from and take away a run that is not held in memory.

`python -m benchmarks.large_run --lines 1000000 --approvals 100000` invents a submission as
`benchmarks.reconcile` does, takes it from file to file with every line worded, and then measures in
a process each: a page in either order, one filtered by outcome, by drug and by month, one line with
its key, the lines that bear on a decision by hand, what would be challenged, and each export.
Processor seconds and peak memory; `nothing` is a process that only reads Python's modules.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, cast

from app.reconciliation.at_scale import MOST
from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.engines.out_of_core import match_rows
from app.reconciliation.export_table import Reader
from app.reconciliation.exports import Export, ExportFormat, write_export
from app.reconciliation.hidden_columns import Everybody
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.large_queries import QUERIED
from app.reconciliation.large_returned import write_returned
from app.reconciliation.large_supplies import hold_charged
from app.reconciliation.line_choice import Order, choose_lines
from app.reconciliation.line_filter import LineFilter
from app.reconciliation.pseudonymised import write_hidden
from app.reconciliation.read_columns import read_columns
from app.reconciliation.report import summary_figures, summary_told
from app.reconciliation.source import on_disk
from app.reconciliation.store import RunRecord
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from app.reference_data.pseudonyms import PseudonymKey
from benchmarks._reconcile_data import generate, write_submission
from benchmarks._reconcile_plain import snapshot_of

MEMORY: Final = "2GB"
PAGE: Final = 100
_KEY: Final = PseudonymKey(b"a key of the benchmark alone")
#: Whose summary the exports hold: of the run's figures as they were kept.
_FIGURES: Final = "figures.json"


def opened(folder: Path) -> LargeLines:
    """The run's two files as the doors open them."""
    import json

    summary = json.loads((folder / _FIGURES).read_text("utf-8"))
    grand = summary_told(summary).grand
    told = {name: getattr(grand, name) for name in ("lines", "total", "accepted", "queried")}
    told |= {"id": "R1", "summary": summary, "created_at": dt.datetime(2026, 7, 1, tzinfo=dt.UTC)}
    nothing = dict.fromkeys(field.name for field in fields(RunRecord))
    run = RunRecord(**cast(dict[str, Any], {**nothing, **told}))
    machine = Machine(MEMORY, spill_to=folder / "spill")
    rows, outcomes = folder / "rows.parquet", folder / "outcomes.parquet"
    return LargeLines(run, cast(Any, None), rows, outcomes, machine)


def invent(folder: Path, lines: int, approvals: int) -> None:
    """The submission and the approvals."""
    generate(folder, lines, approvals, seed=1)
    write_submission(folder, lines)


def read(folder: Path) -> None:
    """From the CSV to the file of rows."""
    with (folder / "rows.parquet").open("wb") as out:
        read_columns(on_disk(folder / "lines.csv"), "lines.csv", out, scratch=folder, most=MOST)


def match(folder: Path) -> None:
    """From the file of rows to the file of outcomes, every line worded."""
    import json

    known = snapshot_of(folder), load_drugs(), load_organisations()
    machine = Machine(MEMORY, spill_to=folder / "spill")
    decided = match_rows(folder / "rows.parquet", folder / "outcomes.parquet", *known, machine)
    figures = summary_figures(decided.summary)
    (folder / _FIGURES).write_text(json.dumps(figures), "utf-8")
    print({each.key: each.lines for each in decided.summary.by_outcome})


def page(folder: Path, asked: LineFilter, order: Order = Order.FILE) -> None:
    """One page of what is asked for, and the row after it."""
    found = choose_lines(opened(folder), asked, 0, PAGE, order)
    print(f"{found.count:,} lines fit")


def one_line(folder: Path) -> None:
    """A line from the middle of the file, as its evidence reads it, with its key."""
    large = opened(folder)
    row = large.run.lines // 2
    large.line(row)
    large.key(row)


def bearing(folder: Path) -> None:
    """The lines that bear on the middle one, as a decision by hand reads them."""
    large = opened(folder)
    with large.reading() as reading:
        print(f"{len(reading.related(large.run.lines // 2, (), 2_000))} lines")


def drafting(folder: Path) -> None:
    """What is queried of the commonest drug, up to 50,000 lines of it, with the keys."""
    large = opened(folder)
    with large.reading() as reading:
        reading.stating_both_signs()
        rows = reading.rows_where(f"{QUERIED} > 0")[:50_000]
        reading.lines(rows)
        reading.keys(rows)
        print(f"{len(rows):,} lines")


def take_away(folder: Path, format: ExportFormat) -> None:
    """An export as the worker writes it."""
    large = opened(folder)
    summary = summary_told(large.run.summary)
    content = Export("R1", large.run.created_at, summary, large, (), Reader(payer=False))
    path = folder / f"export.{format.value}"
    write_export(content, format, path, folder)
    print(f"{path.stat().st_size / 1e6:,.0f} MB")


def give_back(folder: Path, key: PseudonymKey | None) -> None:
    """The submission with its outcomes, as a trust gets it, or a payer with a key."""
    large = opened(folder)
    hider = None if key is None else Everybody.of(large.facts().columns, key)
    path = folder / "returned.csv"
    write_returned(large, path, hider, safe=False)
    print(f"{path.stat().st_size / 1e6:,.0f} MB")


def counting(folder: Path) -> None:
    """Lines and queried lines of each slice, as the overview counts them."""
    with opened(folder).reading() as reading:
        print(f"{len(list(reading.queried_by_slice())):,} slices")


def listing(folder: Path) -> None:
    """The supplies for the lists, found and held, without the database that keeps them."""
    large = opened(folder)
    with database(large.machine) as connection:
        hold_charged(connection, "R1", large.outcomes, large.rows)
        print(f"{connection.sql('SELECT count(*) FROM found').fetchall()[0][0]:,} supplies")


def hiding(folder: Path) -> None:
    """Every number as its pseudonym: what a file with pseudonyms costs beside the match."""
    write_hidden(folder / "rows.parquet", folder / "hidden.parquet", _KEY)


LINES: Final = 1_000_000

PARTS: Final[Mapping[str, Callable[[Path], None]]] = {
    "nothing": lambda _: None,
    "rows of the CSV": read,
    "match and words": match,
    "a page": lambda at: page(at, LineFilter()),
    "a page, most queried first": lambda at: page(at, LineFilter(), Order.QUERIED),
    "a page of an outcome": lambda at: page(at, LineFilter(outcome="no approval")),
    "a page of an outcome, most queried first": lambda at: page(
        at, LineFilter(outcome="no approval"), Order.QUERIED
    ),
    "a page of a drug": lambda at: page(at, LineFilter(drug=sorted(load_drugs().drugs)[0])),
    "a page of a month": lambda at: page(at, LineFilter(month="202526 M01")),
    "one line": one_line,
    "lines that bear on a decision": bearing,
    "50,000 lines to challenge": drafting,
    "the file back": lambda at: give_back(at, None),
    "the file back, with pseudonyms": lambda at: give_back(at, _KEY),
    "lines for the overview": counting,
    "supplies for the lists": listing,
    "numbers as pseudonyms": hiding,
    "CSV": lambda at: take_away(at, ExportFormat.CSV),
    "Parquet": lambda at: take_away(at, ExportFormat.PARQUET),
    "JSON": lambda at: take_away(at, ExportFormat.JSON),
    "XLSX": lambda at: take_away(at, ExportFormat.XLSX),
}


def run(lines: int = LINES, approvals: int | None = None) -> int:
    """Measure every part, each in a process of its own. There is no target to miss."""
    approvals = approvals or max(lines // 10, 100)
    with tempfile.TemporaryDirectory() as name:
        _cost("invent", Path(name), lines, approvals)
        for part in PARTS:
            print(f"{part:45} {_cost(part, Path(name), lines, approvals)}", flush=True)
    return 0


def _cost(part: str, folder: Path, lines: int, approvals: int) -> str:
    command = [sys.executable, "-m", "benchmarks.large_run", "--part", part]
    command += ["--folder", str(folder), "--lines", str(lines), "--approvals", str(approvals)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{part} failed")
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6
    return f"{cpu:8.1f} CPU s  {peak:5.2f} GB  {said.strip()}"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--lines", type=int, default=LINES)
    arguments.add_argument("--approvals", type=int, default=LINES // 10)
    arguments.add_argument("--part")
    arguments.add_argument("--folder", type=Path)
    given = arguments.parse_args()
    if given.part == "invent":
        invent(given.folder, given.lines, given.approvals)
    elif given.part:
        PARTS[given.part](given.folder)
    else:
        run(given.lines, given.approvals)
