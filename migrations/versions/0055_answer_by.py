"""Of a request that a policy refers: the day by which its panel answers, to list by.

The day follows from the version that decided and from the day of its decision. Of requests that
wait already it is worked out here once, as `app.policy.answer_by` does.
"""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None
oldest = "0052"

ASKED = "panel IS NOT NULL"
_LONDON = ZoneInfo("Europe/London")
_SATURDAY = 5
_REQUEST = sa.table(
    "request",
    sa.column("id", sa.String),
    sa.column("state", sa.String),
    sa.column("policy_hash", sa.String),
    sa.column("answer_by", sa.Date),
)
_VERSION = sa.table("policy_version", sa.column("hash", sa.String), sa.column("resolved", sa.Text))
_DECISION = sa.table(
    "decision",
    sa.column("request_id", sa.String),
    sa.column("made_by", sa.String),
    sa.column("outcome", sa.String),
    sa.column("decided_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Add the day, and the index of a panel's queue in its order; the one by sending goes.

    With it the index of what lapses soon, in the order of its last days to start.
    """
    op.add_column("request", sa.Column("answer_by", sa.Date(), nullable=True))
    connection = op.get_bind()
    for id_, day in _waiting(connection):
        connection.execute(
            sa.update(_REQUEST).where(_REQUEST.c.id == id_).values({"answer_by": day})
        )
    op.drop_index("ix_request_panel_sent", "request")
    op.create_index(
        "ix_request_panel_answer",
        "request",
        ["panel", "state", "answer_by", "submitted_at", "id"],
        postgresql_where=sa.text(ASKED),
        sqlite_where=sa.text(ASKED),
    )
    op.create_index(
        "ix_approval_provider_starts",
        "approval",
        ["provider", "state", "start_by", "treatment_id"],
    )


def _waiting(connection: sa.Connection) -> list[tuple[str, dt.date]]:
    """The requests that wait because the policy's newest decision referred them, with their day."""
    within = {
        row.hash: found
        for row in connection.execute(sa.select(_VERSION.c.hash, _VERSION.c.resolved))
        if (found := _within(row.resolved))
    }
    decided = (
        sa.select(
            _REQUEST.c.id, _REQUEST.c.policy_hash, _DECISION.c.outcome, _DECISION.c.decided_at
        )
        .join(_DECISION, _DECISION.c.request_id == _REQUEST.c.id)
        .where(_REQUEST.c.state == "referred", _DECISION.c.made_by == "policy")
        .order_by(_DECISION.c.decided_at)
    )
    newest = {row.id: row for row in connection.execute(decided)}
    return [
        (id_, _day(within[row.policy_hash], _in_london(row.decided_at)))
        for id_, row in newest.items()
        if row.outcome == "referred" and row.policy_hash in within
    ]


def _within(resolved: str) -> dict[str, int]:
    try:
        panel = json.loads(resolved).get("panel") or {}
    except (ValueError, AttributeError):  # no version's text: nothing is told of a panel
        return {}
    return panel.get("answer_within") or {}


def _in_london(instant: dt.datetime) -> dt.date:
    aware = instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)  # as SQLite keeps it
    return aware.astimezone(_LONDON).date()


def _day(within: dict[str, int], referred_on: dt.date) -> dt.date:
    if "days" in within:
        return referred_on + dt.timedelta(days=within["days"])
    day, left = referred_on, within["working_days"]
    while left:
        day += dt.timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return day
