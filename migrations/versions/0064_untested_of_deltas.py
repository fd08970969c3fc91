"""What could not be tested of the pounds that a delta of a closed month moves.

Deltas of before keep null there, which is "not known": nothing is worked out for them.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None
oldest = "0056"

COLUMNS = ("not_testable_was", "not_testable", "not_testable_more")


def exact() -> Any:
    """An exact decimal: text on SQLite, which would keep it as a binary fraction."""
    return sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    """Add the columns; the release before goes on adding deltas without them."""
    for name in COLUMNS:
        op.add_column("slice_delta", sa.Column(name, exact(), nullable=True))
