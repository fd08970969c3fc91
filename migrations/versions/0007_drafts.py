"""Drafts: half-filled forms, kept where a lost session cannot lose them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
REACHED = "assent_is_service() OR organisation = assent_organisation()"


def upgrade() -> None:
    """Create the table and guard its rows: a draft is its own organisation's."""
    op.create_table(
        "draft",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("organisation", sa.String(9), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("policy", sa.String(80), nullable=True),
        sa.Column("treatment_id", sa.String(36), nullable=True),
        sa.Column("form", DOCUMENT, nullable=False),
        sa.Column("answers", DOCUMENT, nullable=False),
        sa.Column("prepared_by", sa.String(36), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(36), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("submitted_request", sa.String(36), nullable=True),
        sa.Column("discarded_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatment.id"], name=op.f("fk_draft_treatment_id_treatment")
        ),
        sa.ForeignKeyConstraint(
            ["submitted_request"], ["request.id"], name=op.f("fk_draft_submitted_request_request")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
        sa.UniqueConstraint("submitted_request", name=op.f("uq_draft_submitted_request")),
    )
    op.create_index(op.f("ix_draft_treatment_id"), "draft", ["treatment_id"])
    op.create_index("ix_draft_organisation", "draft", ["organisation", "changed_at"])
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for statement in (
            "ALTER TABLE draft ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE draft FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY draft_organisation ON draft USING ({REACHED}) WITH CHECK ({REACHED})",
        ):
            connection.exec_driver_sql(statement)
