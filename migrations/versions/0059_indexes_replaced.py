"""Drop the indexes that those of revision 0058 replace."""

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None
oldest = "0056"


def upgrade() -> None:
    """Drop them; what read them reads the new ones, which stand."""
    op.drop_index("ix_request_panel_state", "request")
    for name in ("ends", "starts"):
        op.drop_index(f"ix_approval_provider_{name}", "approval")
