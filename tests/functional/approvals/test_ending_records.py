"""The end of retention over the whole service: files, words and who it was; pounds stay."""

import datetime as dt
import gc
import os
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app import ending
from app.approvals.retention import NO_BIRTH_DATE
from app.audit import Actor, Keyring, verify_rows
from app.backup.check import _stored_files
from app.clock import new_id, random_bytes
from app.db import tables
from app.db.transaction import Database
from app.db.work import Work
from app.reconciliation import ending as ending_of_files
from app.reconciliation.errors import StoredFileEnded
from app.reconciliation.files import FileStore
from tests.conftest import AUDIT_KEY
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import (
    HOSPITAL_NUMBER,
    MISTYPED,
    SUBMISSION_ROW,
    Scene,
    run_of,
    table,
    upload,
)

WORKER = Actor("worker", "system", "SERVICE", "worker", "retention", "tests")
NUMBER = initiation(1)["patient"]["nhs_number"]
MARK = "Mrs Marked"
YEARS = 8
LONG_AFTER = dt.datetime(2036, 3, 3, 10, tzinfo=dt.UTC)
#: All that tells of the first patient, in the database or in a file.
MARKS = (NUMBER, HOSPITAL_NUMBER, MISTYPED["NHS NUMBER"], MARK)
LINE = SUBMISSION_ROW | {"LOCAL PATIENT IDENTIFIER (EXTENDED)": HOSPITAL_NUMBER}


@pytest.fixture
def past(people: Mapping[str, Api], scene: Scene, application: FastAPI, clock: Clock) -> Scene:
    """Long after: invoiced, challenged, credited; the scene's own challenge is decided too."""
    payer, trust = people["commissioner"], people["pharmacist"]
    run = run_of(payer, application, table(LINE | {"TOTAL COST": "310.00"}))
    reason = {"kind": "query", "reason": f"{MARK} rang."}
    good(payer.post(f"/v1/runs/{run}/lines/1/override", reason), 201)
    run_of(payer, application, table(LINE | MISTYPED | {"TOTAL COST": "77.00"}))
    at = f"/v1/challenges/{scene.challenge}"
    version = scene.versions[scene.challenge]
    told = good(trust.post(f"{at}/answer", {"evidence": f"{MARK}."}, version=version))
    good(payer.post(f"{at}/withdraw", {"reason": f"{MARK}."}, version=told["version"]))
    good(people["clinician"].post(f"/v1/patients/{scene.patient}/objection", reason_of(MARK)))
    clock.instant = LONG_AFTER
    return scene


def reason_of(words: str) -> dict[str, str]:
    return {"reason": words}


@pytest.fixture
def end(application: FastAPI) -> Callable[[], ending.Ended]:
    state = application.state
    return lambda: ending.end(state.door, state.desk, WORKER, YEARS)


@pytest.fixture
def ask(application: FastAPI) -> Callable[[Callable[[Work], Any]], Any]:
    read: Callable[[Callable[[Work], Any]], Any] = application.state.door.read
    return read


def columns_with(work: Work, *marks: str) -> set[str]:
    """Every column that holds a mark, also as a day or within a document."""
    found = set()
    for each in tables.metadata.sorted_tables:
        for row in work.connection.execute(sa.select(each)).mappings():
            found |= {
                f"{each.name}.{name}"
                for name, value in row.items()
                if any(mark in str(value) for mark in marks)
            }
    return found


def files_with(folder: Path, *marks: str) -> set[str]:
    """Every stored file with a mark, also within a Parquet file's columns."""
    found = set()
    for path in (each for each in folder.rglob("*") if each.is_file()):
        data = path.read_bytes()
        text = data.decode("utf-8", "replace")
        if data[:4] == b"PAR1":
            text += str(pq.read_table(path).to_pylist())
        if any(mark in text for mark in marks):
            found.add(path.parent.name)
    return found


def on_disk(database: Database) -> set[str]:
    """Which marks SQLite's file holds anywhere, also where rows were; the last connection folds
    the write-ahead log into it."""
    if database.engine.dialect.name == "postgresql":
        return set()
    database.engine.dispose()
    data = Path(database.engine.url.database or "").read_bytes()
    return {mark for mark in MARKS if mark.encode() in data}


def sums(work: Work) -> list[Any]:
    """Pounds, approvals and what they cover."""
    run, a, s = tables.reconciliation_run.c, tables.approval.c, tables.segment.c
    outcome = tables.slice_outcome.c
    return [
        work.connection.execute(query).all()
        for query in (
            sa.select(run.id, run.total, run.accepted, run.queried).order_by(run.id),
            sa.select(outcome.id, outcome.accepted, outcome.queried).order_by(outcome.id),
            sa.select(a.id, a.reference, a.covers_from, a.covers_to).order_by(a.id),
            sa.select(s.id, s.from_day, s.to_day, s.product).order_by(s.id),
        )
    ]


def test_nothing_tells_of_anybody_of_long_ago_and_every_pound_stays(
    past: Scene,
    people: Mapping[str, Api],
    end: Callable[[], ending.Ended],
    ask: Callable[[Callable[[Work], Any]], Any],
    application: FastAPI,
    database: Database,
    tmp_path: Path,
) -> None:
    files = tmp_path / "var"
    on_postgres = database.engine.dialect.name == "postgresql"
    assert on_postgres or NUMBER in on_disk(database)
    assert {"patient.nhs_number", "patient_identifier.local_id", "audit_payload.body"} <= ask(
        lambda work: columns_with(work, *MARKS)
    )
    assert {"submissions", "rows"} <= files_with(files, *MARKS)
    before = ask(sums)
    looked = ending.look(application.state.door, application.state.desk, YEARS)
    assert (len(looked.people), len(looked.waiting)) == (1, 1)  # one was never invoiced
    assert len(looked.submissions) == ask(
        lambda work: work.connection.scalar(
            sa.select(sa.func.count()).select_from(tables.submission)
        )
    )
    assert ask(sums) == before  # it was looked at only

    done = end()

    assert (len(done.people), done.waiting, done.unread) == (2, 0, 0)
    assert done.submissions == len(looked.submissions)
    assert files_with(files, *MARKS) == set()
    assert ask(lambda work: columns_with(work, *MARKS)) == set()
    born = ask(lambda work: columns_with(work, "1970-01-01"))
    assert born == {"approval_import.rows"}  # of somebody else, whose row nobody accepted
    assert ask(sums) == before
    keys = Keyring.of(AUDIT_KEY)
    assert ask(lambda work: list(verify_rows(work, keys))) == []
    assert ask(lambda work: _stored_files(work, application.state.desk.files).faults) == ()
    assert end() == ending.Ended(0, 0, (), 0, 0)

    assert not (on_disk(database) & set(MARKS))

    shown = good(people["clinician"].get(f"/v1/treatments/{past.treatment}"))
    assert (shown["patient"]["birth_date"], shown["patient"]["birth_year"]) == (None, None)
    assert shown["patient"]["no_nhs_number_reason"] == "record ended"
    assert NO_BIRTH_DATE.isoformat() not in str(shown)
    assert [each["reference"] for each in shown["approvals"]] == [past.reference]
    # What is kept in the database is read as before.
    payer = people["commissioner"]
    for path in (
        *(
            "/v1/challenges",
            f"/v1/challenges/{past.challenge}",
            f"/v1/submissions/{past.submission}",
        ),
        *("/v1/submissions", "/v1/slice-deltas?financial_year=202627", "/v1/line-decisions"),
        *("/v1/worklists/supplied-after-stop", "/v1/worklists/not-started", f"/v1/jobs/{past.job}"),
        *("/v1/unknown-drug-names", "/v1/slices", "/v1/calendar?financial_year=202627"),
    ):
        good(payer.get(path))
    # Its lines are not shown, and it is not matched again: no pound is claimed back for that.
    for path in (f"/v1/runs/{past.run}/lines", f"/v1/runs/{past.run}/export?format=csv"):
        refused = payer.get(path)
        assert (refused.status_code, refused.json()["code"]) == (409, "lines-no-longer-kept")


def test_a_month_of_then_that_is_sent_again_is_refused_and_a_month_of_now_is_matched(
    past: Scene,
    people: Mapping[str, Api],
    end: Callable[[], ending.Ended],
    application: FastAPI,
    ask: Callable[[Callable[[Work], Any]], Any],
) -> None:
    end()
    before = ask(sums)
    payer = people["commissioner"]
    changed = upload(payer, "/v1/submissions", table(LINE | {"TOTAL COST": "1.00"}))
    assert (changed.status_code, changed.json()["code"]) == (409, "lines-no-longer-kept")
    assert ask(sums) == before
    now = {"FINANCIAL YEAR": "203536", "FINANCIAL MONTH": "11"}
    day = {"CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2036-02-15"}
    assert run_of(payer, application, table(LINE | now | day))


def test_a_person_waits_for_the_last_file_that_names_them_and_the_living_are_left_alone(
    past: Scene,
    people: Mapping[str, Api],
    end: Callable[[], ending.Ended],
    application: FastAPI,
    clock: Clock,
    ask: Callable[[Callable[[Work], Any]], Any],
    tmp_path: Path,
) -> None:
    clock.instant = dt.datetime(2034, 1, 10, 10, tzinfo=dt.UTC)
    payer = people["commissioner"]
    late = {"FINANCIAL YEAR": "203334", "FINANCIAL MONTH": "9", "TOTAL COST": "5.00"}
    day = {"CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2033-12-15"}
    run_of(payer, application, table(LINE | late | day))
    living = good(
        people["other clinician"].post(
            "/v1/requests", initiation(44, decision_to_treat="2034-01-10")
        ),
        201,
    )
    clock.instant = LONG_AFTER

    done = end()

    assert (len(done.people), done.waiting) == (1, 1)
    assert ask(lambda work: columns_with(work, NUMBER)) == {"patient.nhs_number"}
    assert "rows" in files_with(tmp_path / "var", NUMBER)
    shown = good(people["other clinician"].get(f"/v1/requests/{living['id']}"))
    assert shown["answers"]["das28_at_start"]["value"] == "6.0"
    clock.instant = dt.datetime(2042, 6, 1, 10, tzinfo=dt.UTC)
    assert len(end().people) == 1
    assert ask(lambda work: columns_with(work, NUMBER)) == set()
    number = initiation(44)["patient"]["nhs_number"]
    assert "patient.nhs_number" in ask(lambda work: columns_with(work, number))


def test_a_file_that_nobody_can_read_lets_nobody_be_forgotten(
    past: Scene,
    people: Mapping[str, Api],
    end: Callable[[], ending.Ended],
    application: FastAPI,
    clock: Clock,
    tmp_path: Path,
) -> None:
    clock.instant = dt.datetime(2035, 1, 10, 10, tzinfo=dt.UTC)
    late = {"FINANCIAL YEAR": "203334", "FINANCIAL MONTH": "9", "NHS NUMBER": ""}
    run_of(people["commissioner"], application, table(SUBMISSION_ROW | late))
    clock.instant = LONG_AFTER
    newest = sorted((tmp_path / "var").rglob("outcomes/*"), key=lambda path: path.stat().st_mtime)
    newest[-1].unlink()

    done = end()

    assert (done.people, done.waiting, done.unread) == ((), 2, 1)


#: Where the worker is when it is killed: what it is about to do, or has just done; at which call.
MOMENTS: dict[str, tuple[Any, str, int, bool]] = {
    "amid a submission's words": (ending_of_files, "erase_words_of_runs", 0, True),
    "with the submissions committed and no file gone": (ending_of_files, "erase_files", 0, False),
    "amid the files": (FileStore, "end", 2, False),
    "between a file and its mark": (Path, "unlink", 0, False),
    "before a person": (ending, "end_person", 0, False),
    "with all of a batch erased and nothing committed": (ending, "end_person", 1, True),
}


def killed_there(application: FastAPI, place: str) -> None:
    """End retention in a process of its own, and kill -9 it there; see that it had come there."""
    owner, name, before, after = MOMENTS[place]
    there, tell = os.pipe()
    process = os.fork()
    if process == 0:
        gc.disable()  # what threads of the process before held is not this one's to put away
        try:
            whole, calls = getattr(owner, name), iter(range(100))

            def halt(*given: Any, **named: Any) -> Any:
                is_there = next(calls) == before
                result = whole(*given, **named) if after or not is_there else None
                if is_there:
                    os.write(tell, b"there")
                    signal.pause()
                return result

            setattr(owner, name, halt)
            state = application.state
            state.door.database.engine.dispose(close=False)
            # A process of its own draws ids of its own.
            door = replace(state.door, new_id=new_id, random_bytes=random_bytes)
            ending.end(door, state.desk, WORKER, YEARS)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(tell)
    came = os.read(there, 5)  # empty where the process ended without having come there
    os.close(there)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert (came, status) == (b"there", signal.SIGKILL), place


def test_a_run_that_is_killed_between_is_done_to_its_end_by_the_next(
    past: Scene,
    end: Callable[[], ending.Ended],
    ask: Callable[[Callable[[Work], Any]], Any],
    application: FastAPI,
    tmp_path: Path,
) -> None:
    """kill -9 at one moment after the other, each in the run that the one before has left."""
    before = ask(sums)
    keys = Keyring.of(AUDIT_KEY)
    for place in MOMENTS:
        killed_there(application, place)
        assert ask(sums) == before, place
        assert ask(lambda work: list(verify_rows(work, keys))) == [], place
        assert ask(lambda work: _stored_files(work, application.state.desk.files).faults) == ()

    assert len(end().people) == 2

    assert files_with(tmp_path / "var", *MARKS) == set()
    assert ask(lambda work: columns_with(work, *MARKS)) == set()
    assert ask(sums) == before
    assert ask(lambda work: list(verify_rows(work, keys))) == []
    assert end() == ending.Ended(0, 0, (), 0, 0)


def test_a_file_whose_quantities_count_for_an_approval_that_still_covers_is_kept(
    past: Scene,
    database: Database,
    end: Callable[[], ending.Ended],
    application: FastAPI,
) -> None:
    segment, approval = tables.segment, tables.approval
    own = sa.select(approval.c.id).where(approval.c.reference == past.reference)
    open_ended = (
        sa.update(segment)
        .where(segment.c.approval_id.in_(own))
        .values(to_day=None, quantity_cap=Decimal(3), quantity_unit="pens")
    )
    application.state.door.transact(lambda work: work.connection.execute(open_ended))

    done = end()

    assert done.submissions > 0
    assert len(done.people) == 1  # the other one
    kept = sa.select(tables.submission.c.id).where(tables.submission.c.ended_at.is_(None))
    found = application.state.door.read(lambda work: list(work.connection.scalars(kept)))
    assert past.submission in found


@pytest.mark.parametrize("died", [True, False], ids=["died", "lives"])
def test_an_approval_without_an_end_that_nobody_stopped_ends_with_the_patients_death_only(
    past: Scene,
    people: Mapping[str, Api],
    end: Callable[[], ending.Ended],
    ask: Callable[[Callable[[Work], Any]], Any],
    application: FastAPI,
    clock: Clock,
    died: bool,
) -> None:
    """Nobody knows of the living that they are no longer treated: the approval covers them."""
    segment, approval = tables.segment, tables.approval
    own = sa.select(approval.c.id).where(approval.c.reference == past.reference)
    last_day = sa.update(segment).where(segment.c.approval_id.in_(own))
    capped = last_day.values(to_day=None, quantity_cap=Decimal(3), quantity_unit="pens")
    application.state.door.transact(lambda work: work.connection.execute(capped))
    clock.instant = dt.datetime(2027, 1, 10, 10, tzinfo=dt.UTC)
    if died:
        death = {"died_on": "2026-12-24"}
        good(people["clinician"].post(f"/v1/patients/{past.patient}/death", death))
    clock.instant = LONG_AFTER

    done = end()

    assert len(done.people) == (2 if died else 1)
    assert ("patient.nhs_number" in ask(lambda work: columns_with(work, NUMBER))) is not died


def test_an_ended_file_says_so_and_a_lost_one_is_damage(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    digest = store.save("DEMO1", "rows", "a" * 64, b"x")
    assert store.end("DEMO1", "rows", "a" * 64)
    assert not store.end("DEMO1", "rows", "a" * 64)
    with pytest.raises(StoredFileEnded):
        store.read("DEMO1", "rows", "a" * 64, digest)
    with pytest.raises(StoredFileEnded):
        store.path_of("DEMO1", "rows", "a" * 64)
