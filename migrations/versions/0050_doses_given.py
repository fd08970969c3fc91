"""What a panel that overturns an urgent start states of the doses given."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

# Written out here, so that this revision stays what it was when app/db/types.py moves on.
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Add the column; earlier decisions overturned nothing. No trigger stands on this table."""
    op.add_column("decision", sa.Column("doses_given", DOCUMENT, nullable=True))
