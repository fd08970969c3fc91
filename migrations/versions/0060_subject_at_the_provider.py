"""Of a session: its person's subject at the provider, by which a logout token may name them.

It need not be the id that a person is known by here: NHS Care Identity states one of its own
(`nhsid_useruid`) beside the subject, and a logout token states the subject alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0052"
branch_labels = None
depends_on = None

TABLE = "session"


def upgrade() -> None:
    """Add the column. Of sessions that are open at the upgrade it is not known."""
    op.add_column(TABLE, sa.Column("provider_subject", sa.String(length=255), nullable=True))
    op.create_index("ix_session_provider_subject", TABLE, ["provider_subject"])
