"""More changed lines of a closed month than are kept line by line are refused whole."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from app.approvals.lifecycle import ApprovalEvent
from app.db import tables
from app.reconciliation import large_deltas, service
from app.reconciliation.service import Desk
from tests.integration.reconciliation.test_deltas import (
    AFTER,
    deltas,
    low,
    mark,
    resolve,
    states,
    submission_of,
    work_off,
)
from tests.integration.reconciliation.test_killed_runs import LINES, MANY
from tests.integration.reconciliation.test_runs import count, run
from tests.integration.reconciliation.test_slices import FREEZE, freeze, key, slices
from tests.world import COMMISSIONER, World


@pytest.fixture
def large(desk: Desk, tmp_path: Path) -> Desk:
    matching = replace(desk.matching, spill_to=tmp_path / "spill", most_lines=0)
    return replace(desk, matching=matching)


@pytest.fixture
def closed(world: World, large: Desk) -> str:
    """A closed month, and an approval withdrawn after it: every line of the month changes."""
    treatment = world.trial().request.treatment_id
    world.on(dt.date(2026, 8, 1))
    run(world, large, data=MANY)
    mark(world)
    work_off(world, large)
    freeze(world, 3)
    world.on(AFTER)
    resolve(world, low(world, treatment), ApprovalEvent.WITHDRAW)
    mark(world)
    return submission_of(world)


def test_as_many_as_may_change_do(
    world: World, large: Desk, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert closed
    monkeypatch.setattr(large_deltas, "MOST", LINES)
    assert work_off(world, large) == 1
    assert len(deltas(world)) == LINES
    assert set(states(world)) == {"done"}


def test_one_more_is_refused_and_leaves_nothing_half_done(
    world: World, large: Desk, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_deltas, "MOST", LINES - 1)
    before = count(world, tables.reconciliation_run), count(world, tables.run_standing)
    june = slices(world)[key(3)]
    assert work_off(world, large) == 1
    assert "failed" in states(world)
    assert deltas(world) == []
    assert (count(world, tables.reconciliation_run), count(world, tables.run_standing)) == before
    now = slices(world)[key(3)]
    assert (now.accepted_now, now.queried_now) == (june.accepted_now, june.queried_now)
    assert now.changes == 1  # and so it is told to be out of date

    # As the refusal says: open the month, reconcile, and close it again.
    freeze(world, 3, AFTER + dt.timedelta(days=30))
    world.on(AFTER + dt.timedelta(days=1))
    world.do(lambda w: service.queue(w, COMMISSIONER, closed))
    work_off(world, large)
    freeze(world, 3, FREEZE)
    done = slices(world)[key(3)]
    assert (done.accepted_now, done.queried_now, done.changes) == (0, 1500, 0)
    assert deltas(world) == []
