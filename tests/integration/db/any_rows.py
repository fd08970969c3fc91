"""Rows of a released schema, read from the database itself: no table of today's code."""

import datetime as dt
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

NOW = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)


def schema_of(connection: sa.Connection) -> sa.MetaData:
    """The tables as they are there."""
    schema = sa.MetaData()
    schema.reflect(connection)
    return schema


def plain_value(column: sa.Column[Any]) -> object:
    """Something that fits a column which the test does not look at."""
    if isinstance(column.type, sa.DateTime):
        return NOW
    if isinstance(column.type, sa.Date):
        return NOW.date()
    if isinstance(column.type, sa.JSON):
        return []
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.Numeric):
        return Decimal("1.5")
    if isinstance(column.type, sa.LargeBinary):
        return b"x"
    return 1 if isinstance(column.type, sa.Integer) else "x"


def fill_every_table(
    connection: sa.Connection,
    instead: Mapping[str, Mapping[str, object]] | None = None,
    without: Collection[str] = (),
) -> dict[str, list[dict[str, Any]]]:
    """One row in every table that the schema has; returns all rows as they lie there.

    `instead`: of some tables, what stands in some columns.
    """
    for table in schema_of(connection).sorted_tables:
        if table.name != "alembic_version" and table.name not in without:
            values = {c.name: plain_value(c) for c in table.columns if not is_counted(c)}
            values |= (instead or {}).get(table.name, {})
            connection.execute(table.insert().values(**values))
    return all_rows(connection)


def put(connection: sa.Connection, table: sa.Table, **given: object) -> None:
    """A row of what is given, as far as the release has such columns; what must be there, plain."""
    values = {c.name: plain_value(c) for c in table.columns if not c.nullable and not is_counted(c)}
    values |= {name: value for name, value in given.items() if name in table.columns}
    connection.execute(table.insert().values(**values))


def is_counted(column: sa.Column[Any]) -> bool:
    """Whether the database gives the value itself."""
    return column.table.name == "audit_event" and column.name == "id"


def all_rows(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    return {
        table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        for table in schema_of(connection).sorted_tables
        if table.name != "alembic_version"
    }
