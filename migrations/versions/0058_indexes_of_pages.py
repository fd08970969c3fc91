"""Indexes for pages that read too much among two million treatments.

A drug's treatments: a hand-over of a drug that waits read every treatment there is. What waits for
a panel, in the order of treatments: the index holds only what is a panel's now, so PostgreSQL no
longer takes a smaller one beside it, reads all that waits and sorts it. What ends and what lapses:
the indexes hold all that row-level security asks for, so they are read alone and as far as a page
goes; before, PostgreSQL fetched every row of the weeks asked for and sorted them.

Those that these replace go with the next revision.
"""

from app.db.indexes import build_index

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None
oldest = "0056"


def upgrade() -> None:
    """Make them while services write."""
    build_index(
        "ix_treatment_drug", "treatment", ["drug", "id"], include=["provider", "commissioner"]
    )
    build_index(
        "ix_request_panel_waiting",
        "request",
        ["panel", "state", "treatment_id"],
        where="panel IS NOT NULL",
    )
    for name, day in (("ending", "covers_to"), ("starting", "start_by")):
        build_index(
            f"ix_approval_provider_{name}",
            "approval",
            ["provider", "state", day, "treatment_id"],
            include=["commissioner", "id"],
        )
