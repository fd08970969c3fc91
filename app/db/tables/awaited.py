"""Starts that are awaited, kept by the worker. Each row can be made again from the other tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
)

from app.db.tables.base import ID, ORGANISATION, metadata

# A treatment that has not begun, as one organisation sees it: the newest live approval within its
# scope. `pays` tells the scope of a payer from that of a hospital. Nothing here depends on a day.
start_awaited = Table(
    "start_awaited",
    metadata,
    Column("organisation", ORGANISATION, nullable=False),
    Column("pays", Boolean, nullable=False),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("start_by", Date, nullable=False),
    Column("covers_to", Date),
    Column("paused", Boolean, nullable=False),  # by any pause: whether it holds today is asked then
    PrimaryKeyConstraint("organisation", "pays", "treatment_id"),
    # A list's count, its days and its page are each one walk along this, and on PostgreSQL alone.
    Index(
        "ix_start_awaited_day",
        "organisation",
        "pays",
        "start_by",
        "treatment_id",
        postgresql_include=["covers_to", "paused", "provider"],
    ),
)

# The position of the change feed before which every event is in the rows of an organisation.
start_awaited_mark = Table(
    "start_awaited_mark",
    metadata,
    Column("organisation", ORGANISATION, nullable=False),
    Column("pays", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("xid", BigInteger, nullable=False),
    Column("event", BigInteger, nullable=False),
    PrimaryKeyConstraint("organisation", "pays"),
)
