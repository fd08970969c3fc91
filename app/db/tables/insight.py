"""Figures of overviews and reports. Each can be counted again from the other tables."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from app.db.tables.base import ORGANISATION, SEQUENCE, metadata
from app.db.types import Exact, Instant

# `provider` and `month` (`2026-06`) are empty where a figure is of them all. A refresh replaces
# every figure of its commissioner.
insight_figure = Table(
    "insight_figure",
    metadata,
    Column("commissioner", ORGANISATION, nullable=False),
    Column("name", String(40), nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("month", String(7), nullable=False),
    Column("amount", Exact, nullable=False),
    Column("as_at", Date, nullable=False),
    Column("made_at", Instant, nullable=False),
    PrimaryKeyConstraint("commissioner", "name", "provider", "month"),
)

# What the reports over requests count, as rows of which `many` is summed. `at` of a row that the
# worker made is the instant at which its month begins in London. A row with `change` comes from a
# trigger on `request`: what one request counted as before (-1) and after (+1), with `at` its
# sending. Texts that a request lacks are empty, so that rows of the same are found by equality.
report_sum = Table(
    "report_sum",
    metadata,
    Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("what", String(20), nullable=False),  # requests | overrides | changed answers
    Column("at", Instant, nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("policy", String(80), nullable=False),
    Column("policy_hash", String(64), nullable=False),
    Column("overlay_hash", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("product", Text, nullable=False),
    Column("reason", Text, nullable=False),  # of the product, or of the override
    Column("criterion", String(40), nullable=False),
    Column("relied_on", Boolean, nullable=False),
    Column("many", Integer, nullable=False),
    Column("change", Boolean, nullable=False),
    Index("ix_report_sum_provider", "provider", "what", "policy_hash", "at"),
    Index("ix_report_sum_commissioner", "commissioner", "what", "policy_hash", "at"),
    # What is to be added to its month is little.
    Index(
        "ix_report_sum_change",
        "id",
        postgresql_where=text("change"),
        sqlite_where=text("change"),
    ),
)

# One row once months are summed: every request sent before `until` is in `report_sum`.
report_sum_mark = Table(
    "report_sum_mark",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("until", Instant, nullable=False),
)
