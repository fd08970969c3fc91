"""Policy drafts, proofs of texts, and adoptions that wait for a second person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

ID, ORGANISATION = sa.String(length=36), sa.String(length=9)
INSTANT = sa.DateTime(timezone=True)
NAME, HASH = sa.String(length=120), sa.String(length=64)
OWN = "organisation = assent_organisation()"


def upgrade() -> None:
    """Add the tables; those of an organisation are guarded."""
    op.create_table(
        "adoption_proposal",
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("hash", HASH, nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposed_by", ID, nullable=False),
        sa.Column("proposed_by_name", NAME, nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("decided_by", ID, nullable=True),
        sa.Column("decided_by_name", NAME, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adoption_proposal")),
    )
    op.create_table(
        "policy_draft",
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=True),
        sa.Column("number", sa.String(length=40), nullable=True),
        sa.Column("hash", HASH, nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("written_by", ID, nullable=False),
        sa.Column("written_by_name", NAME, nullable=False),
        sa.Column("written_at", INSTANT, nullable=False),
        sa.Column("asked_by", ID, nullable=True),
        sa.Column("asked_by_name", NAME, nullable=True),
        sa.Column("published_by_name", NAME, nullable=True),
        sa.Column("published_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_draft")),
    )
    op.create_table(
        "policy_proof",
        sa.Column("hash", HASH, nullable=False),
        sa.Column("prover", sa.String(length=40), nullable=False),
        sa.Column(
            "claims",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_policy_proof")),
    )
    for table in ("adoption_proposal", "policy_draft"):
        op.create_index(op.f(f"ix_{table}_organisation"), table, ["organisation", "state"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in ("adoption_proposal", "policy_draft"):
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_own ON {table} "
            f"USING (assent_is_service() OR {OWN}) WITH CHECK (assent_is_service() OR {OWN})",
        ):
            connection.exec_driver_sql(statement)
