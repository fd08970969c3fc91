"""The starts that are awaited, which the worker keeps for each organisation."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

ORGANISATION = sa.String(length=9)
OWN = "assent_is_service() OR organisation = assent_organisation()"


def upgrade() -> None:
    """Add the tables, then guard them."""
    op.create_table(
        "start_awaited",
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("pays", sa.Boolean(), nullable=False),
        sa.Column("treatment_id", sa.String(length=36), nullable=False),
        sa.Column("provider", ORGANISATION, nullable=False),
        sa.Column("start_by", sa.Date(), nullable=False),
        sa.Column("covers_to", sa.Date(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"],
            ["treatment.id"],
            name=op.f("fk_start_awaited_treatment_id_treatment"),
        ),
        sa.PrimaryKeyConstraint(
            "organisation", "pays", "treatment_id", name=op.f("pk_start_awaited")
        ),
    )
    op.create_index(
        "ix_start_awaited_day",
        "start_awaited",
        ["organisation", "pays", "start_by", "treatment_id"],
        postgresql_include=["covers_to", "paused", "provider"],
    )
    op.create_table(
        "start_awaited_mark",
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("pays", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "pays", name=op.f("pk_start_awaited_mark")),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in ("start_awaited", "start_awaited_mark"):
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_organisation ON {table} USING ({OWN}) WITH CHECK ({OWN})",
        ):
            connection.exec_driver_sql(statement)
