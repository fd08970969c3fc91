"""Hospital numbers that are held otherwise than lines state them, and legacy references."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

OTHERWISE = "upper(replace(local_id, ' ', '')) != local_id"
LEGACY = "legacy_reference IS NOT NULL"


def upgrade() -> None:
    """Each index holds only the few that are so."""
    for name, table, column, where in (
        ("ix_patient_identifier_otherwise", "patient_identifier", "organisation", OTHERWISE),
        ("ix_approval_legacy", "approval", "legacy_reference", LEGACY),
    ):
        op.create_index(
            name, table, [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where)
        )
