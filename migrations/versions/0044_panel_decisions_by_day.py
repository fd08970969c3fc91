"""A panel's decisions by their day, which panels were asked, and what waits for one."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

PANEL = "made_by = 'panel'"
ASKED = "panel IS NOT NULL"


def upgrade() -> None:
    """Each index holds only what went to a panel, which is little of all requests."""
    for name, table, columns, where in (
        ("ix_decision_panel_decided", "decision", ["decided_at", "request_id"], PANEL),
        ("ix_request_panel_sent", "request", ["panel", "state", "submitted_at", "id"], ASKED),
        ("ix_request_commissioner_panel", "request", ["commissioner", "panel"], ASKED),
        ("ix_request_provider_panel", "request", ["provider", "panel"], ASKED),
    ):
        op.create_index(
            name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
        )
