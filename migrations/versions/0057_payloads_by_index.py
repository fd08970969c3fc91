"""The event of a payload by an index: a patient's story asks for it, payload by payload."""

from app.db.indexes import build_index

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None
oldest = "0056"


def upgrade() -> None:
    """Add the index while the service goes on; events without a payload are left out of it."""
    build_index(
        "ix_audit_event_payload_id",
        "audit_event",
        ["payload_id"],
        where="payload_id IS NOT NULL",
    )
