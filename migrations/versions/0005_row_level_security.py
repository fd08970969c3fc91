"""Row-level security: on PostgreSQL every row of an organisation is hidden from the others.

The service names its organisation in the setting `app.organisation` of each transaction; "*" is
the service's own work. FORCE makes the policies hold for the tables' owner too; the service runs
as a role that owns nothing (`assent db grant`). What a rule must know of the whole database, it
asks inside `Work.beyond_scope`.

SQLite has no such thing: there the stores' own conditions are the only wall.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: Who reaches a row, by its own columns and by the objects that it belongs to.
OWN = "organisation = assent_organisation()"
TREATED = (
    "provider = assent_organisation() OR commissioner = assent_organisation() "
    "OR assent_reaches_treatment({treatment}, assent_organisation())"
)
ASKED = (
    "provider = assent_organisation() OR commissioner = assent_organisation() "
    "OR panel = assent_organisation() OR counterparty = assent_organisation() "
    "OR assent_reaches_treatment(treatment_id, assent_organisation())"
)
POLICIES = {
    "treatment": TREATED.format(treatment="id"),
    "approval": TREATED.format(treatment="treatment_id"),
    "segment": TREATED.format(treatment="treatment_id"),
    "request": ASKED,
    "live_treatment": "assent_reaches_treatment(treatment_id, assent_organisation())",
    "request_override": "assent_reaches_request(request_id, assent_organisation())",
    "request_revision": "assent_reaches_request(request_id, assent_organisation())",
    "decision": "assent_reaches_request(request_id, assent_organisation())",
    "patient": "registered_by = assent_organisation() "
    "OR assent_reaches_patient(id, assent_organisation())",
    "patient_identifier": f"{OWN} OR assent_reaches_patient(patient_id, assent_organisation())",
    "patient_link": "assent_reaches_patient(patient_id, assent_organisation())",
    "care_declaration": OWN,
    "approval_import": OWN,
    "idempotent_answer": OWN,
    "job": OWN,
    "submission": OWN,
    "reconciliation_run": OWN,
}
#: Written by whoever acts, for any object; read only by those who reach what it tells of.
READ = {
    "audit_event": f"{OWN} OR assent_reaches_treatment(treatment_id, assent_organisation())",
    "audit_payload": f"{OWN} OR assent_reaches_patient(patient_id, assent_organisation())",
}

# Each looks past the policies (they would call one another for ever), so each is told for whom.
FUNCTIONS = (
    """CREATE FUNCTION assent_organisation() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT coalesce(current_setting('app.organisation', true), '') $$""",
    """CREATE FUNCTION assent_is_service() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT coalesce(current_setting('app.organisation', true), '') = '*' $$""",
    """CREATE FUNCTION assent_reaches_treatment(wanted text, own text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT own <> '' AND (
        EXISTS (SELECT 1 FROM treatment t WHERE t.id = wanted
                AND own IN (t.provider, t.commissioner))
        OR EXISTS (SELECT 1 FROM segment s WHERE s.treatment_id = wanted
                   AND own IN (s.provider, s.commissioner))
        OR EXISTS (SELECT 1 FROM request r WHERE r.treatment_id = wanted
                   AND own IN (r.provider, r.commissioner, r.panel, r.counterparty))) $$""",
    """CREATE FUNCTION assent_reaches_request(wanted text, own text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT own <> '' AND EXISTS (SELECT 1 FROM request r WHERE r.id = wanted
        AND (own IN (r.provider, r.commissioner, r.panel, r.counterparty)
             OR assent_reaches_treatment(r.treatment_id, own))) $$""",
    # The records that stand for one person: this one, the one it is linked to, those linked to it.
    """CREATE FUNCTION assent_same_person(wanted text) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT wanted
        UNION SELECT p.linked_to FROM patient p WHERE p.id = wanted AND p.linked_to IS NOT NULL
        UNION SELECT s.id FROM patient s WHERE s.linked_to = wanted
        UNION SELECT s.id FROM patient p JOIN patient s ON s.linked_to = p.linked_to
              WHERE p.id = wanted $$""",
    """CREATE FUNCTION assent_reaches_patient(wanted text, own text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT own <> '' AND (
        EXISTS (SELECT 1 FROM patient p WHERE p.id = wanted AND p.registered_by = own)
        OR EXISTS (SELECT 1 FROM assent_same_person(wanted) same
                   JOIN patient_identifier i ON i.patient_id = same AND i.organisation = own)
        OR EXISTS (SELECT 1 FROM assent_same_person(wanted) same
                   JOIN treatment t ON t.patient_id = same
                   WHERE assent_reaches_treatment(t.id, own))) $$""",
    # The number of an object's next event counts everybody's events.
    """CREATE FUNCTION assent_next_event_number(kind text, name text) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT coalesce(max(object_number), 0) + 1 FROM audit_event
          WHERE object_type = kind AND object_id = name $$""",
)


def upgrade() -> None:
    """Make the functions, then guard each table."""
    # Whose act a payload tells of; null for those of the release before, which name no patient.
    op.add_column("audit_payload", sa.Column("organisation", sa.String(9), nullable=True))
    op.create_index("ix_patient_linked_to", "patient", ["linked_to"], unique=False)
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    for function in FUNCTIONS:
        connection.exec_driver_sql(function.format(schema=schema))
    for table, condition in POLICIES.items():
        _guard(table)
        connection.exec_driver_sql(
            f"CREATE POLICY {table}_organisation ON {table} "
            f"USING (assent_is_service() OR {condition}) "
            f"WITH CHECK (assent_is_service() OR {condition})"
        )
    for table, condition in READ.items():
        _guard(table)
        for statement in (
            f"CREATE POLICY {table}_read ON {table} FOR SELECT "
            f"USING (assent_is_service() OR {condition})",
            f"CREATE POLICY {table}_add ON {table} FOR INSERT WITH CHECK (true)",
            f"CREATE POLICY {table}_erase ON {table} FOR UPDATE USING (assent_is_service())",
        ):
            connection.exec_driver_sql(statement)


def _guard(table: str) -> None:
    op.get_bind().exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.get_bind().exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
