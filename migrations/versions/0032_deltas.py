"""Runs that stand, slices that are out of date, and deltas of frozen months."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

ID, ORGANISATION = sa.String(length=36), sa.String(length=9)
INSTANT = sa.DateTime(timezone=True)
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWN = "(assent_is_service() OR organisation = assent_organisation())"
#: Tables whose rows are never changed, and what names a row of them beside its id.
ADDED_TO = {
    "slice_frozen": ("version_id", "freeze"),
    "slice_delta": ("frozen_id", "standing_id", "row"),
}
GUARDED = ("run_standing", "slice_touch", "slice_mark", "slice_frozen", "slice_delta")


def exact() -> Any:
    """An exact decimal: text on SQLite, which would keep it as a binary fraction."""
    return sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")


def needed(name: str, kind: Any) -> sa.Column[Any]:
    """A column that is always filled."""
    return sa.Column(name, kind, nullable=False)


def free(name: str, kind: Any) -> sa.Column[Any]:
    """A column that may be empty."""
    return sa.Column(name, kind, nullable=True)


def refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    """A column that names a row of another table."""
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"))


def sqlite_triggers(table: str, names: tuple[str, ...]) -> list[str]:
    """What refuses to change a row, take it away, or put another in its place."""
    refuse = f"SELECT RAISE(ABORT, 'a row of {table} is never changed: no"
    same = " AND ".join(f'"{name}" = NEW."{name}"' for name in names)
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} BEGIN {refuse} UPDATE'); END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN {refuse} DELETE'); END",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id OR ({same})) "
        f"BEGIN {refuse} REPLACE'); END",
    ]


def postgres_triggers(table: str) -> list[str]:
    """The same. ENABLE ALWAYS: session_replication_role = replica would pass them by."""
    return [
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION 'a row of {table} is never changed: no %%', TG_OP "
        "USING ERRCODE = 'insufficient_privilege'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_change",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_truncate",
    ]


def upgrade() -> None:
    """Add the tables, then guard them."""
    _runs()
    _marks()
    _deltas()
    op.create_table(
        "change_cursor",
        needed("name", ID),
        needed("position", sa.String(80)),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_change_cursor")),
    )
    connection = op.get_bind()
    postgres = connection.dialect.name == "postgresql"
    for table, names in ADDED_TO.items():
        for statement in postgres_triggers(table) if postgres else sqlite_triggers(table, names):
            connection.exec_driver_sql(statement)
    if not postgres:
        return
    for table in GUARDED:
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_organisation ON {table} USING {OWN} WITH CHECK {OWN}",
        ):
            connection.exec_driver_sql(statement)


def _runs() -> None:
    table = "run_standing"
    op.create_table(
        table,
        needed("id", ID),
        needed("organisation", ORGANISATION),
        needed("submission_id", ID),
        needed("number", sa.Integer()),
        needed("run_id", ID),
        needed("role", sa.String(30)),
        needed("position", sa.String(80)),
        needed("looked_at", INSTANT),
        needed("stood_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        refers(table, "submission_id", "submission"),
        refers(table, "run_id", "reconciliation_run"),
        sa.UniqueConstraint(
            "submission_id", "number", name=op.f(f"uq_{table}_submission_id_number")
        ),
    )
    op.create_index(op.f("ix_run_standing_run_id"), table, ["run_id"])


def _marks() -> None:
    op.create_table(
        "slice_touch",
        needed("key", sa.String(32)),
        needed("version_id", ID),
        needed("organisation", ORGANISATION),
        sa.PrimaryKeyConstraint("key", "version_id", name=op.f("pk_slice_touch")),
        refers("slice_touch", "version_id", "slice_version"),
    )
    op.create_index(op.f("ix_slice_touch_version_id"), "slice_touch", ["version_id"])
    table = "slice_mark"
    op.create_table(
        table,
        needed("id", ID),
        needed("organisation", ORGANISATION),
        needed("version_id", ID),
        needed("submission_id", ID),
        free("event_id", SEQUENCE),
        needed("action", sa.String(60)),
        needed("changed_at", INSTANT),
        free("treatment_id", ID),
        free("line_key", sa.String(80)),
        needed("marked_at", INSTANT),
        free("job_id", ID),
        free("settled_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        refers(table, "version_id", "slice_version"),
        refers(table, "submission_id", "submission"),
        refers(table, "job_id", "job"),
        sa.UniqueConstraint(
            "version_id",
            "event_id",
            "treatment_id",
            name=op.f(f"uq_{table}_version_id_event_id_treatment_id"),
        ),
    )
    op.create_index("ix_slice_mark_submission", table, ["submission_id", "settled_at"])
    op.create_index("ix_slice_mark_open", table, ["settled_at", "job_id"])


def _deltas() -> None:
    table = "slice_frozen"
    op.create_table(
        table,
        needed("id", ID),
        needed("organisation", ORGANISATION),
        needed("version_id", ID),
        needed("freeze", sa.Date()),
        needed("run_id", ID),
        needed("lines", sa.Integer()),
        *(needed(name, exact()) for name in ("total", "accepted", "queried")),
        needed("made_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        refers(table, "version_id", "slice_version"),
        refers(table, "run_id", "reconciliation_run"),
        sa.UniqueConstraint("version_id", "freeze", name=op.f(f"uq_{table}_version_id_freeze")),
    )
    table = "slice_delta"
    sums = ("accepted_was", "accepted", "accepted_more", "queried_was", "queried", "queried_more")
    op.create_table(
        table,
        needed("id", ID),
        needed("organisation", ORGANISATION),
        needed("frozen_id", ID),
        needed("standing_id", ID),
        needed("row", sa.Integer()),
        needed("line_key", sa.String(80)),
        needed("outcome_was", sa.String(40)),
        needed("outcome", sa.String(40)),
        *(needed(name, exact()) for name in sums),
        needed("reason", sa.Text()),
        free("treatment_id", ID),
        free("reference", sa.String(60)),
        free("cause", sa.String(60)),
        free("cause_at", INSTANT),
        free("cause_event", SEQUENCE),
        needed("made_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        refers(table, "frozen_id", "slice_frozen"),
        refers(table, "standing_id", "run_standing"),
        sa.UniqueConstraint(
            "frozen_id", "standing_id", "row", name=op.f(f"uq_{table}_frozen_id_standing_id_row")
        ),
    )
