"""A session's subject at its provider, and which releases go on while a later schema is there.

The subject, by which a logout token may name a person, need not be the id that a person is known by here: NHS Care Identity states one of its own
(`nhsid_useruid`) beside the subject, and a logout token states the subject alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None
#: The oldest release whose services may go on while this schema is there (`app/db/upgrade.py`).
oldest = "0052"

TABLE = "session"


def upgrade() -> None:
    """Add the column, not known of sessions that are open at the upgrade, and the table."""
    op.add_column(TABLE, sa.Column("provider_subject", sa.String(length=255), nullable=True))
    op.create_index("ix_session_provider_subject", TABLE, ["provider_subject"])
    op.create_table(
        "schema_release",
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.Column("oldest", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_release")),
    )
