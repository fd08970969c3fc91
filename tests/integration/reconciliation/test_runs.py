"""Receiving and running: once, whole or not at all, and without patient data in what is told."""

import datetime as dt
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals.model import StopReason
from app.auth.model import Caller
from app.db import tables
from app.door import Door
from app.handlers import make_handlers
from app.policy import Kind
from app.reconciliation import service, store
from app.reconciliation.errors import NotYourSubmission, RunNotFound, StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.line_columns import INTAKE_VERSION
from app.reconciliation.outcome_files import from_parquet, to_parquet
from app.reconciliation.service import Desk, Reconciled
from app.work import run_next
from tests.integration.reconciliation.matching import LATER, START, line, match
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST, World, patient

FILE = csv_bytes([line(START), line(START, drug="SOMETHING ODD"), line(LATER, total="TBC")])


def run(world: World, desk: Desk, caller: Caller = COMMISSIONER, data: bytes = FILE) -> Reconciled:
    return service.reconcile(
        world.do,
        desk,
        caller,
        data,
        "lines.csv",
        read=lambda fn: world.database.read(fn, moment=world.moment),
    )


def count(world: World, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(world.do(lambda w: w.connection.execute(query).scalar_one()))


def stored(desk: Desk) -> list[Path]:
    return sorted(p for p in desk.files.folder.rglob("*") if p.is_file())


def load(world: World, desk: Desk, run_id: str, caller: Caller = COMMISSIONER) -> Reconciled:
    return world.do(lambda w: service.load_run(w, desk, caller, run_id))


def door(world: World) -> Door:
    return Door(world.database, lambda: world.moment.instant, world.new_id, world.random_bytes)


def race(*steps: Callable[[], Any]) -> list[Any]:
    gate = Barrier(len(steps))

    def one(step: Callable[[], Any]) -> Any:
        gate.wait()
        return step()

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(one, steps))


def test_the_same_file_and_approvals_give_the_same_run(world: World, desk: Desk) -> None:
    treatment = world.trial().request.treatment_id
    first, again = run(world, desk), run(world, desk)
    assert (first.is_new, again.is_new, again.run) == (True, False, first.run)
    assert (count(world, tables.submission), count(world, tables.reconciliation_run)) == (1, 1)
    world.on(LATER)
    world.change(treatment, Kind.STOP, from_day=START, stop_reason=StopReason.OTHER)
    changed = run(world, desk)
    assert changed.is_new
    assert changed.run.submission_id == first.run.submission_id
    assert load(world, desk, first.run.id).matched == _as_stored(first)
    with pytest.raises(RunNotFound):
        load(world, desk, first.run.id, OTHER_COMMISSIONER)


def _as_stored(result: Reconciled) -> Any:
    return from_parquet(to_parquet(result.matched), result.submission.lines)


def test_outcomes_come_back_from_their_file_as_they_went_in(world: World, desk: Desk) -> None:
    world.trial()
    first = run(world, desk)
    back = load(world, desk, first.run.id)
    names = ("line", "kind", "outcome", "accepted", "queried", "provider", "reference")
    more = ("treatment_id", "found_by", "tests", "reason", "remedy")
    for was, now in zip(first.matched, back.matched, strict=True):
        for name in (*names, *more):
            assert getattr(now, name) == getattr(was, name), name
        assert now.recognition.drug == was.recognition.drug
    assert back.summary == first.summary
    assert to_parquet(first.matched) == to_parquet(back.matched)
    with pytest.raises(ValueError, match="not of this submission"):
        from_parquet(to_parquet(first.matched), first.submission.lines[1:])


@pytest.mark.parametrize(
    ("provider", "accepted"),
    [
        ("DEMO1", True),
        ("DEMO102", True),
        ("demo1", True),
        ("DEMO199", True),
        ("", True),
        ("DEMO2", False),
        ("DEMO202", False),
        ("DEMO12", False),
        ("DEMO1234", False),
    ],
)
def test_a_provider_reconciles_its_own_lines_and_those_of_its_sites(
    world: World, desk: Desk, provider: str, accepted: bool
) -> None:
    data = csv_bytes([line(START), line(START, provider=provider)])
    if accepted:
        assert run(world, desk, PHARMACIST, data).run.lines == 2
        return
    with pytest.raises(NotYourSubmission, match=r"^1 line"):
        run(world, desk, PHARMACIST, data)
    assert count(world, tables.submission) == 0
    assert stored(desk) == []


# --- crashes and races ---------------------------------------------------------------------------


def queue(world: World, desk: Desk) -> str:
    submission = service.read_own(desk, COMMISSIONER, FILE, "lines.csv")
    record = world.do(lambda w: service.receive(w, desk, COMMISSIONER, FILE, submission))
    return world.do(lambda w: service.queue(w, COMMISSIONER, record.id))


def test_a_worker_that_dies_before_the_commit_leaves_one_run_after_all(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.trial()
    queue(world, desk)
    add_run = store.add_run

    class Killed(BaseException):
        pass

    def die(*arguments: Any) -> None:
        raise Killed

    monkeypatch.setattr(store, "add_run", die)
    with pytest.raises(Killed):
        run_next(door(world), make_handlers(desk))
    assert count(world, tables.reconciliation_run) == 0
    left = stored(desk)
    monkeypatch.setattr(store, "add_run", add_run)
    world.on(START + dt.timedelta(days=1))  # the lease has run out
    assert run_next(door(world), make_handlers(desk))
    assert count(world, tables.reconciliation_run) == 1
    assert stored(desk) == left  # the same content under the same name


def test_two_workers_on_one_submission_make_one_run(world: World, desk: Desk) -> None:
    world.trial()
    queue(world, desk)
    queue(world, desk)
    handlers = make_handlers(desk)
    assert race(*(lambda: run_next(door(world), handlers) for _ in range(2))) == [True, True]
    jobs = world.do(lambda w: w.connection.execute(sa.select(tables.job)).mappings().all())
    assert [job["state"] for job in jobs] == ["done", "done"], [job["error"] for job in jobs]
    assert count(world, tables.reconciliation_run) == 1
    assert {job["result"]["run"] for job in jobs} == {jobs[0]["result"]["run"]}


def test_one_file_sent_by_many_at_once_is_one_submission(world: World, desk: Desk) -> None:
    runs = race(*(lambda: run(world, desk) for _ in range(4)))
    assert len({result.run.id for result in runs}) == 1
    assert [result.is_new for result in runs].count(True) == 1
    assert count(world, tables.submission) == 1


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["submissions", "outcomes"])
@pytest.mark.parametrize("how", ["gone", "altered"])
def test_a_damaged_file_is_told_and_nothing_changes(
    world: World, desk: Desk, kind: str, how: str
) -> None:
    first = run(world, desk)
    for each in {kind, "rows"} if kind == "submissions" else {kind}:
        spoil(desk, each, how)
    with pytest.raises(StoredFileDamaged):
        load(world, desk, first.run.id)
    assert count(world, tables.reconciliation_run) == 1


def spoil(desk: Desk, kind: str, how: str) -> None:
    (path,) = [p for p in stored(desk) if p.parent.name == kind]
    if how == "gone":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.write_bytes(path.read_bytes() + b" ")


def told(reconciled: Reconciled) -> list[tuple[Any, ...]]:
    """What a run says of its lines; of how a drug was recognised, less is stored."""
    return [
        (m.line, m.outcome, m.accepted, m.queried, m.tests, m.reason) for m in reconciled.matched
    ]


def kept_rows(world: World, desk: Desk) -> bytes:
    """The one file of rows on record, which must be the one on the disk."""
    column = tables.submission_rows.c
    found = sa.select(column.sha256).where(column.intake_version == INTAKE_VERSION)
    digest = world.do(lambda w: w.connection.execute(found).scalar_one())
    return desk.files.read("DEMQ1", "rows", digest, digest)


def test_a_run_is_read_from_the_kept_rows_without_parsing_anew(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(world, desk)
    assert kept_rows(world, desk)[:4] == b"PAR1"
    for each in ("submissions", "rows"):
        assert len([p for p in stored(desk) if p.parent.name == each]) == 1
    queue(world, desk)

    def fail(*_: object) -> None:
        raise AssertionError("the bytes were parsed anew")

    monkeypatch.setattr("app.reconciliation.stored_lines.read_columns", fail)
    assert told(load(world, desk, first.run.id)) == told(first)
    assert not run(world, desk).is_new
    assert run_next(door(world), make_handlers(desk))
    assert count(world, tables.reconciliation_run) == 1


@pytest.mark.parametrize("how", ["gone", "altered", "cut short"])
@pytest.mark.parametrize("again", ["the worker", "the command line"])
def test_spoilt_rows_are_made_anew_from_the_bytes(
    world: World, desk: Desk, how: str, again: str
) -> None:
    first = run(world, desk)
    before = kept_rows(world, desk)
    spoil(desk, "rows", how)
    assert told(load(world, desk, first.run.id)) == told(first)  # read from the bytes
    if again == "the worker":
        queue(world, desk)
        run_next(door(world), make_handlers(desk))
    else:
        assert not run(world, desk).is_new
    assert kept_rows(world, desk) == before
    assert count(world, tables.submission_rows) == 1


def test_a_submission_of_an_earlier_release_has_its_rows_made_on_first_use(
    world: World, desk: Desk
) -> None:
    first = run(world, desk)
    before = kept_rows(world, desk)
    spoil(desk, "rows", "gone")
    earlier = sa.update(tables.submission_rows).values(intake_version=0)
    world.do(lambda w: w.connection.execute(earlier))
    assert told(load(world, desk, first.run.id)) == told(first)
    assert count(world, tables.submission_rows) == 1  # reading writes nothing
    queue(world, desk)
    run_next(door(world), make_handlers(desk))
    assert kept_rows(world, desk) == before
    assert count(world, tables.submission_rows) == 2


def test_rows_of_another_submission_are_not_taken(world: World, desk: Desk) -> None:
    first = run(world, desk)
    other = run(world, desk, data=csv_bytes([line(START, total="7")]))
    other_id, column = other.run.submission_id, tables.submission_rows.c
    found = sa.select(column.sha256).where(column.submission_id == other_id)
    wrong = world.do(lambda w: w.connection.execute(found).scalar_one())
    world.do(
        lambda w: w.connection.execute(
            sa.update(tables.submission_rows)
            .where(column.submission_id == first.run.submission_id)
            .values(sha256=wrong)
        )
    )
    assert told(load(world, desk, first.run.id)) == told(first)


def test_a_crash_while_a_file_is_written_leaves_nothing_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FileStore(tmp_path / "files")

    def die(_handle: int) -> None:
        raise OSError("the power failed")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="power"):
        files.save("DEMQ1", "submissions", "a", b"data")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    monkeypatch.undo()
    digest = files.save("DEMQ1", "submissions", "a", b"data")
    assert files.read("DEMQ1", "submissions", "a", digest) == b"data"
    (path,) = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["..", "../a", "a/b", "/etc", "", "a\n", "a.b", "a\0", "x" * 65])
@pytest.mark.parametrize("part", range(3))
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str, part: int) -> None:
    files = FileStore(tmp_path / "files")
    named = ["DEMQ1", "submissions", "a"]
    named[part] = name
    with pytest.raises(ValueError, match="letters, digits"):
        files.save(*named, b"data")
    with pytest.raises(ValueError, match="letters, digits"):
        files.read(*named, "0" * 64)
    assert list(tmp_path.iterdir()) == []


# --- patient data --------------------------------------------------------------------------------


def test_nothing_that_is_logged_or_refused_holds_patient_data(
    world: World, desk: Desk, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    world.trial()
    queue(world, desk)
    run_next(door(world), make_handlers(desk))
    queue(world, desk)
    for kind in ("submissions", "rows"):
        spoil(desk, kind, "gone")
    run_next(door(world), make_handlers(desk))
    with pytest.raises(NotYourSubmission) as refused:
        run(world, desk, PHARMACIST, csv_bytes([line(START, provider="DEMO2")]))
    errors = world.do(lambda w: w.connection.execute(sa.select(tables.job.c.error)).scalars().all())
    assert any(error and "stored file" in error for error in errors)
    told = "".join([*capfd.readouterr(), caplog.text, str(refused.value), *map(str, errors)])
    for secret in (str(patient().nhs_number), "1970-01-01", "H000001"):
        assert secret not in told
    (found,) = match(world, line(START))
    said = " ".join([found.reason, found.remedy, *(test.detail for test in found.tests)])
    assert str(patient().nhs_number) not in said
