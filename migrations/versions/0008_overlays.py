"""Commissioners' overlays: their texts, and the one that a request was decided under."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Written out here, so that this revision stays what it was when app/db/types.py moves on.
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table and the column. Requests made before hold null there: none had an overlay."""
    op.create_table(
        "policy_overlay",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("commissioner", sa.String(length=9), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("resolved", sa.Text(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_policy_overlay")),
        sa.UniqueConstraint(
            "policy",
            "commissioner",
            "from_day",
            name=op.f("uq_policy_overlay_policy_commissioner_from_day"),
        ),
    )
    op.add_column("request", sa.Column("overlay_hash", sa.String(length=64), nullable=True))
    guard_overlays()


def guard_overlays() -> None:
    """Refuse every change to an overlay's text: decisions rest on it."""
    postgres = op.get_bind().dialect.name == "postgresql"
    for statement in POSTGRES_TRIGGERS if postgres else SQLITE_TRIGGERS:
        op.get_bind().exec_driver_sql(statement)


SQLITE_TRIGGERS = (
    """CREATE TRIGGER policy_overlay_no_update BEFORE UPDATE ON policy_overlay
    BEGIN SELECT RAISE(ABORT, 'an overlay is never changed: no UPDATE'); END""",
    """CREATE TRIGGER policy_overlay_no_delete BEFORE DELETE ON policy_overlay
    BEGIN SELECT RAISE(ABORT, 'an overlay is never changed: no DELETE'); END""",
    """CREATE TRIGGER policy_overlay_no_replace BEFORE INSERT ON policy_overlay
    WHEN EXISTS (SELECT 1 FROM policy_overlay WHERE hash = NEW.hash AND resolved <> NEW.resolved)
      OR EXISTS (SELECT 1 FROM policy_overlay WHERE policy = NEW.policy
                 AND commissioner = NEW.commissioner AND from_day = NEW.from_day
                 AND hash <> NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'an overlay is never changed: no REPLACE'); END""",
)

# ENABLE ALWAYS: otherwise session_replication_role = replica would pass them by.
POSTGRES_TRIGGERS = (
    """CREATE FUNCTION policy_overlay_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'an overlay is never changed: no %%', TG_OP
        USING ERRCODE = 'insufficient_privilege'; END $$""",
    """CREATE TRIGGER policy_overlay_no_change BEFORE UPDATE OR DELETE ON policy_overlay
    FOR EACH ROW EXECUTE FUNCTION policy_overlay_refuse()""",
    """CREATE TRIGGER policy_overlay_no_truncate BEFORE TRUNCATE ON policy_overlay
    FOR EACH STATEMENT EXECUTE FUNCTION policy_overlay_refuse()""",
    "ALTER TABLE policy_overlay ENABLE ALWAYS TRIGGER policy_overlay_no_change",
    "ALTER TABLE policy_overlay ENABLE ALWAYS TRIGGER policy_overlay_no_truncate",
)
