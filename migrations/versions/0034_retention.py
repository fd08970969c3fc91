"""Which treatments' answers were erased when their retention period was over."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

TABLE = "retention_end"
PARTY = "assent_is_service() OR assent_reaches_treatment(treatment_id, assent_organisation())"


def upgrade() -> None:
    """Add the table, which those see who see the treatment."""
    op.create_table(
        TABLE,
        sa.Column("treatment_id", sa.String(length=36), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_years", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatment.id"], name=op.f(f"fk_{TABLE}_treatment_id_treatment")
        ),
        sa.PrimaryKeyConstraint("treatment_id", name=op.f(f"pk_{TABLE}")),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {TABLE}_organisation ON {TABLE} USING ({PARTY}) WITH CHECK ({PARTY})",
    ):
        connection.exec_driver_sql(statement)
