"""What a member of a panel declares of their own interests, with each decision."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; earlier decisions declared nothing. No trigger stands on this table."""
    op.add_column("decision", sa.Column("interest", sa.String(length=20), nullable=True))
