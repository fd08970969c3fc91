"""What a listed supply was of, how much and for how many pounds, for a patient's timeline."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

TABLE = "listed_supply"
# Written out here, so that this revision stays what it was when app/db/types.py moves on.
EXACT = sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    """Add the columns, and have the worker make the rows anew: the lists work meanwhile."""
    op.add_column(TABLE, sa.Column("product", sa.String(length=60), nullable=True))
    op.add_column(TABLE, sa.Column("quantity", EXACT, nullable=True))
    op.add_column(TABLE, sa.Column("unit", sa.String(length=40), nullable=True))
    op.add_column(TABLE, sa.Column("amount", EXACT, nullable=True))
    op.execute("UPDATE start_awaited_mark SET runs = NULL")
