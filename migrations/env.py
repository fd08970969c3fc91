"""Alembic's environment: the caller's connection, or the database that the settings name."""

import sqlalchemy as sa
from alembic import context

from app.db.engine import make_engine
from app.db.tables import metadata
from app.db.upgrade import keep_release
from app.settings import Settings


def run(connection: sa.Connection) -> None:
    """Run the revisions asked for (`app.db.upgrade` asks for one at a time) in a transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
        transactional_ddl=True,
        on_version_apply=keep_release,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with make_engine(Settings().database_url).connect() as opened:
        run(opened)
