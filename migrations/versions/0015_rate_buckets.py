"""How many calls each client has left, for every serving process together. No patient data."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table. A client without a row has its whole minute's calls."""
    op.create_table(
        "rate_bucket",
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("parts", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("who", name=op.f("pk_rate_bucket")),
    )
    op.create_index(op.f("ix_rate_bucket_at"), "rate_bucket", ["at"], unique=False)
