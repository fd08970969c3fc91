"""Reminders by e-mail: who asked for them, and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

ID, ORGANISATION = sa.String(length=36), sa.String(length=9)
ADDRESS = sa.String(length=254)
INSTANT = sa.DateTime(timezone=True)
OWN = "assent_is_service() OR organisation = assent_organisation()"


def upgrade() -> None:
    """Add both tables, guarded."""
    op.create_table(
        "reminder_address",
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("address", ADDRESS, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("refused_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_address")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_reminder_address_person_id_person")
        ),
        sa.UniqueConstraint(
            "organisation", "person_id", name=op.f("uq_reminder_address_organisation_person_id")
        ),
    )
    op.create_table(
        "reminder_message",
        sa.Column("id", ID, nullable=False),
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("address", ADDRESS, nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_message")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_reminder_message_person_id_person")
        ),
        sa.UniqueConstraint(
            "organisation",
            "person_id",
            "day",
            name=op.f("uq_reminder_message_organisation_person_id_day"),
        ),
    )
    op.create_index("ix_reminder_message_waiting", "reminder_message", ["state", "due_at"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in ("reminder_address", "reminder_message"):
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_organisation ON {table} USING ({OWN}) WITH CHECK ({OWN})",
        ):
            connection.exec_driver_sql(statement)
