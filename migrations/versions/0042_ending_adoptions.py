"""A proposal may be to end an adoption."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say of each proposal what it is for; those before were to adopt."""
    op.add_column(
        "adoption_proposal",
        sa.Column("act", sa.String(length=10), server_default="adopt", nullable=False),
    )


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("adoption_proposal", "act")
