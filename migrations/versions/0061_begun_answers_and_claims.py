"""Answers to a panel's question and corrections are kept while they are typed, as drafts are.

And what others claim of a provider's treatments is listed for it: claims of before are told on the
pages of their treatments alone.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None
oldest = "0056"

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
REACHED = "assent_is_service() OR organisation = assent_organisation()"


def upgrade() -> None:
    """Create the tables and guard their rows.

    What was typed is its own organisation's; a claim is the claimant's, and told to whom it is about.
    """
    op.create_table(
        "begun_answers",
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("organisation", sa.String(9), nullable=False),
        sa.Column("form", DOCUMENT, nullable=False),
        sa.Column("changed_by", sa.String(36), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_begun_answers_request_id_request")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_begun_answers")),
    )
    op.create_table(
        "treatment_claim",
        sa.Column("treatment_id", sa.String(36), nullable=False),
        sa.Column("organisation", sa.String(9), nullable=False),
        sa.Column("provider", sa.String(9), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"],
            ["treatment.id"],
            name=op.f("fk_treatment_claim_treatment_id_treatment"),
        ),
        sa.PrimaryKeyConstraint("treatment_id", "organisation", name=op.f("pk_treatment_claim")),
    )
    op.create_index(
        "ix_treatment_claim_provider",
        "treatment_claim",
        ["provider", "at", "treatment_id", "organisation"],
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for statement in (
            "ALTER TABLE begun_answers ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE begun_answers FORCE ROW LEVEL SECURITY",
            "CREATE POLICY begun_answers_organisation ON begun_answers "
            f"USING ({REACHED}) WITH CHECK ({REACHED})",
            "ALTER TABLE treatment_claim ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE treatment_claim FORCE ROW LEVEL SECURITY",
            "CREATE POLICY treatment_claim_read ON treatment_claim "
            f"FOR SELECT USING ({REACHED} OR provider = assent_organisation())",
            "CREATE POLICY treatment_claim_write ON treatment_claim "
            f"USING ({REACHED}) WITH CHECK ({REACHED})",
        ):
            connection.exec_driver_sql(statement)
