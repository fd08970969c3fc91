"""Reminders by e-mail: who asked for them, and the messages that go out. No patient is in them."""

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
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Instant

# A person's address at an organisation, and the role whose worklist they are reminded of. The row
# goes when they want no more of it.
reminder_address = Table(
    "reminder_address",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("person_id", ID, ForeignKey("person.id"), nullable=False),
    Column("role", String(30), nullable=False),
    Column("address", String(254), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("refused_at", Instant),  # the mail server takes nothing for this address
    UniqueConstraint("organisation", "person_id"),
)

# The outbox: at most one digest of a person for a day.
reminder_message = Table(
    "reminder_message",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("person_id", ID, ForeignKey("person.id"), nullable=False),
    Column("day", Date, nullable=False),
    Column("address", String(254), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(10), nullable=False),  # waiting | sent | refused | given up
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),  # while a worker sends it: when another may
    Column("made_at", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("organisation", "person_id", "day"),
    Index("ix_reminder_message_waiting", "state", "due_at"),
)
