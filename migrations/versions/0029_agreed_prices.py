"""Prices that commissioners agreed, by product, provider, framework and day."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

TABLE = "agreed_price"
ID, ORGANISATION = sa.String(length=36), sa.String(length=9)
#: A commissioner's own rows; a provider reads those that name it.
READ = "organisation = assent_organisation() OR provider = assent_organisation()"
WRITE = "organisation = assent_organisation()"


def exact() -> Any:
    """An exact decimal: text on SQLite, which would keep it as a binary fraction."""
    return sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    """Add the table, guarded."""
    op.create_table(
        TABLE,
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("provider", ORGANISATION, nullable=True),
        sa.Column("framework", sa.String(length=80), nullable=False),
        sa.Column("drug", sa.String(length=80), nullable=False),
        sa.Column("drug_code", sa.String(length=20), nullable=True),
        sa.Column("product", sa.String(length=80), nullable=True),
        sa.Column("strength", sa.String(length=100), nullable=True),
        sa.Column("unit", sa.String(length=100), nullable=False),
        sa.Column("price", exact(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=True),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("run_off_days", sa.Integer(), nullable=False),
        sa.Column("tolerance_percent", exact(), nullable=False),
        sa.Column("tolerance_pence", exact(), nullable=False),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("loaded_by", ID, nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreed_price")),
    )
    op.create_index(op.f("ix_agreed_price_organisation"), TABLE, ["organisation"])
    op.create_index(op.f("ix_agreed_price_provider"), TABLE, ["provider"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {TABLE}_read ON {TABLE} FOR SELECT USING (assent_is_service() OR {READ})",
        f"CREATE POLICY {TABLE}_write ON {TABLE} "
        f"USING (assent_is_service() OR {WRITE}) WITH CHECK (assent_is_service() OR {WRITE})",
    ):
        connection.exec_driver_sql(statement)
