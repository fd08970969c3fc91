"""Patients' objections to being shown, and records of their deaths."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ID = sa.String(length=36)
#: Whoever knows the patient reads it, and writes it on the patient's behalf.
KNOWN = (
    "assent_is_service() OR organisation = assent_organisation() "
    "OR assent_reaches_patient(patient_id, assent_organisation())"
)


def upgrade() -> None:
    """Add the two tables, guarded."""
    _table(
        "patient_objection",
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", ID, nullable=False),
        sa.Column("withdrawn_at", INSTANT, nullable=True),
        sa.Column("withdrawn_by", ID, nullable=True),
        sa.Column("withdrawal_words", sa.Text(), nullable=True),
    )
    _table(
        "patient_death",
        sa.Column("died_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", ID, nullable=False),
        sa.Column("taken_back_at", INSTANT, nullable=True),
        sa.Column("taken_back_by", ID, nullable=True),
        sa.Column("taken_back_why", sa.Text(), nullable=True),
    )


def _table(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f(f"fk_{name}_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_patient_id"), name, ["patient_id"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {name}_organisation ON {name} USING ({KNOWN}) WITH CHECK ({KNOWN})",
    ):
        connection.exec_driver_sql(statement)
