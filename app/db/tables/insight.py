"""Figures of the overviews, kept by the worker. Each can be counted again from the other tables."""

from sqlalchemy import Column, Date, PrimaryKeyConstraint, String, Table

from app.db.tables.base import ORGANISATION, metadata
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
