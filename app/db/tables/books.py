"""The doors' own books: stored answers, and jobs."""

from sqlalchemy import (
    Column,
    Integer,
    String,
    Table,
    Text,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Instant

idempotent_answer = Table(
    "idempotent_answer",
    metadata,
    Column("client", ID, primary_key=True),
    Column("organisation", ORGANISATION, primary_key=True),
    Column("route", String(200), primary_key=True),
    Column("request_id", String(36), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("headers", Document),
    Column("body", Text),
    Column("answered_at", Instant, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("organisation", ORGANISATION, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("payload", Document, nullable=False),
    Column("state", String(10), nullable=False, index=True),  # queued | running | done | failed
    Column("done", Integer, nullable=False),
    Column("total", Integer),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("result", Document),
    Column("error", Text),
)
