"""A job that fails leaves its slices out of date: tried again, and given up in the end."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app.db import tables
from app.gauges import Gauges
from app.housekeeping import rematching_changes
from app.reconciliation import rematching, service, stale_store, standing_store
from app.reconciliation.errors import ReconciliationError
from app.reconciliation.service import Desk
from tests.integration.reconciliation.matching import line
from tests.integration.reconciliation.test_deltas import (
    FILE,
    JUNE,
    deltas,
    mark,
    match_again,
    revoke,
    states,
    submission_of,
    told,
    work_off,
)
from tests.integration.reconciliation.test_deltas import matched as matched
from tests.integration.reconciliation.test_runs import door, run
from tests.integration.reconciliation.test_slices import key, slices
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, World

Break = Callable[[type[Exception] | None], None]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Let every matching fail with an exception of this type, or mend it."""
    real = service.match

    def set_(error: type[Exception] | None) -> None:
        def fail(*arguments: Any) -> Any:
            if error is None:
                return real(*arguments)
            raise error("the disk is full")

        monkeypatch.setattr(service, "match", fail)

    return set_


def later(world: World, wait: dt.timedelta) -> None:
    moment = world.moment
    world.moment = type(moment)(moment.instant + wait, (moment.instant + wait).date())


def chore(world: World) -> list[Any]:
    """Do what the worker does each minute; the loud lines that it logs."""
    mark(world)
    with capture_logs() as logs:
        rematching_changes().do(door(world))
    return [each for each in logs if each["log_level"] == "error"]


@pytest.mark.parametrize("error", [OSError, ReconciliationError])
def test_what_a_job_failed_at_is_taken_up_again_by_itself(
    world: World, desk: Desk, matched: str, broken: Break, error: type[Exception]
) -> None:
    revoke(world, matched)
    broken(error)
    assert match_again(world, desk) == (2, 1)
    assert "failed" in states(world)
    assert slices(world)[key(3)].changes == 1
    broken(None)
    assert match_again(world, desk) == (0, 0)  # not at once
    later(world, rematching.WAITS[0])
    assert match_again(world, desk) == (0, 1)
    assert [each[:3] for each in told(deltas(world))] == [(1, "-1000", "1000")]
    assert {row.changes for row in slices(world).values()} == {0}
    later(world, dt.timedelta(days=3))
    assert match_again(world, desk) == (0, 0)


def given_up(world: World, desk: Desk, broken: Break, treatment: str) -> None:
    """Let every job fail until the worker gives up."""
    revoke(world, treatment)
    broken(OSError)
    for wait in (*rematching.WAITS, dt.timedelta(days=1)):
        assert chore(world) == []
        assert work_off(world, desk) == 1
        later(world, wait)


def test_it_is_given_up_in_the_end_with_one_loud_line_and_is_told(
    world: World, desk: Desk, matched: str, broken: Break
) -> None:
    given_up(world, desk, broken, matched)
    (line_,) = chore(world)
    assert (line_["event"], line_["organisation"]) == ("rematch given up", "DEMQ1")
    assert line_["submission"] == submission_of(world)
    assert (chore(world), work_off(world, desk)) == ([], 0)
    june = slices(world)[key(3)]
    assert (june.changes, june.given_up, june.accepted_now) == (1, 1, Decimal(1000))
    gauges = Gauges()
    gauges.queues(60).do(door(world))
    told_ = gauges.text().decode().splitlines()
    assert "assent_rematches_given_up 1.0" in told_
    assert "assent_submissions_out_of_date 1.0" in told_


def test_reconciling_by_hand_settles_what_was_given_up(
    world: World, desk: Desk, matched: str, broken: Break
) -> None:
    given_up(world, desk, broken, matched)
    chore(world)
    broken(None)
    run(world, desk, data=FILE)
    assert {(row.changes, row.given_up) for row in slices(world).values()} == {(0, 0)}
    assert len(deltas(world)) == 1
    assert world.do(stale_store.waiting) == (0, 0, None)


def test_another_change_takes_it_up_once_more_and_its_own_tries_count(
    world: World, desk: Desk, matched: str, broken: Break
) -> None:
    given_up(world, desk, broken, matched)
    chore(world)
    submission = submission_of(world)
    (first, *_) = world.do(lambda w: standing_store.open_marks(w, "DEMQ1", submission))
    anew = replace(first, id=world.new_id(), event_id=None, job_id=None, tries=0, given_up_at=None)
    world.do(lambda w: standing_store.add_marks(w, [anew]))
    assert match_again(world, desk) == (0, 1)
    later(world, rematching.WAITS[0])
    broken(None)
    assert match_again(world, desk) == (0, 1)
    assert {row.given_up for row in slices(world).values()} == {0}


def test_a_job_that_workers_died_on_is_taken_up_again_too(
    world: World, desk: Desk, matched: str
) -> None:
    revoke(world, matched)
    mark(world)
    spent = sa.update(tables.job).where(tables.job.c.state == "queued")
    lapsed = world.moment.instant - dt.timedelta(hours=1)
    died = spent.values(state="running", attempts=3, lease_until=lapsed)
    world.do(lambda w: w.connection.execute(died))
    assert work_off(world, desk) == 0
    later(world, rematching.WAITS[0])
    assert match_again(world, desk) == (0, 1)
    assert len(deltas(world)) == 1


def test_another_organisation_is_told_nothing_of_it(
    world: World, desk: Desk, matched: str, broken: Break
) -> None:
    run(world, desk, OTHER_COMMISSIONER, csv_bytes([line(JUNE)]))
    given_up(world, desk, broken, matched)
    chore(world)
    assert {row.given_up for row in slices(world, OTHER_COMMISSIONER).values()} == {0}
    assert slices(world, COMMISSIONER)[key(3)].given_up == 1
