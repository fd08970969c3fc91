"""Terms that commissioners keep for reconciliation: spellings, contract terms, who pays."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ID = sa.String(length=36)
ORGANISATION = sa.String(length=9)
OWN = "organisation = assent_organisation()"
#: Who reads a row, and who writes it. A provider sees the terms that are about itself.
POLICIES = {
    "drug_spelling": (f"{OWN} OR organisation = '*'", OWN),
    "contract_term": (f"{OWN} OR provider = assent_organisation()", OWN),
    "responsible_payer": (OWN, OWN),
}


def upgrade() -> None:
    """Add the three tables, guarded."""
    op.create_table(
        "drug_spelling",
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("words", sa.String(length=255), nullable=False),
        sa.Column("drug", sa.String(length=80), nullable=False),
        sa.Column("product", sa.String(length=80), nullable=True),
        sa.Column("proposed_by", sa.String(length=120), nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("accepted_by", sa.String(length=120), nullable=True),
        sa.Column("accepted_at", INSTANT, nullable=True),
        sa.Column("accepted_on", sa.Date(), nullable=True),
        sa.Column("withdrawn_by", sa.String(length=120), nullable=True),
        sa.Column("withdrawn_at", INSTANT, nullable=True),
        sa.Column("withdrawn_why", sa.String(length=500), nullable=True),
        sa.Column("standing", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drug_spelling")),
        sa.UniqueConstraint(
            "organisation", "standing", name=op.f("uq_drug_spelling_organisation_standing")
        ),
    )
    op.create_table(
        "contract_term",
        *_loaded("contract_term"),
        sa.Column("provider", ORGANISATION, nullable=False),
        sa.Column("basis", sa.String(length=40), nullable=False),
    )
    op.create_index(op.f("ix_contract_term_organisation"), "contract_term", ["organisation"])
    op.create_index(op.f("ix_contract_term_provider"), "contract_term", ["provider"])
    op.create_table(
        "responsible_payer",
        *_loaded("responsible_payer"),
        sa.Column("among", DOCUMENT, nullable=False),
        sa.Column("responsible", ORGANISATION, nullable=False),
    )
    op.create_index(
        op.f("ix_responsible_payer_organisation"), "responsible_payer", ["organisation"]
    )
    for table, (read, write) in POLICIES.items():
        _guard(table, read, write)


def _loaded(table: str) -> tuple[sa.Column[object] | sa.PrimaryKeyConstraint, ...]:
    return (
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("drug", sa.String(length=80), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=True),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("loaded_by", ID, nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.Column("replaced_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )


def _guard(table: str, read: str, write: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {table}_read ON {table} FOR SELECT USING (assent_is_service() OR {read})",
        f"CREATE POLICY {table}_write ON {table} "
        f"USING (assent_is_service() OR {write}) WITH CHECK (assent_is_service() OR {write})",
    ):
        connection.exec_driver_sql(statement)
