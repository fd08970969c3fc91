"""Safety notices that were issued into the database, and those that a decision was made under."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Written out here, so that this revision stays what it was when app/db/types.py moves on.
INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Add the table and the column. Decisions made before hold null there: there were none."""
    op.create_table(
        "safety_notice",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("notice", DOCUMENT, nullable=False),
        sa.Column("issued_by", sa.String(length=120), nullable=False),
        sa.Column("issue_seconded_by", sa.String(length=120), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("lifted_on", sa.Date(), nullable=True),
        sa.Column("lifted_by", sa.String(length=120), nullable=True),
        sa.Column("lift_seconded_by", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_safety_notice")),
    )
    op.add_column("decision", sa.Column("notices", DOCUMENT, nullable=True))
