"""A reconciling process killed by the system, at random moments and amid its writing: once."""

import datetime as dt
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.approvals.lifecycle import ApprovalEvent
from app.db import jobs, tables
from app.reconciliation import closed_months, service, standing_store
from app.reconciliation.service import Desk
from app.work import Watcher
from tests.integration.reconciliation.killing import killed_there
from tests.integration.reconciliation.matching import line
from tests.integration.reconciliation.test_deltas import (
    AFTER,
    FILE,
    JUNE,
    deltas,
    low,
    mark,
    resolve,
    submission_of,
    told,
    work_off,
)
from tests.integration.reconciliation.test_runs import count, run
from tests.integration.reconciliation.test_slices import freeze, key, slices
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, World

pytestmark = pytest.mark.long

KILLS = 12
#: No longer than marking and one run take, so that most kills find the process at work.
LONGEST_SECONDS = 0.5


def in_a_process_of_its_own(world: World, desk: Desk) -> int:
    """Mark and work off in a new process; returns its id. It shares no connection with us."""
    process = os.fork()
    if process == 0:
        try:
            world.database.engine.dispose(close=False)
            mark(world)
            work_off(world, desk)
        finally:
            os._exit(0)
    return process


def waits(world: World) -> bool:
    """Whether a job is there that a worker would take, now or once its lease has run out."""
    state = tables.job.c.state.in_(("queued", "running"))
    query = sa.select(sa.func.count()).select_from(tables.job).where(state)
    return bool(world.do(lambda work: work.connection.execute(query).scalar_one()))


@pytest.mark.parametrize("seed", [20261, 20262])
def test_killed_at_random_moments_it_ends_the_same_and_adds_nothing_twice(
    world: World, desk: Desk, seed: int
) -> None:
    world.new_id = clock.new_id  # a process of its own draws ids of its own
    treatment = world.trial().request.treatment_id
    world.on(dt.date(2026, 8, 1))
    run(world, desk, data=FILE)
    mark(world)
    work_off(world, desk)
    freeze(world, 3)
    submission = submission_of(world)
    world.on(AFTER)
    resolve(world, low(world, treatment), ApprovalEvent.WITHDRAW)

    whole = [(1, "-1000", "1000", "no approval", "approval: withdraw")]
    moments = random.Random(seed)
    for number in range(KILLS):
        world.on(AFTER + dt.timedelta(days=number + 1))  # the lease of the one before has run out
        process = in_a_process_of_its_own(world, desk)
        time.sleep(moments.uniform(0, LONGEST_SECONDS))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        found = told(deltas(world))
        assert found in ([], whole)
        runs, standing = count(world, tables.reconciliation_run), count(world, tables.run_standing)
        assert (runs, standing) == ((1, 1) if found == [] else (2, 2))
        june = slices(world)[key(3)]
        assert june.accepted_now == (1000 if found == [] else 0)
        if not waits(world):  # three workers died on it, and it was given up
            world.do(lambda w: service.queue(w, COMMISSIONER, submission))

    world.on(AFTER + dt.timedelta(days=KILLS + 2))
    mark(world)
    work_off(world, desk)
    assert told(deltas(world)) == whole
    assert count(world, tables.reconciliation_run) == 2
    assert {row.changes for row in slices(world).values()} == {0}
    (frozen,) = world.do(lambda w: standing_store.frozen_with_deltas(w, "DEMQ1")).values()
    assert frozen[0].accepted == 1000


# --- amid the writing of deltas -------------------------------------------------------------------

#: Lines of a closed month, each of which gets a delta.
LINES = 5
MANY = csv_bytes([line(JUNE + dt.timedelta(days=n), total=f"{n + 1}00") for n in range(LINES)])
WHOLE = [
    (n + 1, f"-{n + 1}00", f"{n + 1}00", "no approval", "approval: withdraw") for n in range(LINES)
]
#: Where the worker is when it is killed: what it is about to do, or has just done.
MOMENTS: dict[str, tuple[Any, str, bool]] = {
    "before any delta is written": (standing_store, "add_deltas", False),
    "once all are written and not committed": (standing_store, "add_deltas", True),
    "once they are found to tie": (closed_months, "check_tie", True),
    "once its job is told to be done and nothing is committed": (jobs, "finish", True),
    "once all is committed": (Watcher, "job_ended", False),
}


@pytest.mark.parametrize("most_lines", [None, 0], ids=["in memory", "from file to file"])
@pytest.mark.parametrize("place", MOMENTS)
def test_killed_amid_the_deltas_of_a_closed_month_none_is_lost_or_there_twice(
    world: World, desk: Desk, tmp_path: Path, place: str, most_lines: int | None
) -> None:
    world.new_id = clock.new_id
    if most_lines is not None:
        matching = replace(desk.matching, spill_to=tmp_path / "spill", most_lines=most_lines)
        desk = replace(desk, matching=matching)
    treatment = world.trial().request.treatment_id
    world.on(dt.date(2026, 8, 1))
    run(world, desk, data=MANY)
    mark(world)
    work_off(world, desk)
    freeze(world, 3)
    world.on(AFTER)
    resolve(world, low(world, treatment), ApprovalEvent.WITHDRAW)

    owner, name, after = MOMENTS[place]
    if name == "check_tie" and most_lines is not None:
        name = "_check_sums"  # what is asserted of lines that are not in memory

    def worker() -> None:
        mark(world)
        work_off(world, desk)

    killed_there(world, worker, owner, name, after)
    committed = name == "job_ended"
    assert told(deltas(world)) == (WHOLE if committed else [])
    runs, standing = count(world, tables.reconciliation_run), count(world, tables.run_standing)
    assert (runs, standing) == ((2, 2) if committed else (1, 1))

    for later in (1, 2):  # a second worker has nothing left to add
        world.on(AFTER + dt.timedelta(days=later))
        mark(world)
        work_off(world, desk)
        assert told(deltas(world)) == WHOLE
        assert count(world, tables.reconciliation_run) == 2
        assert count(world, tables.run_standing) == 2
    june = slices(world)[key(3)]
    assert (june.accepted, june.accepted_now, june.queried_now) == (1500, 0, 1500)
    assert june.changes == 0
    assert not waits(world)
