"""Whose a credential is, so that two credentials of one person do not count as two people."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

ID, INSTANT = sa.String(length=36), sa.DateTime(timezone=True)
TABLE = "credential_holder"


def upgrade() -> None:
    """Add the table. It holds no patient, and is read before an organisation is known."""
    op.create_table(
        TABLE,
        sa.Column("id", ID, nullable=False),
        sa.Column("credential", ID, nullable=False),
        sa.Column("standing", ID, nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("tied_at", INSTANT, nullable=False),
        sa.Column("tied_by", sa.String(length=120), nullable=False),
        sa.Column("untied_at", INSTANT, nullable=True),
        sa.Column("untied_by", sa.String(length=120), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f(f"fk_{TABLE}_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("standing", name=op.f(f"uq_{TABLE}_standing")),
    )
    op.create_index(op.f(f"ix_{TABLE}_person_id"), TABLE, ["person_id"])
