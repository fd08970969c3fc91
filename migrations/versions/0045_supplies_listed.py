"""The supplies of the newest runs and what they give to look at, kept for each organisation."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

ORGANISATION = sa.String(length=9)
ID = sa.String(length=36)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
OWN = "assent_is_service() OR organisation = assent_organisation()"


def upgrade() -> None:
    """Add the tables, guard them, and let the worker make what is kept anew."""
    op.create_table(
        "listed_supply",
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("pays", sa.Boolean(), nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("treatment_id", ID, nullable=False),
        sa.Column("provider", ORGANISATION, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"],
            ["treatment.id"],
            name=op.f("fk_listed_supply_treatment_id_treatment"),
        ),
        sa.PrimaryKeyConstraint(
            "organisation", "pays", "run_id", "row", name=op.f("pk_listed_supply")
        ),
    )
    op.create_index(
        "ix_listed_supply_treatment", "listed_supply", ["organisation", "pays", "treatment_id"]
    )
    op.create_table(
        "listed_entry",
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("pays", sa.Boolean(), nullable=False),
        sa.Column("list", sa.String(length=30), nullable=False),
        sa.Column("treatment_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("provider", ORGANISATION, nullable=False),
        sa.Column("other_provider", ORGANISATION, nullable=True),
        sa.Column("covers_to", sa.Date(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("told", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"],
            ["treatment.id"],
            name=op.f("fk_listed_entry_treatment_id_treatment"),
        ),
        sa.PrimaryKeyConstraint(
            "organisation", "pays", "list", "treatment_id", "number", name=op.f("pk_listed_entry")
        ),
    )
    op.create_index(
        "ix_listed_entry_day",
        "listed_entry",
        ["organisation", "pays", "list", "day", "treatment_id", "number"],
        postgresql_include=["covers_to", "paused", "provider", "other_provider"],
    )
    op.add_column(
        "start_awaited",
        sa.Column("supplied", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.drop_index("ix_start_awaited_day", table_name="start_awaited")
    op.create_index(
        "ix_start_awaited_day",
        "start_awaited",
        ["organisation", "pays", "start_by", "treatment_id"],
        postgresql_include=["covers_to", "paused", "provider", "supplied"],
    )
    op.add_column("start_awaited_mark", sa.Column("runs", sa.String(length=64), nullable=True))
    op.add_column("start_awaited_mark", sa.Column("heard", DOCUMENT, nullable=True))
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in ("listed_supply", "listed_entry"):
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_organisation ON {table} USING ({OWN}) WITH CHECK ({OWN})",
        ):
            connection.exec_driver_sql(statement)
