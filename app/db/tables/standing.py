"""Which run of a submission stands, what made it out of date, and deltas of frozen months."""

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.db.tables.base import ID, ORGANISATION, SEQUENCE, metadata
from app.db.types import Exact, Instant

#: Which run stands, from when on: the last of a submission. Approvals that are changed back lead
#: to a run that is known already, which then stands again. `role` is in whose scope it matched.
run_standing = Table(
    "run_standing",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("submission_id", ID, ForeignKey("submission.id"), nullable=False),
    Column("number", Integer, nullable=False),  # dense per submission, from 1
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=False, index=True),
    Column("role", String(30), nullable=False),
    Column("position", String(80), nullable=False),  # of the log, as the run saw the approvals
    Column("looked_at", Instant, nullable=False),
    Column("stood_at", Instant, nullable=False),
    UniqueConstraint("submission_id", "number"),
)

#: By what a change of an approval finds the slices that it may touch: digests of what their lines
#: and the approvals of these are known by. An index and no record: rows of old versions go.
slice_touch = Table(
    "slice_touch",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("version_id", ID, ForeignKey("slice_version.id"), primary_key=True, index=True),
    Column("organisation", ORGANISATION, nullable=False),
)

#: A slice that is out of date, and the change that made it so; settled by the next run.
slice_mark = Table(
    "slice_mark",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("version_id", ID, ForeignKey("slice_version.id"), nullable=False),
    Column("submission_id", ID, ForeignKey("submission.id"), nullable=False),
    Column("event_id", SEQUENCE),  # of the log; null where a decision by hand marked it at once
    Column("action", String(60), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("treatment_id", ID),
    Column("line_key", String(80)),
    Column("marked_at", Instant, nullable=False),
    Column("job_id", ID, ForeignKey("job.id")),
    Column("settled_at", Instant),
    Column("tries", Integer, nullable=False, server_default="0"),  # jobs that took it up
    Column("given_up_at", Instant),  # so many of them failed that no other takes it up by itself
    Index("ix_slice_mark_submission", "submission_id", "settled_at"),
    Index("ix_slice_mark_open", "settled_at", "job_id"),
    UniqueConstraint("version_id", "event_id", "treatment_id"),
)

#: What a slice's run said when its month was closed. It stays; `slice_delta` is added to it.
slice_frozen = Table(
    "slice_frozen",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("version_id", ID, ForeignKey("slice_version.id"), nullable=False),
    Column("freeze", Date, nullable=False),
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("total", Exact, nullable=False),
    Column("accepted", Exact, nullable=False),
    Column("queried", Exact, nullable=False),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("version_id", "freeze"),
)

#: One line of a frozen slice that a later run accepts otherwise: before, after, and how much more.
slice_delta = Table(
    "slice_delta",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("frozen_id", ID, ForeignKey("slice_frozen.id"), nullable=False),
    Column("standing_id", ID, ForeignKey("run_standing.id"), nullable=False),
    # The submission of the correction whose line it is; empty where the statement's own.
    Column("of_submission", String(36), nullable=False, server_default=text("''")),
    Column("kind", String(12), nullable=False, server_default="changed"),  # or added, taken away
    Column("row", Integer, nullable=False),
    Column("line_key", String(80), nullable=False),
    Column("outcome_was", String(40), nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("accepted_was", Exact, nullable=False),
    Column("accepted", Exact, nullable=False),
    Column("accepted_more", Exact, nullable=False),
    Column("queried_was", Exact, nullable=False),
    Column("queried", Exact, nullable=False),
    Column("queried_more", Exact, nullable=False),
    # Of what is accepted: of a line with a test that could not be made. Null where not known.
    Column("not_testable_was", Exact, nullable=True),
    Column("not_testable", Exact, nullable=True),
    Column("not_testable_more", Exact, nullable=True),
    Column("reason", Text, nullable=False),  # why the line stands as it does now
    Column("treatment_id", ID),
    Column("reference", String(60)),  # of the approval that the line stands on, or stood on
    Column("cause", String(60)),  # what changed; null where no one change is known
    Column("cause_at", Instant),
    Column("cause_event", SEQUENCE),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("frozen_id", "standing_id", "of_submission", "row", "kind"),
)

#: From where on the audit log is read for changes that make slices out of date: the least of its
#: rows. A run that comes to stand adds one, for changes that were read before it could be found.
change_cursor = Table(
    "change_cursor",
    metadata,
    Column("name", ID, primary_key=True),
    Column("position", String(80), nullable=False),
)
