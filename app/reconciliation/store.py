"""The SQL of submissions and runs. Each query is within one organisation."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, and_, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from app.audit import Actor, Event, record
from app.db import tables
from app.db.work import Work
from app.reconciliation.errors import RunNotFound, StoredFileEnded
from app.reconciliation.standing_order import standing_first


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """A file as received; unique by organisation and SHA-256, never changed.

    `number` is its place in the order of acceptance, told once it is stored; `ended_at` when its
    files were erased, their period being over.
    """

    id: str
    organisation: str
    sha256: str
    file_name: str
    size: int
    layout: str
    lines: int
    skipped: int
    total: Decimal
    received_at: dt.datetime
    received_by: str
    number: int | None = None
    ended_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One reconciliation of a submission against one state of the approvals."""

    id: str
    submission_id: str
    organisation: str
    engine: str
    rules_version: str
    reference_version: str
    snapshot_digest: str
    as_at: dt.date
    lines: int
    total: Decimal
    accepted: Decimal
    queried: Decimal
    summary: dict[str, Any]
    outcomes_file: str
    outcomes_sha256: str
    created_at: dt.datetime
    created_by: str


def _submission(row: RowMapping) -> SubmissionRecord:
    return SubmissionRecord(**{name: row[name] for name in SubmissionRecord.__slots__})


def _run(row: RowMapping) -> RunRecord:
    return RunRecord(**{name: row[name] for name in RunRecord.__slots__})


def submission_by_hash(work: Work, organisation: str, sha256: str) -> SubmissionRecord | None:
    """The organisation's submission of that content, if it has sent it before."""
    column = tables.submission.c
    row = (
        work.connection.execute(
            select(tables.submission).where(
                and_(column.organisation == organisation, column.sha256 == sha256)
            )
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else _submission(row)


def find_submission(work: Work, organisation: str, submission_id: str) -> SubmissionRecord:
    """The organisation's submission of that id; RunNotFound otherwise."""
    column = tables.submission.c
    row = (
        work.connection.execute(
            select(tables.submission).where(
                and_(column.organisation == organisation, column.id == submission_id)
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise RunNotFound("submission")
    return _submission(row)


def check_kept(work: Work, organisation: str, submission_id: str) -> None:
    """Raise StoredFileEnded where the submission's lines are no longer kept."""
    if find_submission(work, organisation, submission_id).ended_at is not None:
        raise StoredFileEnded


def submissions_of(work: Work, organisation: str, limit: int) -> tuple[SubmissionRecord, ...]:
    """The organisation's newest submissions."""
    column = tables.submission.c
    rows = work.connection.execute(
        select(tables.submission)
        .where(column.organisation == organisation)
        .order_by(column.received_at.desc(), column.id)
        .limit(limit)
    ).mappings()
    return tuple(map(_submission, rows))


def add_submission(work: Work, submission: SubmissionRecord, actor: Actor) -> SubmissionRecord:
    """Store a received file's row with its audit event.

    Of two uploads of one file at a time one is stored; the other waits for it and finds it.
    """
    take_turns(work, submission.organisation)
    submission = replace(submission, number=_next_number(work, submission.organisation))
    dialect = postgresql if work.on_postgres else sqlite
    added = work.connection.execute(
        dialect.insert(tables.submission)
        .values(**asdict(submission))
        .on_conflict_do_nothing(index_elements=["organisation", "sha256"])
        .returning(tables.submission.c.id)
    )
    if added.scalar_one_or_none() is None:
        known = submission_by_hash(work, submission.organisation, submission.sha256)
        assert known is not None
        return known
    event = Event(
        action="submission received",
        object_type="submission",
        object_id=submission.id,
        after={"sha256": submission.sha256, "lines": submission.lines},
    )
    record(work, actor, event)
    return submission


def take_turns(work: Work, organisation: str) -> None:
    """Let an organisation's submissions be accepted one after another, in order of their numbers.

    Held until the transaction ends, so that whoever has a number sees all that have a lower one.
    """
    if work.on_postgres:  # SQLite has one writer
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended('submissions ' || :own, 0))")
        work.connection.execute(lock, {"own": organisation})


def _next_number(work: Work, organisation: str) -> int:
    column = tables.submission.c
    last = select(func.max(column.number)).where(column.organisation == organisation)
    return (work.connection.execute(last).scalar() or 0) + 1


def lock_submission(work: Work, submission: SubmissionRecord) -> None:
    """Hold the submission until the transaction ends: runs of it are saved one after another."""
    column = tables.submission.c
    work.connection.execute(
        select(column.id)
        .where(and_(column.organisation == submission.organisation, column.id == submission.id))
        .with_for_update()  # SQLite has one writer and ignores this
    )


def same_run(work: Work, run: RunRecord) -> RunRecord | None:
    """A stored run of the same submission, engine, rules, reference data and approvals."""
    column = tables.reconciliation_run.c
    names = ("submission_id", "engine", "rules_version", "reference_version", "snapshot_digest")
    row = (
        work.connection.execute(
            select(tables.reconciliation_run).where(
                and_(*(column[name] == getattr(run, name) for name in names))
            )
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else _run(row)


def add_run(work: Work, run: RunRecord, actor: Actor) -> None:
    """Store a run's totals with its audit event."""
    work.connection.execute(insert(tables.reconciliation_run).values(**asdict(run)))
    event = Event(
        action="submission reconciled",
        object_type="reconciliation run",
        object_id=run.id,
        after={
            "submission": run.submission_id,
            "lines": run.lines,
            "total": str(run.total),
            "accepted": str(run.accepted),
            "queried": str(run.queried),
        },
    )
    record(work, actor, event)


def find_run(work: Work, organisation: str, run_id: str) -> RunRecord:
    """The organisation's run of that id; RunNotFound otherwise."""
    column = tables.reconciliation_run.c
    row = (
        work.connection.execute(
            select(tables.reconciliation_run).where(
                and_(column.organisation == organisation, column.id == run_id)
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise RunNotFound("reconciliation run")
    return _run(row)


def runs_of(work: Work, organisation: str, submission_id: str) -> tuple[RunRecord, ...]:
    """The runs of a submission: the one that stands, then the others, newest first."""
    column = tables.reconciliation_run.c
    rows = work.connection.execute(
        select(tables.reconciliation_run)
        .where(and_(column.organisation == organisation, column.submission_id == submission_id))
        .order_by(*standing_first(tables.reconciliation_run))
    ).mappings()
    return tuple(map(_run, rows))


def standing_runs(
    work: Work, organisation: str, submission_ids: Sequence[str]
) -> dict[str, RunRecord]:
    """The run that stands for each of some submissions; those without a run are absent."""
    run = tables.reconciliation_run
    place = (
        func.row_number()
        .over(partition_by=run.c.submission_id, order_by=standing_first(run))
        .label("place")
    )
    ranked = (
        select(run, place)
        .where(run.c.organisation == organisation, run.c.submission_id.in_(submission_ids))
        .subquery()
    )
    rows = work.connection.execute(select(ranked).where(ranked.c.place == 1)).mappings()
    return {row["submission_id"]: _run(row) for row in rows}
