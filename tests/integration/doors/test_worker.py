"""The worker runs each job once, saves its effects with its result, and reports what failed."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.db import jobs
from app.db.jobs import Job
from app.db.tables import organisation_setting
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.door import Door
from app.work import BEAT_SECONDS, FAILED, LEASE, Held, JobRefused, run_for_ever, run_next


@pytest.fixture
def door(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> Door:
    return Door(database, lambda: moment.instant, ids, random_bytes)


def enqueue(door: Door, kind: str = "count", **payload: Any) -> str:
    return door.transact(
        lambda work: jobs.enqueue(
            work, kind, organisation="DEMO1", created_by="somebody", payload=payload
        )
    )


def found(door: Door, id: str) -> Job:
    job = door.read(lambda work: jobs.find(work, id, "DEMO1"))
    assert job is not None
    return job


def effect(work: Work) -> None:
    """Something that a job saves besides its result."""
    work.connection.execute(
        sa.insert(organisation_setting).values(
            id=work.new_id(),
            organisation="DEMO1",
            setting="effect",
            value={},
            from_day=work.moment.day,
            recorded_at=work.moment.instant,
            recorded_by="worker",
        )
    )


def effects(door: Door) -> int:
    query = sa.select(sa.func.count()).select_from(organisation_setting)
    return door.read(lambda work: work.connection.execute(query).scalar_one())


def counting(held: Held) -> Callable[[Work], dict[str, Any]]:
    held.progress(1, 2)

    def save(work: Work) -> dict[str, Any]:
        effect(work)
        return {"counted": held.job.payload["to"]}

    return save


def test_a_job_is_run_once_and_its_effects_come_with_its_result(door: Door) -> None:
    id = enqueue(door, to=3)

    assert run_next(door, {"count": counting})
    assert not run_next(door, {"count": counting})

    job = found(door, id)
    assert (job.state, job.result, job.error) == ("done", {"counted": 3}, None)
    assert (job.done, job.total) == (1, 2)
    assert effects(door) == 1


def test_a_lost_connection_leaves_the_job_to_be_taken_again(door: Door, moment: Moment) -> None:
    id = enqueue(door, to=3)

    def cut(_held: Held) -> Callable[[Work], dict[str, Any]]:
        def save(_work: Work) -> dict[str, Any]:
            lost = OSError("server closed the connection unexpectedly")
            raise OperationalError("COMMIT", {}, lost, connection_invalidated=True)

        return save

    with pytest.raises(OperationalError):
        run_next(door, {"count": cut})
    assert found(door, id).state == "running"

    later = replace(door, now=lambda: moment.instant + LEASE)
    assert run_next(later, {"count": counting})
    assert (found(door, id).state, effects(door)) == ("done", 1)


def test_jobs_are_run_oldest_first(door: Door, moment: Moment) -> None:
    seen: list[int] = []

    def note(held: Held) -> Callable[[Work], dict[str, Any]]:
        seen.append(held.job.payload["to"])
        return lambda _: {}

    later = replace(door, now=lambda: moment.instant + dt.timedelta(minutes=1))
    enqueue(later, to=2)
    enqueue(door, to=1)
    while run_next(door, {"count": note}):
        pass

    assert seen == [1, 2]


def test_a_refusal_tells_its_owner_why(door: Door) -> None:
    def refuse(_held: Held) -> Callable[[Work], dict[str, Any]]:
        raise JobRefused("The file is empty. Upload it again.")

    id = enqueue(door)
    run_next(door, {"count": refuse})

    job = found(door, id)
    assert (job.state, job.error) == ("failed", "The file is empty. Upload it again.")


@pytest.mark.parametrize("while_saving", [False, True])
def test_a_fault_fails_the_job_saves_nothing_and_hides_its_message(
    door: Door, while_saving: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_held: Held) -> Callable[[Work], dict[str, Any]]:
        def save(work: Work) -> dict[str, Any]:
            effect(work)
            raise ValueError("patient 999 000 0000")

        if not while_saving:
            raise ValueError("patient 999 000 0000")
        return save

    id = enqueue(door)
    run_next(door, {"count": fail})

    job = found(door, id)
    assert (job.state, job.error, job.result) == ("failed", FAILED, None)
    assert effects(door) == 0
    assert "999 000" not in "".join(capfd.readouterr())


def test_a_kind_that_this_release_does_not_know_fails_and_says_so(door: Door) -> None:
    id = enqueue(door, kind="from the future")

    run_next(door, {})

    job = found(door, id)
    assert job.state == "failed"
    assert "newer 'assent worker'" in str(job.error)


def test_a_worker_that_lost_its_lease_saves_nothing(door: Door, moment: Moment) -> None:
    later = replace(door, now=lambda: moment.instant + LEASE)

    def overtaken(held: Held) -> Callable[[Work], dict[str, Any]]:
        if held.door.now is door.now:  # while the first is at work, its lease runs out
            assert run_next(later, {"count": overtaken})
        return counting(replace(held, door=later))

    id = enqueue(door, to=7)
    assert run_next(door, {"count": overtaken})

    job = found(door, id)
    assert (job.state, job.result, job.attempts) == ("done", {"counted": 7}, 2)
    assert effects(door) == 1


def test_the_worker_goes_on_after_the_database_failed_and_stops_when_told(door: Door) -> None:
    id = enqueue(door, to=1)
    failing = iter([True])
    pauses: list[float] = []

    class Flaky:
        def transact(self, fn: Any, **given: Any) -> Any:
            if next(failing, False):
                raise RuntimeError("the database restarts")
            return door.database.transact(fn, **given)

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 3

    flaky = replace(door, database=Flaky())  # type: ignore[arg-type]
    run_for_ever(flaky, {"count": counting}, pause=pause)

    assert found(door, id).state == "done"
    assert [seconds > 0 for seconds in pauses] == [True, False, True]


def test_a_working_worker_keeps_its_job_and_a_dead_ones_is_taken_after_a_lease(
    door: Door, moment: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.work.BEAT_SECONDS", 0.02)
    ahead = [dt.timedelta()]
    turning = replace(door, now=lambda: moment.instant + ahead[0])
    id = enqueue(door, to=3)
    siblings: list[bool] = []

    def slow(held: Held) -> Callable[[Work], dict[str, Any]]:
        for _ in range(4):  # much longer than a lease in all, and without a word of progress
            ahead[0] += LEASE - dt.timedelta(seconds=1)
            renewed = moment.instant + ahead[0] + LEASE
            until = time.monotonic() + 20
            while found(turning, id).lease_until != renewed and time.monotonic() < until:
                time.sleep(0.01)
            siblings.append(run_next(turning, {"count": counting}))
        return counting(held)

    assert run_next(turning, {"count": slow})
    assert siblings == [False] * 4
    assert (found(door, id).state, found(door, id).attempts) == ("done", 1)

    id = enqueue(door, to=4)
    assert door.transact(lambda work: jobs.claim(work, LEASE)) is not None  # and it is killed
    almost = replace(door, now=lambda: moment.instant + LEASE - dt.timedelta(seconds=1))
    assert not run_next(almost, {"count": counting})
    after = replace(door, now=lambda: moment.instant + LEASE)
    assert run_next(after, {"count": counting})
    assert found(door, id).attempts == 2


def test_a_lease_is_short_and_outlives_two_lost_beats() -> None:
    assert dt.timedelta(seconds=3 * BEAT_SECONDS) <= LEASE <= dt.timedelta(minutes=2)


def test_no_beat_goes_on_after_the_job(door: Door) -> None:
    enqueue(door, to=1)
    before = threading.active_count()
    assert run_next(door, {"count": counting})
    assert threading.active_count() == before
