"""Ask whether an organisation supplies a row only where nothing cheaper lets it in.

PostgreSQL evaluates the policies of a table in an order of its own: without this, the service's own
work, and a provider's on its own rows, call a function for every row.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_OTHERS = "provider <> assent_organisation() AND commissioner <> assent_organisation()"
#: Table → the rows on which the question is worth asking.
OTHERS = {
    "treatment": _OTHERS,
    "segment": _OTHERS,
    "approval": _OTHERS,
    "patient": "registered_by <> assent_organisation()",
}


def upgrade() -> None:
    """Put the cheap conditions before the look-up."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table, others in OTHERS.items():
        connection.exec_driver_sql(
            f"ALTER POLICY {table}_supply ON {table} USING (NOT assent_is_service() AND {others} "
            f"AND assent_supplies_{table}(id, assent_organisation()))"
        )
