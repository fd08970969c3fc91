"""Break-glass access: who opened a patient's record at other providers, why and for how long."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
#: Read by whoever opened it and by those who hold something of the patient; written by the former.
OWN = "(assent_is_service() OR organisation = assent_organisation())"
HELD = "assent_reaches_patient(patient_id, assent_organisation())"


def upgrade() -> None:
    """Add the table, guarded."""
    op.create_table(
        "break_glass",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("opened_by", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("ended_by", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_break_glass_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass")),
    )
    op.create_index(op.f("ix_break_glass_patient_id"), "break_glass", ["patient_id"])
    op.create_index("ix_break_glass_organisation", "break_glass", ["organisation", "opened_at"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        "ALTER TABLE break_glass ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE break_glass FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY break_glass_read ON break_glass FOR SELECT USING ({OWN} OR {HELD})",
        f"CREATE POLICY break_glass_add ON break_glass FOR INSERT WITH CHECK {OWN}",
        f"CREATE POLICY break_glass_end ON break_glass FOR UPDATE USING {OWN} WITH CHECK {OWN}",
    ):
        connection.exec_driver_sql(statement)
