"""A commissioner's hand-overs of a drug's treatments, proposed by one person and confirmed."""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

# Written out here, so that this revision stays what it was when app/db/types.py moves on.
INSTANT = sa.DateTime(timezone=True)
ID = sa.String(length=36)
ORGANISATION = sa.String(length=9)
EXACT = sa.Numeric(precision=26, scale=8).with_variant(sa.String(length=40), "sqlite")
TABLE = "hand_over"
OWN = "assent_is_service() OR organisation = assent_organisation()"
READ = f"{OWN} OR (receiver = assent_organisation() AND state = 'confirmed')"


def upgrade() -> None:
    """Add the table; on PostgreSQL a row is its giver's, and once confirmed its receiver's too."""
    op.create_table(
        TABLE,
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("receiver", ORGANISATION, nullable=False),
        sa.Column("drug", sa.String(length=60), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("treatments", sa.Integer(), nullable=False),
        sa.Column("approvals", sa.Integer(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=True),
        sa.Column("accepted", EXACT, nullable=True),
        sa.Column("queried", EXACT, nullable=True),
        sa.Column("touched", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", ID, nullable=False),
        sa.Column("proposed_by_name", sa.String(length=120), nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("decided_by", ID, nullable=True),
        sa.Column("decided_by_name", sa.String(length=120), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("drug", "number", name=op.f(f"uq_{TABLE}_drug_number")),
    )
    op.create_index("ix_hand_over_organisation", TABLE, ["organisation", "state"])
    op.create_index("ix_hand_over_receiver", TABLE, ["receiver", "state"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {TABLE}_read ON {TABLE} FOR SELECT USING ({READ})",
        f"CREATE POLICY {TABLE}_add ON {TABLE} FOR INSERT WITH CHECK ({OWN})",
        f"CREATE POLICY {TABLE}_decide ON {TABLE} FOR UPDATE USING ({OWN}) WITH CHECK ({OWN})",
    ):
        connection.exec_driver_sql(statement)
