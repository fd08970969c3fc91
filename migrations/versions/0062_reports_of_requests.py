"""Indexes for the reports over requests: they read all of an organisation, or the whole audit log.

What was sent in a period under some versions, of a provider and of a payer; and the events of
answers that changed after a refusal, which are few: their index holds no others.
"""

from app.db.indexes import build_index

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None
oldest = "0056"


def upgrade() -> None:
    """Make them while services write."""
    for organisation in ("provider", "commissioner"):
        build_index(
            f"ix_request_{organisation}_sent",
            "request",
            [organisation, "policy_hash", "submitted_at"],
        )
    build_index(
        "ix_audit_event_changed_answers",
        "audit_event",
        ["at", "id"],
        where="action = 'answers changed after a refusal'",
    )
