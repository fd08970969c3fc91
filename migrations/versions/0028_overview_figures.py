"""Figures of the overviews, which the worker keeps: each commissioner's own."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ORGANISATION = sa.String(length=9)
#: The condition of row-level security: each commissioner its own.
OWN = "assent_is_service() OR commissioner = assent_organisation()"


def upgrade() -> None:
    """Add the table, then guard it."""
    exact = sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")
    op.create_table(
        "insight_figure",
        sa.Column("commissioner", ORGANISATION, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("provider", ORGANISATION, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("amount", exact, nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "commissioner", "name", "provider", "month", name=op.f("pk_insight_figure")
        ),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        "ALTER TABLE insight_figure ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE insight_figure FORCE ROW LEVEL SECURITY",
        "CREATE POLICY insight_figure_organisation ON insight_figure "
        f"USING ({OWN}) WITH CHECK ({OWN})",
    ):
        connection.exec_driver_sql(statement)
