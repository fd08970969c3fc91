"""Charges for home delivery, and tolerances of quantity, that commissioners agreed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

TABLE = "supply_term"
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
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("provider", ORGANISATION, nullable=True),
        sa.Column("drug", sa.String(length=80), nullable=True),
        sa.Column("amount", exact(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=True),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("loaded_by", ID, nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supply_term")),
    )
    op.create_index(op.f("ix_supply_term_organisation"), TABLE, ["organisation"])
    op.create_index(op.f("ix_supply_term_provider"), TABLE, ["provider"])
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
