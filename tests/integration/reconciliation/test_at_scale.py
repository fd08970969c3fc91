"""From file to file: the runs, slices and refusals of a submission that is held in memory."""

import datetime as dt
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from app.auth.model import Caller
from app.db import jobs, tables
from app.door import Door
from app.handlers import make_handlers
from app.reconciliation import at_scale, service
from app.reconciliation.at_scale import ReconciledFile, reconcile_file
from app.reconciliation.errors import (
    EngineRanOut,
    NotYourSubmission,
    SubmissionTooLarge,
    TooManyLines,
    UnreadableSubmission,
)
from app.reconciliation.find_table import Most
from app.reconciliation.service import Desk, Reconciled
from app.reconciliation.slices import place, total_of
from app.work import run_next
from tests.integration.reconciliation.matching import LATER, START, line
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, PHARMACIST, World

LINES = [
    line(START),
    line(START),
    line(START, drug="SOMETHING ODD"),
    line(LATER, total="TBC"),
    line(LATER, total="-1000.00"),
    line(LATER, quantity="2", total="2000.00"),
    line(LATER, provider="", total="3.005"),
]
FILE = csv_bytes(LINES)
TABLES = (
    *(tables.submission, tables.submission_rows, tables.reconciliation_run),
    *(tables.slice_version, tables.slice_outcome, tables.slice_correction, tables.slice_head),
)


@pytest.fixture
def large(desk: Desk, tmp_path: Path) -> Desk:
    """A desk that holds no line in memory."""
    return replace(desk, matching=replace(desk.matching, spill_to=tmp_path / "spill", most_lines=0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "lines.csv"
    found.write_bytes(FILE)
    return found


def run(
    world: World, desk: Desk, path: Path, caller: Caller = COMMISSIONER
) -> Reconciled | ReconciledFile:
    return reconcile_file(
        world.do,
        desk,
        caller,
        path,
        read=lambda fn: world.database.read(fn, moment=world.moment),
    )


def rows_of(world: World, table: sa.Table) -> list[dict[str, Any]]:
    found = world.do(lambda w: w.connection.execute(sa.select(table)).mappings().all())
    return [dict(row) for row in found]


def stored(desk: Desk) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in sorted(desk.files.folder.rglob("*")):
        if each.is_file():
            found.setdefault(each.parent.name, []).append(each.name)
    return found


def laid_by(desk: Desk) -> list[Path]:
    """What is left of the folders in which runs lay lines by."""
    assert desk.matching.spill_to is not None
    return [each for each in desk.matching.spill_to.glob("runs/*") if each.is_dir()]


def test_a_file_comes_to_the_run_of_one_held_in_memory(
    world: World, desk: Desk, large: Desk, path: Path
) -> None:
    world.trial()
    found = run(world, large, path)
    assert isinstance(found, ReconciledFile)
    assert (found.run.engine, found.is_new) == ("duckdb", True)
    assert found.run.summary["note"] == (
        "The file has over 0 lines, so DuckDB took it from file to file."
    )
    whole = replace(desk, matching=replace(large.matching, most_lines=1_000))
    plain = run(world, whole, path)
    assert isinstance(plain, Reconciled)
    assert plain.run.engine == "plain"
    assert plain.summary == found.summary
    assert plain.run.snapshot_digest == found.run.snapshot_digest
    assert plain.run.submission_id == found.run.submission_id
    same = ("lines", "total", "accepted", "queried", "financial_month", "provider")
    same += ("not_testable",)
    by_run: dict[str, list[tuple[Any, ...]]] = {}
    for each in rows_of(world, tables.slice_outcome):
        tests = tuple(sorted(each["untested"].items()))
        told = (*(each[name] for name in same), tests)
        by_run.setdefault(each["run_id"], []).append(told)
    assert sorted(by_run[found.run.id]) == sorted(by_run[plain.run.id]) != []
    assert any(amount and tests for *_, amount, tests in by_run[found.run.id])
    untested = found.summary.untested
    assert untested is not None
    placed = sum(amount for *_, amount, _ in by_run[found.run.id])
    assert (placed, untested.amount) == (4000, Decimal("4003.005"))  # one line is of no slice
    assert laid_by(large) == []


def test_the_submission_and_its_slices_are_those_of_a_file_in_memory(
    world: World, desk: Desk, large: Desk, path: Path, tmp_path: Path
) -> None:
    run(world, large, path)
    (record,) = rows_of(world, tables.submission)
    versions = {(v["lines"], v["total"]) for v in rows_of(world, tables.slice_version)}
    for table in reversed(TABLES):
        assert rows_of(world, table) or table is tables.slice_correction
    read = service.read_own(desk, COMMISSIONER, FILE, "lines.csv")
    placed = place(read.lines, desk.organisations.fold)
    assert versions == {(len(lines), total_of(lines)) for lines in placed.slices.values()}
    assert record["lines"] == len(read.lines)
    assert record["total"] == total_of(read.lines)
    # Its rows on record are those that a file in memory has, to the byte.
    (kept,) = rows_of(world, tables.submission_rows)
    assert desk.files.read("DEMQ1", "rows", kept["sha256"], kept["sha256"]) == read.as_rows


def test_again_changes_nothing_and_reads_the_kept_rows(
    world: World, large: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(world, large, path)
    before = ([rows_of(world, table) for table in TABLES], stored(large))

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the bytes were parsed anew")

    monkeypatch.setattr(at_scale, "read_columns", fail)
    again = run(world, large, path)
    assert (again.is_new, again.run) == (False, first.run)
    assert ([rows_of(world, table) for table in TABLES], stored(large)) == before


def test_the_worker_takes_a_large_submission_from_file_to_file(
    world: World, desk: Desk, large: Desk
) -> None:
    read = service.read_own(desk, COMMISSIONER, FILE, "lines.csv")

    def queue(work: Any) -> str:
        record = service.receive(work, desk, COMMISSIONER, FILE, read)
        return service.queue(work, COMMISSIONER, record.id)

    job = world.do(queue)
    door = Door(world.database, lambda: world.moment.instant, world.new_id, world.random_bytes)
    assert run_next(door, make_handlers(large))
    done = world.do(lambda w: jobs.find(w, job, "DEMQ1"))
    assert done is not None
    assert done.error is None
    (made,) = rows_of(world, tables.reconciliation_run)
    assert made["engine"] == "duckdb"
    assert laid_by(large) == []
    outcomes = pq.read_table(
        large.files.path_of("DEMQ1", "outcomes", made["outcomes_file"])
    ).to_pylist()
    assert [row["row"] for row in outcomes] == list(range(1, len(LINES) + 1))
    with pytest.raises(TooManyLines, match="outcomes"):
        world.do(lambda w: service.load_run(w, large, COMMISSIONER, made["id"]))


def test_a_closed_month_is_corrected_by_the_lines_that_differ(
    world: World, large: Desk, path: Path
) -> None:
    run(world, large, path)
    frozen = dt.date(2026, 7, 1)
    month = {"financial_year": "202627", "financial_month": 3}
    world.on(frozen + dt.timedelta(days=40))
    values = {
        "id": world.new_id(), "organisation": "DEMQ1", **month, "number": 1, "freeze": frozen,
        "source": "test", "set_at": world.moment.instant, "set_by": "test",
    }  # fmt: skip
    world.do(lambda w: w.connection.execute(sa.insert(tables.contract_month).values(**values)))
    path.write_bytes(csv_bytes([*LINES[:2], line(START, drug="SOMETHING ODD", total="7.00")]))
    run(world, large, path)
    signs = sorted((c["sign"], c["amount"]) for c in rows_of(world, tables.slice_correction))
    assert [(sign, str(amount)) for sign, amount in signs] == [(-1, "-1000"), (1, "7")]


# --- bad input ------------------------------------------------------------------------------------


def nothing_kept(world: World, desk: Desk) -> bool:
    return not any(rows_of(world, table) for table in TABLES) and not stored(desk)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"hello, world\n1,2\n", UnreadableSubmission),
        (b"PK\x03\x04 renamed", UnreadableSubmission),
        (FILE + b'"an open quotation mark\n1,2\n', UnreadableSubmission),
        (FILE.split(b"\r\n")[0], UnreadableSubmission),
    ],
)
def test_a_file_that_cannot_be_read_leaves_nothing(
    world: World, large: Desk, path: Path, data: bytes, error: type[Exception]
) -> None:
    path.write_bytes(data)
    with pytest.raises(error):
        run(world, large, path)
    assert nothing_kept(world, large)
    assert laid_by(large) == []


def test_another_providers_file_leaves_nothing(world: World, large: Desk, path: Path) -> None:
    path.write_bytes(csv_bytes([line(START), line(START, provider="DEMO2")]))
    with pytest.raises(NotYourSubmission, match=r"1 line\(s\)"):
        run(world, large, path, PHARMACIST)
    assert nothing_kept(world, large)


@pytest.mark.parametrize(
    ("caller", "why"), [(PHARMACIST, "only that commissioner"), (COMMISSIONER, "no key")]
)
def test_pseudonyms_that_cannot_be_compared_are_refused(
    world: World, large: Desk, path: Path, caller: Caller, why: str
) -> None:
    rows = [{**line(START, nhs=""), "NHS NUMBER PSEUDONYM": "A" * 32}]
    path.write_bytes(csv_bytes(rows))
    with pytest.raises(UnreadableSubmission, match=why):
        run(world, large, path, caller)
    assert nothing_kept(world, large)


def test_a_file_over_the_limit_leaves_nothing(
    world: World, large: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_scale, "MOST", Most(bytes=100))
    with pytest.raises(SubmissionTooLarge):
        run(world, large, path)
    assert nothing_kept(world, large)


def test_too_little_memory_is_told_and_leaves_nothing_of_the_run(
    world: World, large: Desk, path: Path
) -> None:
    small = replace(large, matching=replace(large.matching, memory_limit="1MB"))
    with pytest.raises(EngineRanOut, match="ASSENT_RECONCILIATION_MEMORY"):
        run(world, small, path)
    assert not rows_of(world, tables.reconciliation_run)
    assert "outcomes" not in stored(large)
    assert laid_by(large) == []
    assert run(world, large, path).is_new


def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    world: World, large: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineRanOut, match="disk"):
        run(world, large, path)
    monkeypatch.undo()
    assert nothing_kept(world, large)
    assert run(world, large, path).is_new
