"""Which commissioner pays for a drug's treatments from a day on."""

from sqlalchemy import Column, Date, Index, Integer, String, Table, UniqueConstraint

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Exact, Instant

#: That a commissioner hands a drug's treatments to another from a day on: what waits for a second
#: person of it, and what became of it. The counts are those that the first person was shown.
hand_over = Table(
    "hand_over",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("receiver", ORGANISATION, nullable=False),
    Column("drug", String(60), nullable=False),
    Column("from_day", Date, nullable=False),
    Column("why", String(500), nullable=False),
    Column("state", String(10), nullable=False),  # waiting | confirmed | declined
    Column("treatments", Integer, nullable=False),
    Column("approvals", Integer, nullable=False),
    Column("segments", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),  # requests
    # Of the newest runs, where they can be read line by line.
    Column("lines", Integer),
    Column("accepted", Exact),  # pounds
    Column("queried", Exact),  # pounds
    Column("touched", String(64), nullable=False),  # SHA-256 of what it was proposed for
    Column("proposed_by", ID, nullable=False),
    Column("proposed_by_name", String(120), nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("decided_by", ID),
    Column("decided_by_name", String(120)),
    Column("decided_at", Instant),
    Column("number", Integer),  # counts those of a drug that were confirmed, in their order
    UniqueConstraint("drug", "number"),
    Index("ix_hand_over_organisation", "organisation", "state"),
    Index("ix_hand_over_receiver", "receiver", "state"),
)
