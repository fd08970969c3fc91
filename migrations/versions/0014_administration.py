"""What administrators of an organisation propose, for a second one to confirm."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Written out here, so that this revision stays what it was when app/db/types.py moves on.
INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLE = "administration_proposal"


def upgrade() -> None:
    """Add the table and, on PostgreSQL, hide each organisation's rows from the others."""
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("act", sa.String(length=30), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("proposed_by", sa.String(length=36), nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decided_by", sa.String(length=36), nullable=True),
        sa.Column("made", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
    )
    op.create_index("ix_administration_proposal_lookup", TABLE, ["organisation", "state"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    own = "assent_is_service() OR organisation = assent_organisation()"
    for statement in (
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {TABLE}_organisation ON {TABLE} USING ({own}) WITH CHECK ({own})",
    ):
        connection.exec_driver_sql(statement)
