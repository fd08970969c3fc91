"""Policies, overlays and notices as they decided, and their adoption."""

from sqlalchemy import (
    Column,
    Date,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Instant

policy_version = Table(
    "policy_version",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("policy", String(80), nullable=False),
    Column("version", String(20), nullable=False),
    Column("language", Integer, nullable=False),
    Column("resolved", Text, nullable=False),
    Column("origin", String(20), nullable=False),  # packaged | published
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("policy", "version"),
)

# Commissioners' overlays as they decided; their hashes stand in `request` and `decision`.
policy_overlay = Table(
    "policy_overlay",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("policy", String(80), nullable=False),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("from_day", Date, nullable=False),
    Column("resolved", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("policy", "commissioner", "from_day"),
)

# What two people published into the library, in the order of `number`, which has no gaps: a number
# is only taken once the one before it is committed, so the newest row tells whether any is new.
publication = Table(
    "publication",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(10), nullable=False),  # version | overlay
    Column("policy", String(80), nullable=False),
    Column("version", String(40), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("published_by", String(120), nullable=False),
    Column("seconded_by", String(120), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("policy", "version"),
)

# Safety notices issued without a release; they suspend new starts of every organisation.
safety_notice = Table(
    "safety_notice",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("notice", Document, nullable=False),
    Column("issued_by", String(120), nullable=False),
    Column("issue_seconded_by", String(120), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("lifted_on", Date),
    Column("lifted_by", String(120)),
    Column("lift_seconded_by", String(120)),
)

# The packaged notices that two people lifted before a release does.
notice_lift = Table(
    "notice_lift",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("from_day", Date, primary_key=True),
    Column("lifted_on", Date, nullable=False),
    Column("lifted_by", String(120), nullable=False),
    Column("seconded_by", String(120), nullable=False),
    Column("recorded_at", Instant, nullable=False),
)

adoption = Table(
    "adoption",
    metadata,
    Column("id", ID, primary_key=True),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("policy", String(80), nullable=False),
    Column("version", String(20), nullable=False),
    Column("from_day", Date, nullable=False),
    Column("to_day", Date),
    Column("adopted_by", String(120), nullable=False),
    Column("seconded_by", String(120), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("commissioner", "policy", "version", "from_day"),
)
