"""Seals over the audit log, its epochs, and the id of the key that signed each row.

On PostgreSQL a column with a constant default is added without rewriting the table. Neither
database rebuilds `audit_event`, so its triggers stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns, the tables, and the triggers that keep them."""
    op.add_column(
        "audit_event", sa.Column("epoch", sa.Integer(), nullable=False, server_default="1")
    )
    op.add_column(
        "audit_event", sa.Column("key_id", sa.String(16), nullable=False, server_default="none")
    )
    op.drop_index("ix_audit_event_feed", table_name="audit_event")
    op.create_index("ix_audit_event_feed", "audit_event", ["epoch", "xid", "id"], unique=False)
    create_tables()
    triggers = POSTGRES if op.get_bind().dialect.name == "postgresql" else SQLITE
    for statement in triggers:
        op.get_bind().exec_driver_sql(statement)


def create_tables() -> None:
    """The seals and the epochs."""
    op.create_table(
        "audit_seal",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("from_position", sa.BigInteger(), nullable=False),
        sa.Column("to_position", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("members", sa.Text(), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("sealed_at", INSTANT, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("hmac", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seal")),
    )
    op.create_table(
        "audit_epoch",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("after_event", sa.BigInteger(), nullable=False),
        sa.Column("after_seal", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("hmac", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_epoch")),
    )


def _sqlite(table: str) -> tuple[str, ...]:
    says = f"'{table} is append-only: no "
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, {says}UPDATE'); END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, {says}DELETE'); END",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number) "
        f"BEGIN SELECT RAISE(ABORT, {says}REPLACE'); END",
    )


def _postgres(table: str) -> tuple[str, ...]:
    # audit_event_refuse() of the first revision names the operation it refuses.
    return (
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION audit_event_refuse()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_change",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_truncate",
    )


SQLITE = (*_sqlite("audit_seal"), *_sqlite("audit_epoch"))
POSTGRES = (*_postgres("audit_seal"), *_postgres("audit_epoch"))
