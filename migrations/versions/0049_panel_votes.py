"""What members of a panel say before two agree, where the policy asks for two."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

TABLE = "panel_vote"
ID, ORGANISATION = sa.String(length=36), sa.String(length=9)
INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
#: The panel's own; who else reaches the request reads the votes that became a decision.
WRITE = "organisation = assent_organisation()"
READ = (
    f"{WRITE} OR (decision_id IS NOT NULL "
    "AND assent_reaches_request(request_id, assent_organisation()))"
)


def upgrade() -> None:
    """Add the table, guarded, and the column. Decisions made before needed one member."""
    op.create_table(
        TABLE,
        sa.Column("id", ID, nullable=False),
        sa.Column("request_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("waived", DOCUMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("interest", sa.String(length=20), nullable=True),
        sa.Column("voted_at", INSTANT, nullable=False),
        sa.Column("voted_by", ID, nullable=False),
        sa.Column("decision_id", ID, nullable=True),
        sa.Column("doses_given", DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_panel_vote_request_id_request")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_panel_vote_decision_id_decision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_vote")),
        sa.UniqueConstraint(
            "request_id",
            "organisation",
            "number",
            name=op.f("uq_panel_vote_request_id_organisation_number"),
        ),
    )
    op.create_index("ix_panel_vote_voted", TABLE, ["organisation", "voted_at"])
    op.add_column("decision", sa.Column("agreed_with", ID, nullable=True))
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
