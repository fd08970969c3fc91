"""What leads from a payer's pseudonym to a record, under a key that only the service has."""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None
oldest = "0052"

ID = sa.String(length=36)
TABLE = "patient_pseudonym"
MARK = "patient_pseudonym_mark"


def upgrade() -> None:
    """Add both tables, empty: the worker fills them. Only the service itself reads or writes them,
    for no organisation."""
    op.create_table(
        TABLE,
        sa.Column("mac", sa.String(length=32), nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f(f"fk_{TABLE}_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("mac", "patient_id", name=op.f(f"pk_{TABLE}")),
    )
    op.create_index(op.f(f"ix_{TABLE}_patient_id"), TABLE, ["patient_id"])
    op.create_table(
        MARK,
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("of_secret", sa.String(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("up_to", ID, nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f(f"pk_{MARK}")),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in (TABLE, MARK):
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_service ON {table} "
            "USING (assent_is_service()) WITH CHECK (assent_is_service())",
        ):
            connection.exec_driver_sql(statement)
