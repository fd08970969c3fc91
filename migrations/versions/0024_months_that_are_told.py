"""Keep of each slice what its run could not test, and of each challenged line its month."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def exact() -> Any:
    """An exact decimal: text on SQLite, which would keep it as a binary fraction."""
    return sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    """Columns that rows of before leave empty."""
    document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("slice_outcome", sa.Column("not_testable", exact(), nullable=True))
    op.add_column("slice_outcome", sa.Column("untested", document, nullable=True))
    op.add_column("challenge_line", sa.Column("month", sa.String(12), nullable=True))
