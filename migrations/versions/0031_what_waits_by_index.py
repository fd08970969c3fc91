"""Indexes of what waits: approvals that end soon, treatments that have not begun, open drafts.

Those of challenges get the list's whole order.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

NOT_BEGUN = sa.text("first_dose IS NULL AND not_started_on IS NULL AND stopped_on IS NULL")
OPEN_DRAFT = sa.text("submitted_request IS NULL AND discarded_at IS NULL")


def upgrade() -> None:
    """Make the indexes."""
    op.create_index(
        "ix_approval_provider_ends", "approval", ["provider", "state", "covers_to", "treatment_id"]
    )
    for organisation in ("provider", "commissioner"):
        op.create_index(
            f"ix_treatment_{organisation}_waiting",
            "treatment",
            [organisation, "id"],
            postgresql_where=NOT_BEGUN,
            sqlite_where=NOT_BEGUN,
        )
    op.create_index(
        "ix_draft_open",
        "draft",
        ["organisation", "changed_at", "id"],
        postgresql_where=OPEN_DRAFT,
        sqlite_where=OPEN_DRAFT,
    )
    for organisation in ("commissioner", "provider"):  # in the very order of the list
        name = f"ix_challenge_{organisation}"
        op.drop_index(name, table_name="challenge")
        op.create_index(name, "challenge", [organisation, "drafted_at", "id"])
