"""Indexes along which a search reads a page: an organisation, then the treatment's id."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the indexes on the organisation alone by those that also hold the treatment's id."""
    for table, column in (("treatment", "id"), ("segment", "treatment_id")):
        for organisation in ("provider", "commissioner"):
            last = column.removesuffix("_id") if table == "segment" else column
            op.create_index(f"ix_{table}_{organisation}_{last}", table, [organisation, column])
            op.drop_index(f"ix_{table}_{organisation}", table_name=table)
