"""Approvals proposed for lines whose patient is not known; each organisation's are its own."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ID = sa.String(36)
OWN = "(assent_is_service() OR organisation = assent_organisation())"


def document() -> Any:
    """JSON, as each database keeps it best."""
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Add the two tables, then guard them."""
    op.create_table(
        "linkage_search",
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", sa.String(9), nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("model", sa.String(20), nullable=False),
        sa.Column("snapshot_digest", sa.String(64), nullable=False),
        sa.Column("counts", document(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("made_by", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
            name=op.f("fk_linkage_search_run_id_reconciliation_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linkage_search")),
    )
    op.create_index(op.f("ix_linkage_search_run_id"), "linkage_search", ["run_id"])
    op.create_table(
        "linkage_proposal",
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", sa.String(9), nullable=False),
        sa.Column("search_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("line_key", sa.String(80), nullable=False),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("evidence", document(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("approval_reference", sa.String(17), nullable=True),
        sa.Column("decision_id", ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decided_by", ID, nullable=True),
        sa.Column("role", sa.String(30), nullable=True),
        sa.ForeignKeyConstraint(
            ["search_id"],
            ["linkage_search.id"],
            name=op.f("fk_linkage_proposal_search_id_linkage_search"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
            name=op.f("fk_linkage_proposal_run_id_reconciliation_run"),
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["line_decision.id"],
            name=op.f("fk_linkage_proposal_decision_id_line_decision"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linkage_proposal")),
    )
    op.create_index("ix_linkage_proposal_search", "linkage_proposal", ["search_id", "row"])
    op.create_index("ix_linkage_proposal_refused", "linkage_proposal", ["organisation", "state"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in ("linkage_search", "linkage_proposal"):
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_organisation ON {table} USING {OWN} WITH CHECK {OWN}",
        ):
            connection.exec_driver_sql(statement)
