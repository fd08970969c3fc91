"""Alembic's environment: the caller's connection, or the database that the settings name."""

import sqlalchemy as sa
from alembic import context

from app.db.engine import make_engine
from app.db.tables import metadata
from app.settings import Settings


def run(connection: sa.Connection) -> None:
    """Run the migrations inside the caller's transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with make_engine(Settings().database_url).begin() as opened:
        run(opened)
