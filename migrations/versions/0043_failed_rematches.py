"""Rematches that failed and are tried again, and deltas of lines that corrections add or take."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

TABLE = "slice_delta"
WAS, NOW = (
    ("frozen_id", "standing_id", "row"),
    ("frozen_id", "standing_id", "of_submission", "row", "kind"),
)


def sqlite_triggers() -> list[str]:
    """As in 0032, with the columns that name a row now."""
    refuse = f"SELECT RAISE(ABORT, 'a row of {TABLE} is never changed: no"
    same = " AND ".join(f'"{name}" = NEW."{name}"' for name in NOW)
    return [
        f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE} BEGIN {refuse} UPDATE'); END",
        f"CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE} BEGIN {refuse} DELETE'); END",
        f"CREATE TRIGGER {TABLE}_no_replace BEFORE INSERT ON {TABLE} "
        f"WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id OR ({same})) "
        f"BEGIN {refuse} REPLACE'); END",
    ]


def upgrade() -> None:
    """Add the columns. SQLite makes the table of deltas anew, so its triggers are made anew too."""
    for column in (
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("slice_mark", column)
    connection = op.get_bind()
    postgres = connection.dialect.name == "postgresql"
    if postgres:
        connection.exec_driver_sql("SELECT set_config('app.organisation', '*', true)")
    # Marks that a job has taken up were tried once.
    op.execute("UPDATE slice_mark SET tries = 1 WHERE job_id IS NOT NULL")
    with op.batch_alter_table(TABLE) as batch:
        batch.add_column(
            sa.Column("of_submission", sa.String(36), nullable=False, server_default=sa.text("''"))
        )
        batch.add_column(sa.Column("kind", sa.String(12), nullable=False, server_default="changed"))
        batch.drop_constraint(op.f(f"uq_{TABLE}_{'_'.join(WAS)}"), type_="unique")
        batch.create_unique_constraint(op.f(f"uq_{TABLE}_{'_'.join(NOW)}"), list(NOW))
    if not postgres:
        for statement in sqlite_triggers():
            connection.exec_driver_sql(statement)
    # The index says of no slice yet which drugs are in it, so every policy finds each.
    op.execute(
        "INSERT INTO slice_touch (key, version_id, organisation) "
        "SELECT DISTINCT '*policy', version_id, organisation FROM slice_touch"
    )
    if postgres:
        connection.exec_driver_sql("SELECT set_config('app.organisation', '', true)")
