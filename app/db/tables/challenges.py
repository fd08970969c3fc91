"""A commissioner's challenges of lines, and what people decided of lines by hand."""

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
from app.db.types import Exact, Instant

challenge = Table(
    "challenge",
    metadata,
    Column("id", ID, primary_key=True),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=False, index=True),
    Column("outcome", String(40), nullable=False),
    Column("drug", String(60)),  # null: the drug is not recognised
    Column("month", String(12)),  # null: not grouped by month
    Column("state", String(20), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("queried", Exact, nullable=False),
    Column("upheld", Exact),  # what the provider owes, once the commissioner has decided
    Column("respond_by", Date),
    Column("evidence", Text),  # the provider's own words
    Column("reason", Text),  # the commissioner's own words for its last decision
    Column("credit_reference", String(60)),
    Column("drafted_at", Instant, nullable=False),
    Column("drafted_by", ID, nullable=False),
    Column("raised_at", Instant),  # a provider sees nothing before
    Column("answered_at", Instant),
    Column("decided_at", Instant),
    Column("credited_at", Instant),
    Column("version", Integer, nullable=False),
    Index("ix_challenge_commissioner", "commissioner", "drafted_at", "id"),
    Index("ix_challenge_provider", "provider", "drafted_at", "id"),
)

# `line_key` is the line's content and which of the lines of that content it is, so that it stays
# the same in every file that states the line again. `held_key` repeats it until the challenge is
# withdrawn: its unique key is what keeps a line out of a second challenge.
challenge_line = Table(
    "challenge_line",
    metadata,
    Column("challenge_id", ID, ForeignKey("challenge.id"), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("line_key", String(80), nullable=False),
    Column("held_key", String(80)),
    Column("queried", Exact, nullable=False),
    Column("reason", Text, nullable=False),
    Column("told", Text, nullable=False),  # the reason as the provider may read it
    Column("remedy", Text, nullable=False),
    Column("reference", String(60)),
    Column("reference_told", String(60)),  # null where the approval is another provider's
    Column("month", String(12)),  # financial, as `202526 M01`; null where it is not stated
    UniqueConstraint("commissioner", "held_key"),
    Index("ix_challenge_line_key", "commissioner", "line_key"),
)

# What a person decided of one line: which approval is its own, or that it is accepted or queried
# whole. `held_key` repeats the line's key while the decision stands, so that there is one.
line_decision = Table(
    "line_decision",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("line_key", String(80), nullable=False),
    Column("held_key", String(80)),
    Column("kind", String(10), nullable=False),  # match | accept | query
    Column("approval_reference", String(17)),
    Column("approval_digest", String(64)),  # of the approval as it stood then
    Column("outcome", String(40), nullable=False),  # the line's outcome without the decision
    Column("reason", Text, nullable=False),
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=False),
    Column("row", Integer, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", ID, nullable=False),
    Column("role", String(30), nullable=False),
    Column("undone_at", Instant),
    Column("undone_by", ID),
    Column("undone_reason", Text),
    UniqueConstraint("organisation", "held_key"),
    Index("ix_line_decision_organisation", "organisation", "made_at"),
)
