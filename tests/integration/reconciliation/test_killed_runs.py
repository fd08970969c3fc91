"""A reconciling process killed by the system at random moments: the same in the end, once."""

import datetime as dt
import os
import random
import signal
import time

import pytest
import sqlalchemy as sa

from app import clock
from app.approvals.lifecycle import ApprovalEvent
from app.db import tables
from app.reconciliation import service, standing_store
from app.reconciliation.service import Desk
from tests.integration.reconciliation.test_deltas import (
    AFTER,
    FILE,
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
from tests.world import COMMISSIONER, World

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
