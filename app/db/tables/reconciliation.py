"""Submissions and the runs over them."""

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
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
    UniqueConstraint("organisation", "sha256"),
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
