"""Whoever supplies a treatment for another hears of a stop that cuts its own days."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
#: The steps on a treatment that end a supplier's days, or bring them back. See app/api/changes.py.
#: Not IN: PostgreSQL writes a list otherwise after a restore, and a policy should read as it did.
TOLD = " OR ".join(
    f"action = '{step}'"
    for step in (
        "treatment stopped",
        "treatment no longer stopped",
        "treatment not started",
        "treatment transferred",
    )
)


def upgrade() -> None:
    """Keep beside a supply when its segment came into force and left it, and show those steps."""
    for name in ("recorded_at", "superseded_at"):
        op.add_column("supply", sa.Column(name, INSTANT, nullable=True))
    connection = op.get_bind()
    connection.exec_driver_sql(
        "UPDATE supply SET "
        "recorded_at = (SELECT s.recorded_at FROM segment s WHERE s.id = segment_id), "
        "superseded_at = (SELECT s.superseded_at FROM segment s WHERE s.id = segment_id)"
    )
    if connection.dialect.name != "postgresql":
        return
    connection.exec_driver_sql(
        "CREATE POLICY audit_event_supply ON audit_event FOR SELECT USING ("
        f"({TOLD}) AND object_type = 'treatment' AND EXISTS ("
        "SELECT 1 FROM supply u WHERE u.treatment_id = audit_event.treatment_id "
        "AND u.provider = assent_organisation() "
        "AND (u.superseded_at = audit_event.at OR u.recorded_at = audit_event.at)))"
    )
