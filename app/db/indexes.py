"""Indexes on tables that are there already, made while a service writes: for revisions.

From revision 0057 on `migrations/versions` makes an index on an existing table by `build_index` and
no other way, and a revision that does so does nothing else: its steps are not one transaction
(ADR 91). What these functions do may not change: released revisions call them.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op

#: How long PostgreSQL may wait for transactions older than the index. Nobody queues behind this
#: wait, but a transaction that is left open must not hold the upgrade for ever.
INDEX_SECONDS = 600
_FOUND: Final = sa.text(
    "SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass(:name) "
    "AND i.indrelid = to_regclass(:table)"
)


def build_index(
    name: str,
    table: str,
    columns: Sequence[str],
    *,
    where: str | None = None,
    include: Sequence[str] = (),
) -> None:
    """Make an index on a table that holds rows: CONCURRENTLY on PostgreSQL, plainly on SQLite.

    `include`: what PostgreSQL keeps beside the columns, so that the index is read alone.
    Safe to run again after a break: one that is whole is left, one that is not is made anew.
    """
    condition = None if where is None else sa.text(where)
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, columns, sqlite_where=condition)
        return
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        before = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
        connection.exec_driver_sql(f"SET lock_timeout = '{INDEX_SECONDS}s'")
        whole = connection.execute(_FOUND, {"name": name, "table": table}).scalar()
        if whole is False:
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
        if not whole:
            op.create_index(
                name,
                table,
                columns,
                postgresql_where=condition,
                postgresql_include=list(include),
                postgresql_concurrently=True,
            )
        connection.exec_driver_sql(f"SET lock_timeout = '{before}'")
