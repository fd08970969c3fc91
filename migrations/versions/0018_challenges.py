"""Challenges of lines by a commissioner, and decisions on lines by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
EXACT = sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")
OWN = "(assent_is_service() OR organisation = assent_organisation())"
PAYER = "(assent_is_service() OR commissioner = assent_organisation())"
#: A provider reads and answers a challenge once it is raised, and never a draft.
PARTY = (
    "(assent_is_service() OR commissioner = assent_organisation() "
    "OR (provider = assent_organisation() AND raised_at IS NOT NULL))"
)
REACHES = "assent_reaches_challenge({name}, assent_organisation())"
FUNCTION = """CREATE FUNCTION assent_reaches_challenge(wanted text, own text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET app.organisation = '*' SET search_path = {schema}
    AS $$ SELECT own <> '' AND EXISTS (SELECT 1 FROM challenge c WHERE c.id = wanted
        AND (c.commissioner = own OR (c.provider = own AND c.raised_at IS NOT NULL))) $$"""


def upgrade() -> None:
    """Add the tables, guarded, and let the parties read a challenge's audit events."""
    op.create_table(
        "challenge",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("commissioner", sa.String(9), nullable=False),
        sa.Column("provider", sa.String(9), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("drug", sa.String(60), nullable=True),
        sa.Column("month", sa.String(12), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("queried", EXACT, nullable=False),
        sa.Column("upheld", EXACT, nullable=True),
        sa.Column("respond_by", sa.Date(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("credit_reference", sa.String(60), nullable=True),
        sa.Column("drafted_at", INSTANT, nullable=False),
        sa.Column("drafted_by", sa.String(36), nullable=False),
        sa.Column("raised_at", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("credited_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
            name=op.f("fk_challenge_run_id_reconciliation_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenge")),
    )
    op.create_index(op.f("ix_challenge_run_id"), "challenge", ["run_id"])
    op.create_index("ix_challenge_commissioner", "challenge", ["commissioner", "drafted_at"])
    op.create_index("ix_challenge_provider", "challenge", ["provider", "drafted_at"])
    op.create_table(
        "challenge_line",
        sa.Column("challenge_id", sa.String(36), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("commissioner", sa.String(9), nullable=False),
        sa.Column("line_key", sa.String(80), nullable=False),
        sa.Column("held_key", sa.String(80), nullable=True),
        sa.Column("queried", EXACT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(60), nullable=True),
        sa.Column("reference_told", sa.String(60), nullable=True),
        sa.ForeignKeyConstraint(
            ["challenge_id"],
            ["challenge.id"],
            name=op.f("fk_challenge_line_challenge_id_challenge"),
        ),
        sa.PrimaryKeyConstraint("challenge_id", "row", name=op.f("pk_challenge_line")),
        sa.UniqueConstraint(
            "commissioner", "held_key", name=op.f("uq_challenge_line_commissioner_held_key")
        ),
    )
    op.create_index("ix_challenge_line_key", "challenge_line", ["commissioner", "line_key"])
    op.create_table(
        "line_decision",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("organisation", sa.String(9), nullable=False),
        sa.Column("line_key", sa.String(80), nullable=False),
        sa.Column("held_key", sa.String(80), nullable=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("approval_reference", sa.String(17), nullable=True),
        sa.Column("approval_digest", sa.String(64), nullable=True),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("made_by", sa.String(36), nullable=False),
        sa.Column("role", sa.String(30), nullable=False),
        sa.Column("undone_at", INSTANT, nullable=True),
        sa.Column("undone_by", sa.String(36), nullable=True),
        sa.Column("undone_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
            name=op.f("fk_line_decision_run_id_reconciliation_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_decision")),
        sa.UniqueConstraint(
            "organisation", "held_key", name=op.f("uq_line_decision_organisation_held_key")
        ),
    )
    op.create_index("ix_line_decision_organisation", "line_decision", ["organisation", "made_at"])
    if op.get_bind().dialect.name == "postgresql":
        _guard()


def _guard() -> None:
    connection = op.get_bind()
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    line = REACHES.format(name="challenge_id")
    event = REACHES.format(name="object_id")
    for statement in (
        FUNCTION.format(schema=schema),
        "ALTER TABLE challenge ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE challenge FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY challenge_read ON challenge FOR SELECT USING {PARTY}",
        f"CREATE POLICY challenge_add ON challenge FOR INSERT WITH CHECK {PAYER}",
        f"CREATE POLICY challenge_step ON challenge FOR UPDATE USING {PARTY} WITH CHECK {PARTY}",
        "ALTER TABLE challenge_line ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE challenge_line FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY challenge_line_read ON challenge_line FOR SELECT USING ({PAYER} OR {line})",
        f"CREATE POLICY challenge_line_add ON challenge_line FOR INSERT WITH CHECK {PAYER}",
        f"CREATE POLICY challenge_line_free ON challenge_line FOR UPDATE USING {PAYER} "
        f"WITH CHECK {PAYER}",
        "ALTER TABLE line_decision ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE line_decision FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY line_decision_organisation ON line_decision USING {OWN} WITH CHECK {OWN}",
        "CREATE POLICY audit_event_challenge ON audit_event FOR SELECT "
        f"USING (object_type = 'challenge' AND {event})",
    ):
        connection.exec_driver_sql(statement)
