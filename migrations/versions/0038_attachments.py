"""Files attached to requests, such as the case for individual funding."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

TABLE = "request_attachment"
ID, ORGANISATION = sa.String(length=36), sa.String(length=9)
INSTANT = sa.DateTime(timezone=True)
#: The provider's own; who else reaches the request reads those that it shared.
WRITE = "organisation = assent_organisation()"
READ = f"{WRITE} OR (shared AND assent_reaches_request(request_id, assent_organisation()))"


def upgrade() -> None:
    """Add the table, guarded."""
    op.create_table(
        TABLE,
        sa.Column("id", ID, nullable=False),
        sa.Column("request_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("added_by", ID, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.Column("removed_by", ID, nullable=True),
        sa.Column("removed_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_request_attachment_request_id_request")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_attachment")),
        sa.UniqueConstraint(
            "request_id",
            "organisation",
            "number",
            name=op.f("uq_request_attachment_request_id_organisation_number"),
        ),
    )
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
