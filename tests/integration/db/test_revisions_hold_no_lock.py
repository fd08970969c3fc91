"""From revision 0057 on none holds a table for as long as it is large: PostgreSQL is looked at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from app.db import upgrade as upgrading
from app.db.upgrade import upgrade
from tests.conftest import _empty
from tests.integration.db.lock_rules import faults
from tests.integration.db.test_migrations import HISTORY
from tests.later import history_with

pytestmark = pytest.mark.postgres
#: The last revision that was released before the rule.
BEFORE = "0056"
BUILDS = 'from app.db.indexes import build_index\n    build_index("ix_late", "request", ["state"])'
#: What a revision does → what is said of it. The last two are good.
DOES = {
    'op.create_index("ix_a", "request", ["state"])': "makes an index",
    'op.create_unique_constraint("uq_a", "request", ["id", "state"])': "adds a constraint",
    'op.create_check_constraint("ck_a", "request", "state <> \'\'")': "adds a constraint",
    'op.execute("ALTER TABLE request ADD COLUMN a text REFERENCES patient (id)")': "with a con",
    'op.alter_column("request", "policy_hash", nullable=False)': "reads the whole table",
    'op.alter_column("request", "route", type_=sa.Text())': "changes a column's type",
    'op.execute("UPDATE request SET state = state")': "writes every row",
    'op.execute("LOCK TABLE request IN SHARE MODE")': "locks the table",
    'op.add_column("request", sa.Column("b", sa.String(), server_default=sa.text('
    '"gen_random_uuid()::text")))': "was rewritten",
    f'op.add_column("request", sa.Column("c", sa.String()))\n    {BUILDS}': "of its own",
    'op.create_table("late", sa.Column("id", sa.String(), primary_key=True))\n'
    '    op.create_index("ix_late_id", "late", ["id"])': None,
    'op.add_column("request", sa.Column("d", sa.String()))': None,
}


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    for engine in _empty(request, "postgres", tmp_path):
        upgrade(engine, BEFORE)
        yield engine


def test_no_revision_holds_a_table_that_is_there(postgres: sa.Engine) -> None:
    later = HISTORY[HISTORY.index(BEFORE) + 1 :]
    assert later
    for revision in later:
        assert _looked_at(postgres, revision) == [], revision


def test_each_way_to_hold_a_table_is_found(
    postgres: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(postgres)
    later = {str(9001 + n): does for n, does in enumerate(DOES)}
    monkeypatch.setattr(upgrading, "MIGRATIONS", history_with(tmp_path / "later", later))
    for revision, does in later.items():
        found, expected = _looked_at(postgres, revision), DOES[does]
        if expected is None:
            assert found == [], does
        else:
            assert any(expected in each for each in found), (does, found)


def _looked_at(engine: sa.Engine, revision: str) -> list[str]:
    """Apply one revision, and say what it holds: by its statements, and by tables made anew."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    before = _files(engine)
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert upgrade(engine, revision) == [revision]
    finally:
        event.remove(engine, "before_cursor_execute", note)
    after = _files(engine)
    rewritten = [f"{name}: was rewritten" for name in before if after.get(name) != before[name]]
    return faults(statements, before.keys()) + rewritten


def _files(engine: sa.Engine) -> dict[str, int]:
    """Each table and the file that it lies in: a rewrite gives it another."""
    query = (
        "SELECT relname, relfilenode FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    with engine.connect() as connection:
        return {row.relname: row.relfilenode for row in connection.exec_driver_sql(query)}
