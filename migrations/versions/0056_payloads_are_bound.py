"""Each event of the log signs whose its payload is: the payload's id, patient and organisation."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None
oldest = "0056"


def upgrade() -> None:
    """Add the column; the rows that are there were signed without it, and stay as they are."""
    op.add_column("audit_event", sa.Column("payload_of", sa.String(length=64), nullable=True))
