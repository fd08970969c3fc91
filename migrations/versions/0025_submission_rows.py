"""The rows of a submission as they were read: a Parquet file beside the bytes, by its digest."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ID = sa.String(length=36)
#: The condition of row-level security: each organisation its own, as with submissions.
OWN = "assent_is_service() OR organisation = assent_organisation()"


def upgrade() -> None:
    """Add the table, then guard it."""
    op.create_table(
        "submission_rows",
        sa.Column("submission_id", ID, nullable=False),
        sa.Column("intake_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_submission_rows_submission_id_submission"),
        ),
        sa.PrimaryKeyConstraint("submission_id", "intake_version", name=op.f("pk_submission_rows")),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        "ALTER TABLE submission_rows ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE submission_rows FORCE ROW LEVEL SECURITY",
        "CREATE POLICY submission_rows_organisation ON submission_rows "
        f"USING ({OWN}) WITH CHECK ({OWN})",
    ):
        connection.exec_driver_sql(statement)
