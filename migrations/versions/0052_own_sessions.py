"""Of a session: which browser, in words of ours, and when its person last proved who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

TABLE = "session"


def upgrade() -> None:
    """Add both columns. Of sessions that are open at the upgrade neither is known."""
    op.add_column(TABLE, sa.Column("browser", sa.String(length=40), nullable=True))
    op.add_column(TABLE, sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
