"""The order in which an organisation's submissions were accepted."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

#: Those of before, in the order of their receipt.
NUMBER = """
UPDATE submission SET number = (
    SELECT count(*) FROM submission AS other
    WHERE other.organisation = submission.organisation
        AND (other.received_at < submission.received_at
            OR (other.received_at = submission.received_at AND other.id <= submission.id))
)
"""


def upgrade() -> None:
    """Number the submissions of each organisation, from 1."""
    connection = op.get_bind()
    on_postgres = connection.dialect.name == "postgresql"
    op.add_column("submission", sa.Column("number", sa.Integer(), nullable=True))
    if on_postgres:  # the rows of every organisation
        connection.exec_driver_sql("SELECT set_config('app.organisation', '*', true)")
    connection.exec_driver_sql(NUMBER)
    if on_postgres:
        connection.exec_driver_sql("SELECT set_config('app.organisation', '', true)")
    op.create_index(
        "ix_submission_organisation_number", "submission", ["organisation", "number"], unique=True
    )
