"""Jobs are claimed once, survive their worker, and belong to one organisation."""

import datetime as dt

import pytest

from app.db import jobs
from app.db.errors import JobNotHeld
from app.db.tables import job
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.conftest import Transact
from tests.integration.db.rows import count
from tests.integration.db.run import Run
from tests.integration.db.together import together

LEASE = dt.timedelta(minutes=5)


def queue(work: Work, kind: str = "reconcile") -> str:
    """Queue a job of DEMQ1."""
    return jobs.enqueue(work, kind, organisation="DEMQ1", created_by="c", payload={"file": "f"})


def claim(work: Work) -> jobs.Job | None:
    """Claim for five minutes."""
    return jobs.claim(work, LEASE)


def later(run: Run, minutes: int) -> Run:
    """The same, some minutes later."""
    instant = run.moment.instant + dt.timedelta(minutes=minutes)
    return Run(Moment(instant, run.moment.day), run.ids, run.random_bytes)


def test_a_job_goes_from_the_queue_through_its_progress_to_its_result(
    transact: Transact, read: Transact, moment: Moment
) -> None:
    id_ = transact(queue)
    held = transact(claim)
    assert held is not None
    assert (held.id, held.state, held.attempts, held.payload) == (id_, "running", 1, {"file": "f"})
    assert held.lease_until == moment.instant + LEASE
    transact(lambda work: jobs.progress(work, held, done=3, total=10, lease=LEASE))
    halfway = read(lambda work: jobs.find(work, id_, "DEMQ1"))
    assert halfway is not None
    assert (halfway.done, halfway.total) == (3, 10)
    transact(lambda work: jobs.finish(work, held, {"run": "r-1"}))
    done = read(lambda work: jobs.find(work, id_, "DEMQ1"))
    assert done is not None
    assert (done.state, done.result, done.finished_at) == ("done", {"run": "r-1"}, moment.instant)
    assert transact(claim) is None


def test_a_failed_job_keeps_its_reason_and_is_not_claimed_again(
    transact: Transact, read: Transact
) -> None:
    id_ = transact(queue)
    held = transact(claim)
    assert held is not None
    transact(lambda work: jobs.fail(work, held, "The file has no heading."))
    failed = read(lambda work: jobs.find(work, id_, "DEMQ1"))
    assert failed is not None
    assert (failed.state, failed.error) == ("failed", "The file has no heading.")
    assert transact(claim) is None


def test_another_organisation_cannot_find_a_job(transact: Transact, read: Transact) -> None:
    id_ = transact(queue)
    assert read(lambda work: jobs.find(work, id_, "DEMQ2")) is None


def test_a_job_queued_by_a_transaction_that_is_refused_does_not_exist(
    transact: Transact, read: Transact
) -> None:
    def refuse(work: Work) -> None:
        queue(work)
        raise ValueError

    with pytest.raises(ValueError):
        transact(refuse)
    assert read(lambda work: count(work, job)) == 0


def test_the_oldest_job_is_claimed_first(database: Database, run: Run) -> None:
    run.on(database, lambda work: queue(work, "first"))
    later(run, 1).on(database, lambda work: queue(work, "second"))
    claimed = [later(run, 2).on(database, claim) for _ in range(3)]
    assert [None if j is None else j.kind for j in claimed] == ["first", "second", None]


def test_a_job_whose_worker_died_goes_to_another_and_the_first_may_not_report(
    database: Database, run: Run
) -> None:
    run.on(database, queue)
    first = run.on(database, claim)
    assert first is not None
    assert later(run, 4).on(database, claim) is None
    second = later(run, 5).on(database, claim)
    assert second is not None
    assert (second.id, second.attempts) == (first.id, 2)
    for report in (
        lambda work: jobs.finish(work, first, {}),
        lambda work: jobs.fail(work, first, "no"),
        lambda work: jobs.progress(work, first, done=1, total=None, lease=LEASE),
    ):
        with pytest.raises(JobNotHeld):
            later(run, 6).on(database, report)
    later(run, 6).on(database, lambda work: jobs.finish(work, second, {"ok": True}))


def test_progress_renews_the_lease(database: Database, run: Run) -> None:
    run.on(database, queue)
    held = run.on(database, claim)
    assert held is not None
    later(run, 4).on(
        database, lambda work: jobs.progress(work, held, done=1, total=None, lease=LEASE)
    )
    assert later(run, 8).on(database, claim) is None


def test_a_job_that_three_workers_died_on_is_given_up_and_the_next_is_served(
    database: Database, run: Run
) -> None:
    id_ = run.on(database, queue)
    for minutes in (0, 10, 20):
        assert later(run, minutes).on(database, claim) is not None
    next_id = later(run, 21).on(database, queue)
    after = later(run, 30).on(database, claim)
    assert after is not None
    assert after.id == next_id
    lost = run.on(database, lambda work: jobs.find(work, id_, "DEMQ1"))
    assert lost is not None
    assert (lost.state, lost.error) == ("failed", jobs.GIVEN_UP)


def test_workers_that_claim_at_once_get_different_jobs(database: Database, run: Run) -> None:
    queued = {run.on(database, queue) for _ in range(6)}
    claimed = [j.id for j in together(6, lambda _: run.on(database, claim)) if j is not None]
    rest = []
    while (job_ := run.on(database, claim)) is not None:  # one may have looked while others held
        rest.append(job_.id)
    assert len(claimed) == len(set(claimed))
    assert sorted(claimed + rest) == sorted(queued)


def test_a_claim_skips_the_job_that_another_is_just_claiming(
    postgres_database: Database, run: Run
) -> None:
    first = run.on(postgres_database, queue)
    second = later(run, 1).on(postgres_database, queue)

    def claim_at_once(work: Work) -> jobs.Job | None:
        work.connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")  # fail, rather than hang
        return claim(work)

    def claim_while_another_does(work: Work) -> tuple[str, str]:
        mine = claim(work)
        (other,) = together(1, lambda _: later(run, 2).on(postgres_database, claim_at_once))
        assert mine is not None
        assert other is not None
        return mine.id, other.id

    assert later(run, 2).on(postgres_database, claim_while_another_does) == (first, second)
