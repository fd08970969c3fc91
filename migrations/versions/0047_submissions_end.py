"""When a submission's files were erased, their period being over."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the instant; null as long as the files are kept."""
    op.add_column("submission", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
