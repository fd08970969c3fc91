"""Submissions, the runs over them, and slices with their versions, calendar and stated totals."""

from typing import Any

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Exact, Instant

submission = Table(
    "submission",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("file_name", String(200), nullable=False),
    Column("size", Integer, nullable=False),
    Column("layout", String(40), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("total", Exact, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("received_by", ID, nullable=False),
    #: The order of acceptance within the organisation, from 1: a later number was committed later.
    Column("number", Integer),
    #: When its files were erased, their period being over; null as long as they are kept.
    Column("ended_at", Instant),
    UniqueConstraint("organisation", "sha256"),
    Index("ix_submission_organisation_number", "organisation", "number", unique=True),
)

#: The rows of a submission as they were read, a Parquet file known by its digest. It is made of the
#: bytes as they came and can be made of them again: it may be replaced, they never are.
submission_rows = Table(
    "submission_rows",
    metadata,
    Column("submission_id", ID, ForeignKey("submission.id"), primary_key=True),
    Column("intake_version", Integer, primary_key=True, autoincrement=False),
    Column("organisation", ORGANISATION, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("made_at", Instant, nullable=False),
)

reconciliation_run = Table(
    "reconciliation_run",
    metadata,
    Column("id", ID, primary_key=True),
    Column("submission_id", ID, ForeignKey("submission.id"), nullable=False),
    Column("organisation", ORGANISATION, nullable=False, index=True),
    Column("engine", String(20), nullable=False),
    Column("rules_version", String(40), nullable=False),
    Column("reference_version", String(64), nullable=False),
    Column("snapshot_digest", String(64), nullable=False),
    Column("as_at", Date, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("total", Exact, nullable=False),
    Column("accepted", Exact, nullable=False),
    Column("queried", Exact, nullable=False),
    Column("summary", Document, nullable=False),
    Column("outcomes_file", String(200), nullable=False),
    Column("outcomes_sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", ID, nullable=False),
    UniqueConstraint(
        "submission_id", "engine", "rules_version", "reference_version", "snapshot_digest"
    ),
)

#: The key of a slice, beside the organisation that received it.
SLICE = ("organisation", "provider", "commissioner", "financial_year", "financial_month")


def _slice_key() -> tuple[Column[Any], ...]:
    return (
        Column("organisation", ORGANISATION, nullable=False),
        Column("provider", ORGANISATION, nullable=False),
        Column("commissioner", ORGANISATION, nullable=False),
        Column("financial_year", String(6), nullable=False),
        Column("financial_month", Integer, nullable=False),
    )


#: A slice and its current statement. Its row is locked while a version of it is added.
slice_head = Table(
    "slice_head",
    metadata,
    Column("id", ID, primary_key=True),
    *_slice_key(),
    Column("current_version", ID, nullable=True),  # null until the first statement is stored
    UniqueConstraint(*SLICE),
)

#: What one submission states for one slice; never changed. A `statement` replaces the slice; a
#: `correction`, after the freeze, cites what it corrects and adds its signed difference to it.
slice_version = Table(
    "slice_version",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("slice_id", ID, ForeignKey("slice_head.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("submission_id", ID, ForeignKey("submission.id"), nullable=False, index=True),
    Column("cites", ID, ForeignKey("slice_version.id"), nullable=True),
    Column("lines", Integer, nullable=False),
    Column("total", Exact, nullable=False),
    Column("lines_more", Integer, nullable=False),
    Column("total_more", Exact, nullable=False),
    Column("accepted_at", Instant, nullable=False),
    Column("accepted_by", ID, nullable=False),
    UniqueConstraint("slice_id", "number"),
)

#: One line that a correction takes away (-1, with the frozen outcome) or adds (+1).
slice_correction = Table(
    "slice_correction",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("version_id", ID, ForeignKey("slice_version.id"), nullable=False, index=True),
    Column("sign", Integer, nullable=False),
    Column("submission_id", ID, ForeignKey("submission.id"), nullable=False),
    Column("row", Integer, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=True),
    Column("outcome", String(40), nullable=True),
    Column("accepted", Exact, nullable=True),
    Column("queried", Exact, nullable=True),
)

#: The days of a contract month; the newest row of an organisation and month counts.
contract_month = Table(
    "contract_month",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("financial_year", String(6), nullable=False),
    Column("financial_month", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("submission", Date, nullable=True),
    Column("flex", Date, nullable=True),
    Column("freeze", Date, nullable=True),
    Column("challenge_by", Date, nullable=True),
    Column("source", String(200), nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("set_by", ID, nullable=False),
    UniqueConstraint("organisation", "financial_year", "financial_month", "number"),
)

#: What the Aggregate Contract Monitoring set states for a slice; the newest row counts.
monitoring_figure = Table(
    "monitoring_figure",
    metadata,
    Column("id", ID, primary_key=True),
    *_slice_key(),
    Column("number", Integer, nullable=False),
    Column("amount", Exact, nullable=False),
    Column("source", String(200), nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("set_by", ID, nullable=False),
    UniqueConstraint(*SLICE, "number"),
)

#: What a run accepted and queried of each slice in its submission. `not_testable` is of what it
#: accepted, `untested` the same by test; null in runs of before they were kept.
slice_outcome = Table(
    "slice_outcome",
    metadata,
    Column("id", ID, primary_key=True),
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=False),
    *_slice_key(),
    Column("lines", Integer, nullable=False),
    Column("total", Exact, nullable=False),
    Column("accepted", Exact, nullable=False),
    Column("queried", Exact, nullable=False),
    Column("not_testable", Exact, nullable=True),
    Column("untested", Document, nullable=True),
    UniqueConstraint("run_id", *SLICE),
)
