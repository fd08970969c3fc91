"""Policies, overlays and notices as they decided, their drafts and proofs, and their adoption."""

from sqlalchemy import (
    Column,
    Date,
    Index,
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

# A commissioner's adoptions that wait for a second person, and what became of them.
adoption_proposal = Table(
    "adoption_proposal",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("policy", String(80), nullable=False),
    Column("version", String(40), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("act", String(10), nullable=False, server_default="adopt"),  # adopt | end
    Column("from_day", Date, nullable=False),
    Column("state", String(10), nullable=False),  # waiting | confirmed | declined
    Column("proposed_by", ID, nullable=False),
    Column("proposed_by_name", String(120), nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("decided_by", ID),
    Column("decided_by_name", String(120)),
    Column("decided_at", Instant),
    Index("ix_adoption_proposal_organisation", "organisation", "state"),
)

# Texts that an organisation's authors write. What is published of one stands in `publication`;
# the row stays, and says what its text was.
policy_draft = Table(
    "policy_draft",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("text", Text, nullable=False),
    Column("title", String(200), nullable=False),
    Column("policy", String(80)),  # what the text was when it was last saved, where it loads
    Column("number", String(40)),
    Column("hash", String(64)),
    Column("state", String(10), nullable=False),  # draft | asked | published | discarded
    Column("version", Integer, nullable=False),
    Column("written_by", ID, nullable=False),  # who changed the text last
    Column("written_by_name", String(120), nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("asked_by", ID),
    Column("asked_by_name", String(120)),
    Column("published_by_name", String(120)),
    Column("published_at", Instant),
    Index("ix_policy_draft_organisation", "organisation", "state"),
)

# What the prover said of a text, by the text's hash. It names no organisation and no patient.
policy_proof = Table(
    "policy_proof",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("prover", String(40), nullable=False),
    Column("claims", Document, nullable=False),
    Column("faults", Integer, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)
