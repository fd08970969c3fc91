"""Approvals proposed for lines whose patient is not known, and what people made of that."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Instant

# One search for a run's lines: by which parameters, against which approvals, and how many lines
# ended how. The newest of a run is the one that counts.
linkage_search = Table(
    "linkage_search",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=False, index=True),
    Column("model", String(20), nullable=False),
    Column("snapshot_digest", String(64), nullable=False),
    Column("counts", Document, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", ID, nullable=False),
)

# `evidence` holds how each field agreed, in words and weights, and what the line charges: no value
# of a patient.
linkage_proposal = Table(
    "linkage_proposal",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("search_id", ID, ForeignKey("linkage_search.id"), nullable=False),
    Column("run_id", ID, ForeignKey("reconciliation_run.id"), nullable=False),
    Column("row", Integer, nullable=False),
    Column("line_key", String(80), nullable=False),
    Column("ambiguous", Boolean, nullable=False),
    Column("evidence", Document, nullable=False),
    Column("state", String(10), nullable=False),  # open | accepted | refused
    Column("approval_reference", String(17)),  # what was accepted
    Column("decision_id", ID, ForeignKey("line_decision.id")),
    Column("reason", Text),
    Column("decided_at", Instant),
    Column("decided_by", ID),
    Column("role", String(30)),
    Index("ix_linkage_proposal_search", "search_id", "row"),
    Index("ix_linkage_proposal_refused", "organisation", "state"),
)
