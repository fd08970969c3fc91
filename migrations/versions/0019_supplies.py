"""Who supplies a treatment for its provider: to be looked up, and let in to that part alone."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.String(length=36)
#: What a segment in force lets its supplier reach, by the column that names it. Read only.
FUNCTION = """CREATE FUNCTION assent_supplies_{kind}(wanted text, own text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT own <> '' AND EXISTS (
        SELECT 1 FROM supply u JOIN segment s ON s.id = u.segment_id
        WHERE {column} = wanted AND u.provider = own AND s.superseded_at IS NULL) $$"""
BY_COLUMN = {"treatment": "u.treatment_id", "segment": "u.segment_id", "approval": "s.approval_id"}
OF_PATIENT = """CREATE FUNCTION assent_supplies_patient(wanted text, own text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT own <> '' AND EXISTS (
        SELECT 1 FROM assent_same_person(wanted) same JOIN treatment t ON t.patient_id = same
        WHERE assent_supplies_treatment(t.id, own)) $$"""
PARTY = (
    "assent_is_service() OR provider = assent_organisation() "
    "OR assent_reaches_treatment(treatment_id, assent_organisation())"
)


def upgrade() -> None:
    """Add the table, fill it from the segments, and on PostgreSQL guard it."""
    op.create_table(
        "supply",
        sa.Column("segment_id", ID, nullable=False),
        sa.Column("provider", sa.String(length=9), nullable=False),
        sa.Column("treatment_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["segment_id"], ["segment.id"], name=op.f("fk_supply_segment_id_segment")
        ),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatment.id"], name=op.f("fk_supply_treatment_id_treatment")
        ),
        sa.PrimaryKeyConstraint("segment_id", "provider", name=op.f("pk_supply")),
    )
    op.create_index("ix_supply_provider_treatment", "supply", ["provider", "treatment_id"])
    op.create_index("ix_supply_treatment_id", "supply", ["treatment_id"])
    connection = op.get_bind()
    postgres = connection.dialect.name == "postgresql"
    each = (
        "jsonb_array_elements_text(CAST(s.supplying_providers AS jsonb)) AS e(value)"
        if postgres
        else "json_each(s.supplying_providers) AS e"
    )
    connection.exec_driver_sql(
        "INSERT INTO supply (segment_id, provider, treatment_id) "
        f"SELECT DISTINCT s.id, e.value, s.treatment_id FROM segment s, {each}"
    )
    if postgres:
        _guard(connection)


def _guard(connection: sa.Connection) -> None:
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    own = "assent_organisation()"
    statements = [
        "ALTER TABLE supply ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE supply FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY supply_organisation ON supply USING ({PARTY}) WITH CHECK ({PARTY})",
    ]
    statements += [
        FUNCTION.format(kind=kind, column=column, schema=schema)
        for kind, column in BY_COLUMN.items()
    ]
    statements.append(OF_PATIENT.format(schema=schema))
    statements += [
        f"CREATE POLICY {table}_supply ON {table} FOR SELECT "
        f"USING (assent_supplies_{table}(id, {own}))"
        for table in (*BY_COLUMN, "patient")
    ]
    for statement in statements:
        connection.exec_driver_sql(statement)
