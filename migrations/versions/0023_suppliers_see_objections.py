"""Let a supplier's own searches know of an objection and of a death, as they do on SQLite.

Without it the database hides both rows from it, and the patient of an objection would be listed.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Policies for reading only, beside those of 0013."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in ("patient_objection", "patient_death"):
        connection.exec_driver_sql(
            f"CREATE POLICY {table}_supply ON {table} FOR SELECT USING (NOT assent_is_service() "
            "AND organisation <> assent_organisation() "
            "AND assent_supplies_patient(patient_id, assent_organisation()))"
        )
