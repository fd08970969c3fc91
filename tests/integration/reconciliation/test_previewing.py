"""The worker that finds out what an upload would change, killed in the middle and overtaken."""

import datetime as dt
from typing import Any

import pytest

from app import clock
from app.db import jobs
from app.db.errors import JobNotHeld
from app.db.jobs import Job
from app.handlers import make_handlers
from app.reconciliation import (
    kept_previews,
    kept_results,
    previewing,
    read_columns,
    service,
    staging,
)
from app.reconciliation.engines import progress
from app.reconciliation.kept_previews import WAITS
from app.reconciliation.service import Desk
from app.work import run_next
from tests.integration.reconciliation.killing import killed_there
from tests.integration.reconciliation.matching import LATER
from tests.integration.reconciliation.test_at_scale import FILE, LINES, stored
from tests.integration.reconciliation.test_runs import door
from tests.world import COMMISSIONER, World

ROWS = len(LINES)


@pytest.fixture(autouse=True)
def told_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_columns, "_ROWS", 2)
    monkeypatch.setattr(progress, "LINES_BETWEEN", 1)


def send(world: World, desk: Desk) -> tuple[str, str]:
    """The name of a staged file, and the job that reads it."""
    name = staging.stage(desk, COMMISSIONER, FILE, "lines.csv")
    job = world.do(lambda w: previewing.queue(w, desk, COMMISSIONER, name, "lines.csv"))
    return name, job


def job_of(world: World, id: str) -> Job:
    found = world.do(lambda w: jobs.find(w, id, COMMISSIONER.organisation))
    assert found is not None
    return found


def lines_previewed(desk: Desk, name: str) -> int | None:
    with kept_results.opened(desk, COMMISSIONER, name, WAITS) as kept:
        assert kept is not None
        return kept.head["document"]["lines"] if "document" in kept.head else None


@pytest.mark.long
@pytest.mark.parametrize(
    ("owner", "step", "after", "far"),
    [
        (staging, "staged", True, 0),
        (service, "preview_submission", False, ROWS),
        (kept_previews, "keep", False, 2 * ROWS),
        (kept_previews, "keep", True, 2 * ROWS),
    ],
    ids=["as it begins", "once it is read", "before it is kept", "after it is kept"],
)
def test_a_worker_that_is_killed_leaves_a_job_that_is_taken_again_and_one_preview(
    world: World, desk: Desk, owner: Any, step: str, after: bool, far: int
) -> None:
    world.new_id = clock.new_id  # a process of its own draws ids of its own
    name, job = send(world, desk)
    killed_there(world, lambda: run_next(door(world), make_handlers(desk)), owner, step, after)
    left = job_of(world, job)
    # One of the lines lies in no slice: it is compared with nothing.
    assert (left.state, left.done) == ("running", far - (far == 2 * ROWS))
    assert lines_previewed(desk, name) == (ROWS if after and owner is kept_previews else None)
    assert not run_next(door(world), make_handlers(desk)), "it may be at work still"

    world.on(LATER + dt.timedelta(days=1))  # the lease has run out
    assert run_next(door(world), make_handlers(desk))
    ended = job_of(world, job)
    assert (ended.state, ended.attempts, ended.result) == ("done", 2, {"upload": name})
    assert lines_previewed(desk, name) == ROWS
    assert {kind: len(names) for kind, names in stored(desk).items()} == {
        "staged": 1,
        "staged-results": 1,
    }
    assert not run_next(door(world), make_handlers(desk))


def test_a_worker_that_was_overtaken_stops_and_marks_nothing_done(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, job = send(world, desk)
    whole = jobs.progress

    def overtaken(*given: Any, done: int, **named: Any) -> None:
        if done > 2:
            raise JobNotHeld
        whole(*given, done=done, **named)

    monkeypatch.setattr(jobs, "progress", overtaken)
    assert run_next(door(world), make_handlers(desk))
    assert (job_of(world, job).state, job_of(world, job).done) == ("running", 2)
    assert lines_previewed(desk, name) is None


def test_a_job_of_a_transaction_that_was_rolled_back_counts_as_none(
    world: World, desk: Desk
) -> None:
    name = staging.stage(desk, COMMISSIONER, FILE, "lines.csv")

    def fail(work: Any) -> None:
        previewing.queue(work, desk, COMMISSIONER, name, "lines.csv")
        raise RuntimeError("the commit failed")

    with pytest.raises(RuntimeError):
        world.do(fail)
    assert world.do(lambda w: previewing.job_of(w, desk, COMMISSIONER, name)) is None
    _, job = send(world, desk)
    assert run_next(door(world), make_handlers(desk))
    assert job_of(world, job).state == "done"
    assert lines_previewed(desk, name) == ROWS
