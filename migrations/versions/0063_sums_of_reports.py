"""Sums of the reports over requests: whole past months, and what changed in them since.

The worker sums a month once it is over. From then on a trigger on `request` says what a changed
request counted as before and after, whoever changes it: the release before too. A request that has
just been sent is decided by an update out of the state *new*, which is no change of what counts.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None
oldest = "0056"

ORGANISATION = sa.String(length=9)
OWN = "assent_is_service() OR provider = assent_organisation() OR commissioner = assent_organisation()"
CHANGE = {f"{database}_where": sa.text("change") for database in ("postgresql", "sqlite")}
COLUMNS = (
    "what, at, provider, commissioner, policy, policy_hash, overlay_hash, kind, approved, "
    "product, reason, criterion, relied_on, many, change"
)
#: What a request counts as, once among requests and once for each override of its newest answers.
COUNTED = f"""
INSERT INTO report_sum ({COLUMNS})
SELECT 'requests', {{row}}.submitted_at, {{row}}.provider, {{row}}.commissioner, {{row}}.policy,
    {{row}}.policy_hash, coalesce({{row}}.overlay_hash, ''), {{row}}.kind,
    {{row}}.state = 'approved', coalesce({{row}}.details->>'product', ''),
    coalesce({{row}}.details->>'product_reason', ''), '', FALSE, {{many}}, TRUE
WHERE {{row}}.state NOT IN ('withdrawn', 'entered in error');
INSERT INTO report_sum ({COLUMNS})
SELECT 'overrides', {{row}}.submitted_at, {{row}}.provider, {{row}}.commissioner, {{row}}.policy,
    {{row}}.policy_hash, '', {{row}}.kind, FALSE, '', o.reason, o.criterion, o.relied_on,
    {{many}}, TRUE
FROM request_override o
WHERE o.request_id = {{row}}.id AND o.revision = {{row}}.revision
    AND {{row}}.state NOT IN ('withdrawn', 'entered in error');
"""
BODY = COUNTED.format(row="OLD", many=-1) + COUNTED.format(row="NEW", many=1)
#: When it may count otherwise.
WHEN = """OLD.state <> 'new' AND NEW.kind IN ('initiation', 'continuation', 'switch') AND (
    OLD.state <> NEW.state OR OLD.revision <> NEW.revision
    OR coalesce(OLD.details->>'product', '') <> coalesce(NEW.details->>'product', '')
    OR coalesce(OLD.details->>'product_reason', '') <> coalesce(NEW.details->>'product_reason', '')
    OR OLD.provider <> NEW.provider OR OLD.commissioner <> NEW.commissioner)"""
#: Before its version 3.38 SQLite knows no `->>`.
ON_SQLITE = re.sub(
    r"(\w+\.details)->>'(\w+)'",
    r"json_extract(\1, '$.\2')",
    f"CREATE TRIGGER request_summed AFTER UPDATE ON request WHEN {WHEN} BEGIN {BODY} END",
)
#: Past row-level security: a panel that answers a request counts for others.
ON_POSTGRESQL = (
    "CREATE FUNCTION assent_sum_request() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
    "SET app.organisation = '*' SET search_path = {schema} AS "
    f"$$ BEGIN {BODY} RETURN NULL; END $$",
    f"CREATE TRIGGER request_summed AFTER UPDATE ON request FOR EACH ROW WHEN ({WHEN}) "
    "EXECUTE FUNCTION assent_sum_request()",
    "ALTER TABLE report_sum ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE report_sum FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY report_sum_organisation ON report_sum USING ({OWN}) WITH CHECK ({OWN})",
)


def upgrade() -> None:
    """Add the tables, guard their rows, and let every change of a request say what it counts."""
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "report_sum",
        sa.Column("id", sequence, autoincrement=True, nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", ORGANISATION, nullable=False),
        sa.Column("commissioner", ORGANISATION, nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("policy_hash", sa.String(length=64), nullable=False),
        sa.Column("overlay_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("criterion", sa.String(length=40), nullable=False),
        sa.Column("relied_on", sa.Boolean(), nullable=False),
        sa.Column("many", sa.Integer(), nullable=False),
        sa.Column("change", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_sum")),
    )
    for organisation in ("provider", "commissioner"):
        op.create_index(
            f"ix_report_sum_{organisation}",
            "report_sum",
            [organisation, "what", "policy_hash", "at"],
        )
    op.create_index("ix_report_sum_change", "report_sum", ["id"], **CHANGE)
    op.create_table(
        "report_sum_mark",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_sum_mark")),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql(ON_SQLITE)
        return
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    for statement in ON_POSTGRESQL:
        connection.exec_driver_sql(statement.replace("{schema}", schema))
