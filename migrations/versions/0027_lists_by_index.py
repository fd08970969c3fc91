"""Indexes along which searches and lists of what waits are read in order, row security included.

On PostgreSQL an index that holds what the policies ask of a row is read alone. The others name a
request's organisation, its state and its treatment, instead of the organisation alone.
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

#: Table → index that stays on its columns → what it holds beside them on PostgreSQL.
COVERING = {
    "segment": {
        ("provider", "treatment_id"): ("commissioner", "id"),
        ("commissioner", "treatment_id"): ("provider", "id"),
    },
    "supply": {("provider", "treatment_id"): ("segment_id",)},
}
ORGANISATIONS = ("provider", "commissioner", "counterparty", "panel")


def upgrade() -> None:
    """Make the indexes, and drop those that they stand for."""
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        for table, indexes in COVERING.items():
            for columns, held in indexes.items():
                name = f"ix_{table}_{columns[0]}_treatment"
                op.drop_index(name, table_name=table)
                op.create_index(name, table, [*columns], postgresql_include=[*held])
    for organisation in ORGANISATIONS:
        columns = [organisation, "state", "treatment_id"]
        op.create_index(f"ix_request_{organisation}_state", "request", columns)
        op.drop_index(f"ix_request_{organisation}", table_name="request")
    op.create_index(
        "ix_request_panel_treatment",
        "request",
        ["panel", "treatment_id"],
        postgresql_include=["provider", "commissioner", "counterparty"],
    )
