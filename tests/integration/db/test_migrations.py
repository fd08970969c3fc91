"""The schema's history gives the same tables and triggers on both databases."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.db.tables import metadata
from app.db.upgrade import current, head, upgrade


def test_an_empty_database_is_brought_to_the_head_and_a_second_upgrade_does_nothing(
    empty_engine: sa.Engine,
) -> None:
    assert current(empty_engine) is None
    assert upgrade(empty_engine) == ["0001"]
    assert current(empty_engine) == head() == "0001"
    assert upgrade(empty_engine) == []


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(empty_engine: sa.Engine) -> None:
    upgrade(empty_engine)
    with empty_engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
