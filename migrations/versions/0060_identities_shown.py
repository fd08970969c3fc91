"""An index for the report of identities shown: it grouped over all events of an organisation.

Few events are of that kind, and the index holds no others.
"""

from app.db.indexes import build_index

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None
oldest = "0056"


def upgrade() -> None:
    """Make it while services write."""
    build_index(
        "ix_audit_event_identities",
        "audit_event",
        ["organisation", "at"],
        where="action IN ('identifiers shown: treatment', 'identifiers shown: run', "
        "'identifiers used: search')",
    )
