"""The SQL of slices that wait to be matched again, in which jobs, and those that jobs failed at."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true, update

from app.db import tables
from app.db.work import Work

_AT_ONCE = 500


def out_of_date(work: Work, organisation: str) -> Mapping[str, int]:
    """Version of a slice → how many changes it is out of date by."""
    return _open(work, organisation, true())


def given_up(work: Work, organisation: str) -> Mapping[str, int]:
    """Version of a slice → the changes by which it stays out of date: their matching failed."""
    return _open(work, organisation, tables.slice_mark.c.given_up_at.is_not(None))


def _open(work: Work, organisation: str, where: ColumnElement[bool]) -> Mapping[str, int]:
    """Open marks by the statement that they are of; those of a correction are its statement's."""
    column, version = tables.slice_mark.c, tables.slice_version.c
    statement = func.coalesce(version.cites, version.id)
    rows = work.connection.execute(
        select(statement, func.count())
        .join_from(tables.slice_mark, tables.slice_version, version.id == column.version_id)
        .where(column.organisation == organisation, column.settled_at.is_(None), where)
        .group_by(statement)
    )
    return {version: int(count) for version, count in rows}


def _under_way() -> Select[Any]:
    """The jobs that wait or are worked on."""
    return select(tables.job.c.id).where(tables.job.c.state.in_(("queued", "running")))


def submissions_to_match(work: Work, waits: Sequence[dt.timedelta]) -> tuple[tuple[str, str], ...]:
    """Organisation and submission of marks that no job has taken up, or whose job has failed.

    `waits` are how long a mark waits after its first, second … job. None of a submission for which
    a job is under way: it sees them all, or they are taken up when it has ended.
    """
    mark, job = tables.slice_mark.c, tables.job.c
    other = tables.slice_mark.alias()
    now = work.moment.instant
    under_way = select(other.c.id).where(
        other.c.submission_id == mark.submission_id,
        other.c.settled_at.is_(None),
        other.c.job_id.in_(_under_way()),
    )
    waited = or_(
        *(
            and_(mark.tries == number, job.finished_at <= now - wait)
            for number, wait in enumerate(waits, 1)
        )
    )
    rows = work.connection.execute(
        select(mark.organisation, mark.submission_id)
        .join_from(tables.slice_mark, tables.job, job.id == mark.job_id, isouter=True)
        .where(
            mark.settled_at.is_(None),
            mark.given_up_at.is_(None),
            or_(mark.job_id.is_(None), waited),
            ~under_way.exists(),
        )
        .distinct()
        .order_by(mark.organisation, mark.submission_id)
    )
    return tuple((own, submission) for own, submission in rows)


def taken_up(work: Work, organisation: str, submission_id: str, job_id: str) -> None:
    """A job has taken up what waits of a submission, and what other jobs failed at."""
    column = tables.slice_mark.c
    work.connection.execute(
        update(tables.slice_mark)
        .where(
            column.organisation == organisation,
            column.submission_id == submission_id,
            column.settled_at.is_(None),
        )
        .values(job_id=job_id, tries=column.tries + 1)
    )


def give_up(work: Work, most: int) -> tuple[tuple[str, str, str], ...]:
    """Give up marks that `most` jobs took up and none settled.

    Returns the organisation, submission and last job of each, once.
    """
    column = tables.slice_mark.c
    failed = (
        column.settled_at.is_(None),
        column.given_up_at.is_(None),
        column.tries >= most,
        column.job_id.is_not(None),
        column.job_id.not_in(_under_way()),
    )
    rows = work.connection.execute(
        select(column.id, column.organisation, column.submission_id, column.job_id)
        .where(*failed)
        .with_for_update()
    ).all()
    for at in range(0, len(rows), _AT_ONCE):
        work.connection.execute(
            update(tables.slice_mark)
            .where(column.id.in_([row.id for row in rows[at : at + _AT_ONCE]]))
            .values(given_up_at=work.moment.instant)
        )
    return tuple(sorted({(row.organisation, row.submission_id, row.job_id) for row in rows}))


def waiting(work: Work) -> tuple[int, int, dt.datetime | None]:
    """Of every organisation: submissions out of date, those given up, since when the oldest is."""
    column = tables.slice_mark.c
    stuck = case((column.given_up_at.is_not(None), column.submission_id))
    query = select(
        func.count(column.submission_id.distinct()),
        func.count(stuck.distinct()),
        func.min(column.marked_at, type_=column.marked_at.type),
    ).where(column.settled_at.is_(None))
    found, given, oldest = work.connection.execute(query).one()
    return int(found), int(given), oldest


def without_standing(work: Work) -> tuple[tuple[str, str, str], ...]:
    """Organisation, version and submission of current slices with a run of which none stands.

    An earlier release made it. Those that are marked already are left out.
    """
    head, version, mark = tables.slice_head, tables.slice_version.c, tables.slice_mark.c
    run, standing = tables.reconciliation_run.c, tables.run_standing.c
    stands = select(standing.id).where(standing.submission_id == version.submission_id)
    has_run = select(run.id).where(run.submission_id == version.submission_id)
    marked = select(mark.id).where(mark.version_id == version.id, mark.settled_at.is_(None))
    rows = work.connection.execute(
        select(version.organisation, version.id, version.submission_id)
        .join_from(tables.slice_version, head, head.c.current_version == version.id)
        .where(version.lines > 0, ~stands.exists(), has_run.exists(), ~marked.exists())
        .order_by(version.organisation, version.submission_id, version.id)
    )
    return tuple((own, id_, submission) for own, id_, submission in rows)


def role_of_last_run(work: Work, submission_id: str) -> str | None:
    """In which role a submission was reconciled last, as the log has it; None where never."""
    event, run = tables.audit_event.c, tables.reconciliation_run.c
    query = (
        select(event.role)
        .join_from(tables.audit_event, tables.reconciliation_run, run.id == event.object_id)
        .where(
            event.object_type == "reconciliation run",
            event.action == "submission reconciled",
            run.submission_id == submission_id,
        )
        .order_by(event.id.desc())
        .limit(1)
    )
    return work.connection.execute(query).scalar()
