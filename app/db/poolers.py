"""A pooler of transactions between the service and PostgreSQL: whether there is one, what it keeps.

Behind one, each transaction may be served by another session, which others use in between: only
what is set for a transaction holds, and a session keeps its locks and settings for whoever is next.
"""

from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import pq

from app.db.errors import PooledConnection

_TRIED: Final = b"assent_tried"
_UNDER_THIS_NAME: Final = (
    "SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'assent_tried')"
)


def is_pooled(driver: psycopg.Connection[Any], session: int) -> bool:
    """Whether the process that serves (`pg_backend_pid()`) is another than was told at connecting.

    PostgreSQL tells its own process; a pooler makes a number up, to be cancelled by.
    """
    return driver.info.backend_pid != session


def carries_statements(driver: psycopg.Connection[Any]) -> bool:
    """Whether a pooler prepares a connection's named statements in whichever session serves it.

    One that does keeps them under names of its own; where ours is found, it was passed on to the
    session and stays there, also for others.
    """
    result = driver.pgconn.exec_(b"BEGIN")
    if result.status == pq.ExecStatus.COMMAND_OK:
        result = driver.pgconn.prepare(_TRIED, b"SELECT 1")
    carried = result.status == pq.ExecStatus.COMMAND_OK
    if carried:
        result = driver.pgconn.exec_(_UNDER_THIS_NAME.encode())
        carried = result.status == pq.ExecStatus.TUPLES_OK and result.get_value(0, 0) == b"f"
        if not carried:
            driver.pgconn.exec_(b"DEALLOCATE assent_tried")
    driver.pgconn.exec_(b"ROLLBACK")
    return carried


def refuse_pooled(connection: sa.Connection, what: str) -> None:
    """Raise PooledConnection where `what`, which needs a session of its own, would go by a pooler.

    SQLite has none.
    """
    if connection.dialect.name != "postgresql":
        return
    driver: Any = connection.connection.driver_connection
    if is_pooled(driver, connection.scalar(sa.select(sa.func.pg_backend_pid())) or 0):
        raise PooledConnection(what)
