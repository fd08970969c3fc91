"""The SQL of the rows that are kept beside a submission's bytes, by the digest of their file."""

from sqlalchemy import and_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.audit import Actor, Event, record
from app.db import tables
from app.db.work import Work
from app.reconciliation.line_columns import INTAKE_VERSION
from app.reconciliation.store import SubmissionRecord


def rows_of(work: Work, submission: SubmissionRecord) -> str | None:
    """The SHA-256 of the file of the submission's rows, as this release reads them; or None."""
    column = tables.submission_rows.c
    own = and_(
        column.organisation == submission.organisation,
        column.submission_id == submission.id,
        column.intake_version == INTAKE_VERSION,
    )
    return work.connection.execute(select(column.sha256).where(own)).scalar_one_or_none()


def keep(work: Work, submission: SubmissionRecord, sha256: str, actor: Actor) -> None:
    """Put the file of the submission's rows on record, in place of an earlier one."""
    dialect = postgresql if work.on_postgres else sqlite
    values = {"sha256": sha256, "made_at": work.moment.instant}
    work.connection.execute(
        dialect.insert(tables.submission_rows)
        .values(
            submission_id=submission.id,
            intake_version=INTAKE_VERSION,
            organisation=submission.organisation,
            **values,
        )
        .on_conflict_do_update(index_elements=["submission_id", "intake_version"], set_=values)
    )
    event = Event(
        action="submission rows kept",
        object_type="submission",
        object_id=submission.id,
        after={"rows": sha256},
    )
    record(work, actor, event)
