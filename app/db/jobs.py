"""Long work, queued in the database and claimed by workers under a lease."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from app.db.errors import JobNotHeld
from app.db.tables import job
from app.db.work import Work

#: A job that three workers have died on is given up, so that it cannot stop the queue for ever.
MOST_ATTEMPTS: Final = 3
GIVEN_UP = "The work stopped before it ended, three times. Tell the people who run the service."


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of long work. `attempts` names the lease: a later claim has a higher number."""

    id: str
    kind: str
    organisation: str
    created_by: str
    payload: dict[str, Any]
    state: str  # queued | running | done | failed
    done: int
    total: int | None
    attempts: int
    lease_until: dt.datetime | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    result: dict[str, Any] | None
    error: str | None


def enqueue(
    work: Work, kind: str, *, organisation: str, created_by: str, payload: dict[str, Any]
) -> str:
    """Queue a job in the caller's transaction; returns its id."""
    id_ = work.new_id()
    work.connection.execute(
        sa.insert(job).values(
            id=id_,
            kind=kind,
            organisation=organisation,
            created_by=created_by,
            payload=payload,
            state="queued",
            done=0,
            attempts=0,
            created_at=work.moment.instant,
        )
    )
    return id_


def claim(work: Work, lease: dt.timedelta) -> Job | None:
    """Take the oldest job that is queued, or whose worker let its lease run out; None if none."""
    now = work.moment.instant
    _give_up_the_hopeless(work)
    lapsed = sa.and_(job.c.state == "running", job.c.lease_until <= now)
    oldest = (
        sa.select(job.c.id)
        .where(sa.or_(job.c.state == "queued", lapsed))
        .order_by(job.c.created_at, job.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # SQLite has one writer and ignores this
    )
    found = work.connection.execute(oldest).scalar()
    if found is None:
        return None
    claimed = (
        sa.update(job)
        .where(job.c.id == found)
        .values(
            state="running",
            attempts=job.c.attempts + 1,
            lease_until=now + lease,
            started_at=sa.func.coalesce(job.c.started_at, sa.literal(now, job.c.started_at.type)),
        )
        .returning(job)
    )
    return _job(work.connection.execute(claimed).one())


def progress(work: Work, held: Job, *, done: int, total: int | None, lease: dt.timedelta) -> None:
    """Record how far the job is, and renew its lease. Raises JobNotHeld."""
    _report(work, held, done=done, total=total, lease_until=work.moment.instant + lease)


def renew(work: Work, held: Job, lease: dt.timedelta) -> None:
    """Say that the worker lives: its lease runs from now. Raises JobNotHeld."""
    _report(work, held, lease_until=work.moment.instant + lease)


def finish(work: Work, held: Job, result: dict[str, Any]) -> None:
    """Record the job's result, in the same transaction as its effects. Raises JobNotHeld."""
    _report(
        work, held, state="done", result=result, lease_until=None, finished_at=work.moment.instant
    )


def fail(work: Work, held: Job, error: str) -> None:
    """Record why the job cannot be done; `error` is shown to its owner. Raises JobNotHeld."""
    _report(
        work, held, state="failed", error=error, lease_until=None, finished_at=work.moment.instant
    )


def find(work: Work, id_: str, organisation: str) -> Job | None:
    """The job, if it belongs to the organisation."""
    query = sa.select(job).where(job.c.id == id_, job.c.organisation == organisation)
    row = work.connection.execute(query).one_or_none()
    return None if row is None else _job(row)


def waiting(work: Work) -> tuple[int, dt.datetime | None]:
    """How many jobs wait to be taken, of every organisation, and since when the oldest waits."""
    query = sa.select(sa.func.count(), sa.func.min(job.c.created_at)).where(job.c.state == "queued")
    count, oldest = work.connection.execute(query).one()
    return int(count), oldest


def _give_up_the_hopeless(work: Work) -> None:
    now = work.moment.instant
    work.connection.execute(
        sa.update(job)
        .where(
            job.c.state == "running",
            job.c.lease_until <= now,
            job.c.attempts >= MOST_ATTEMPTS,
        )
        .values(state="failed", error=GIVEN_UP, lease_until=None, finished_at=now)
    )


def _report(work: Work, held: Job, **values: Any) -> None:
    statement = (
        sa.update(job)
        .where(job.c.id == held.id, job.c.state == "running", job.c.attempts == held.attempts)
        .values(**values)
    )
    if work.connection.execute(statement).rowcount != 1:
        raise JobNotHeld


def _job(row: sa.Row[Any]) -> Job:
    return Job(**row._asdict())
