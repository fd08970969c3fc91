"""From a provider's raw CSV file to stored outcomes and totals, as the worker does it.

The functions are the program's own, in the order in which the doors call them for a submission
over the limit: `read_columns` and `placed_of` when it is received, `match_large` when it is
matched, `FileStore.save_file` and the figures of its summary when it is saved. The approvals come
to it as the service's do, one after the other into `pack` (ADR 100), and what that holds counts in
the peak. Two things are left out of the seconds, as they are the database's: reading the approvals
(they are made from the invented ones and packed before the clock starts; what that took is told)
and writing the rows of the run and of its slices.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import duckdb

from app.reconciliation.at_scale import MOST, LargeSubmission, match_large, placed_of
from app.reconciliation.engines import out_of_core
from app.reconciliation.engines.choice import Choice, Engine
from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.engines.plain import match_submission
from app.reconciliation.files import FileStore
from app.reconciliation.intake import read_submission
from app.reconciliation.outcome_files import to_parquet
from app.reconciliation.read_columns import read_columns
from app.reconciliation.report import summary_figures
from app.reconciliation.service import Desk
from app.reconciliation.source import on_disk
from app.reconciliation.stored_lines import OUTCOMES, ROWS, SUBMISSIONS
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from benchmarks._reconcile_cost import Stages, peak, tell_peak
from benchmarks._reconcile_plain import TERMS, snapshot_of

_ORGANISATION: Final = "DEMQ00"
_FILE, _OUTCOMES = "lines.csv", "outcomes.parquet"
_AMOUNTS, _NUMBER = ("accepted", "queried"), "DECIMAL(38, 8)"
#: Where the part works: under the first goal's memory, and under the second's.
PLACES: Final = ("whole", "whole-again")

#: What out_of_core calls, and the stage that it is told under.
_WATCHED: Final = (
    ("index_snapshot", "approvals to tables"),
    ("lay", "approvals to tables"),
    ("hold_lines", "lines to columns"),
    ("credited_lines", "credits"),
    ("debits_of", "credits"),
    ("decide", "steps in SQL"),
    ("write_tables", "words and outcomes"),
    ("_summary", "totals"),
    ("_by_slice", "totals"),
)


def floor(folder: Path, memory: str) -> None:
    """DuckDB reads the same CSV and writes its columns as Parquet."""
    with database(Machine(memory, spill_to=folder / "spill")) as connection:
        lines = f"read_csv('{folder / _FILE}', header = true, all_varchar = true)"
        connection.execute(f"COPY (FROM {lines}) TO '{folder}/floor.parquet'")


def whole(folder: Path, memory: str, place: str) -> None:
    """Receive, match and save one file; what each stage took, and the totals."""
    began = time.perf_counter(), time.process_time()
    snapshot = replace(snapshot_of(folder), terms=TERMS)
    apart = time.perf_counter() - began[0], time.process_time() - began[1]
    held = peak()
    matching = Choice(Engine.DUCKDB, memory, folder / "spill")
    files = FileStore(folder / "stored")
    known = load_drugs(), load_organisations()
    desk = Desk(cast(Any, None), *known, files, matching)
    stages, source = Stages(), on_disk(folder / _FILE)
    for function, stage in _WATCHED:
        stages.watch(out_of_core, function, stage)
    beside = folder / place
    beside.mkdir()
    rows, outcomes = beside / "rows.parquet", beside / _OUTCOMES
    with stages.stage("CSV to rows"), rows.open("wb") as out:
        facts = read_columns(source, _FILE, out, scratch=beside, most=MOST)
    large = LargeSubmission(desk, facts, rows)
    with stages.stage("slices and files"):
        placed = placed_of(large)
        files.save_file(_ORGANISATION, SUBMISSIONS, folder / _FILE)
        files.save_file(_ORGANISATION, ROWS, rows)
    worked = match_large(large, replace(snapshot, layout=facts.layout), outcomes)
    with stages.stage("slices and files"):
        files.save_file(_ORGANISATION, OUTCOMES, outcomes)
        figures = summary_figures(worked.summary)
        (beside / "figures.json").write_text(json.dumps(figures), "utf-8")
    grand = worked.summary.grand
    assert grand.lines == facts.lines
    assert grand.accepted + grand.queried == grand.total
    print(f"{grand.lines:,} lines, £{grand.total:,.2f} in and out; {len(placed.slices):,} slices")
    print(
        f"{len(snapshot.coverages):,} approvals were packed before it began, in {apart[1]:.1f} "
        f"CPU s that are no part of it, with {held:.2f} GB at the peak, Python's own among them"
    )
    for bucket in worked.summary.by_outcome:
        print(f"{bucket.lines:>11,}  {bucket.key}")
    stages.tell()
    tell_peak(max(held, stages.highest()), apart)


def outcomes_in(folder: Path, place: str) -> Path:
    """The file of outcomes that `whole` left."""
    return folder / place / _OUTCOMES


def differing(folder: Path) -> int:
    """Of how many lines the plain engine, which reads row by row, says anything else in any field.

    Both files of outcomes are as they are stored, every word of every line among them.
    """
    read = read_submission((folder / _FILE).read_bytes(), _FILE)
    snapshot = replace(snapshot_of(folder), layout=read.layout, terms=TERMS)
    matched = match_submission(read.lines, snapshot, load_drugs(), load_organisations())
    plain = folder / "plain-outcomes.parquet"
    plain.write_bytes(to_parquet(matched))
    return not_alike(plain, outcomes_in(folder, PLACES[0]), "row")


def not_alike(one: Path, other: Path, key: str) -> int:
    """How many rows, known by their `key`, two files do not share in every column.

    The other may write a column in another type, and be a pattern of files. Amounts are compared as
    numbers, however many zeros they are written with.
    """
    with duckdb.connect() as connection:
        told = connection.sql(f"FROM '{one}'")
        assert sorted(told.columns) == sorted(connection.sql(f"FROM '{other}'").columns)
        kinds = dict(zip(told.columns, told.types, strict=True)) | dict.fromkeys(_AMOUNTS, _NUMBER)
        said = ", ".join(f"CAST({column} AS {kind})" for column, kind in kinds.items())
        query = f"SELECT {key}, hash(ROW({said})) AS said FROM '{{}}'"
        found = connection.sql(
            f"SELECT count(*) FROM ({query.format(one)}) AS one "
            f"FULL JOIN ({query.format(other)}) AS other USING ({key}) "
            "WHERE one.said IS DISTINCT FROM other.said"
        ).fetchall()
    return int(found[0][0])
