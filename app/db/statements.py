"""Statements of the paths that are walked most, sent to the driver by the shortest way.

SQLAlchemy writes each statement's text and converts its values, as everywhere; what is saved is
what it does again at each execution, which costs more than SQLite takes to answer, and, on
PostgreSQL, a wait for each: what does not depend on an answer goes with the next that does, in one
round trip (libpq's pipeline). The database still gets the same statements in the same order.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
Row = dict[str, Any]
_Convert = Callable[[Any], Any]
_POSTGRES: Final = "postgresql"


class Statement:
    """A statement with bound parameters, made once; an INSERT, for the columns it is first sent.

    Parameters that expand (`IN`) are not for this. `by_json` sends the rows of an INSERT to
    PostgreSQL as one JSON text, so as one statement: for tables of texts, numbers and instants.
    """

    def __init__(self, made: sa.Executable, *, by_json: bool = False) -> None:
        self._made = made
        self._by_json = by_json
        self._for: dict[str, _Prepared] = {}

    def prepared(self, dialect: sa.Dialect, values: Values) -> "_Prepared":
        """Its text and the conversions of its values for a database."""
        found = self._for.get(dialect.name)
        if found is None:
            by_json = self._by_json and dialect.name == _POSTGRES
            made = _from_json(self._made, values) if by_json else self._made
            found = self._for[dialect.name] = replace(
                _prepare(made, dialect, values), by_json=by_json
            )
        return found


@dataclass(slots=True)
class Sending:
    """A statement on its way, once for each of `values`; if it asks, `rows` are its answer."""

    statement: Statement
    values: Sequence[Values]
    asked: bool
    rows: list[Row] | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    text: str
    #: Its parameters, and those whose values are converted first, with what does that.
    names: frozenset[str]
    converts: tuple[tuple[str, _Convert], ...]
    #: Values that are part of the statement, such as a limit.
    fixed: Values
    #: The order of a driver that takes values by place; None: it takes them by name.
    order: tuple[str, ...] | None
    #: A column of the answer and what converts it; None: as the driver names and gives it.
    reads: tuple[tuple[str, _Convert | None], ...] | None
    #: Whether it takes all its rows as one JSON text.
    by_json: bool = False

    def bound(self, values: Values) -> Any:
        """The values as the driver takes them. Raises ValueError for more or fewer than it has."""
        bound = {**self.fixed, **values}
        if bound.keys() != self.names:
            raise ValueError("these values are not those of the statement")
        for name, convert in self.converts:
            bound[name] = convert(bound[name])
        return bound if self.order is None else [bound[name] for name in self.order]

    def rows(self, cursor: Any) -> list[Row]:
        """The answer, row by row."""
        if self.reads is None:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return [
            {
                name: value if convert is None else convert(value)
                for (name, convert), value in zip(self.reads, row, strict=True)
            }
            for row in cursor.fetchall()
        ]


def send(connection: sa.Connection, waiting: Sequence[Sending]) -> None:
    """Send statements in their order; each one's answer is in its `rows` afterwards.

    An error of the database is raised as `Connection.execute` would raise it, and ends the
    transaction: what came after it in `waiting` was not carried out.
    """
    driver: Any = connection.connection.driver_connection
    dialect = connection.dialect
    error: type[Exception] = dialect.loaded_dbapi.Error
    listeners = list(connection.dispatch.before_cursor_execute)
    sent: list[tuple[Sending, _Prepared, Any]] = []
    writing: Any = None  # one cursor for all that nobody asks the answer of
    try:
        # One alone needs no pipeline; SQLite has none, and needs none.
        together = dialect.name == _POSTGRES and (len(waiting) > 1 or len(waiting[0].values) > 1)
        with driver.pipeline() if together else nullcontext():
            for each in waiting:
                prepared = each.statement.prepared(dialect, each.values[0])
                if each.asked or writing is None:
                    cursor = driver.cursor()
                    writing = writing if each.asked else cursor
                else:
                    cursor = writing
                sent.append((each, prepared, cursor))
                for listener in listeners:
                    listener(connection, cursor, prepared.text, None, None, len(each.values) > 1)
                _execute(cursor, prepared, each.values)
        for each, prepared, cursor in sent:
            if each.asked:
                each.rows = prepared.rows(cursor)
            cursor.close()
    except error as raised:
        _raise(connection, raised, sent[-1][1].text)


def _execute(cursor: Any, prepared: _Prepared, values: Sequence[Values]) -> None:
    if len(values) > 1 and prepared.order is not None:
        cursor.executemany(prepared.text, [prepared.bound(each) for each in values])
        return
    if prepared.by_json:
        values = ({"rows": json.dumps(values, default=str)},)
    for each in values:
        cursor.execute(prepared.text, prepared.bound(each))


def _raise(connection: sa.Connection, raised: Exception, text: str) -> NoReturn:
    """Let SQLAlchemy do what it does with a driver's error.

    It tells the engine's listeners (which cut patients' values from the message), drops the
    connections of a database that is gone, and raises its own exception. No values are passed on.
    """
    connection._handle_dbapi_exception(raised, text, None, None, None)


def _prepare(made: sa.Executable, dialect: sa.Dialect, values: Values) -> _Prepared:
    columns = list(values) if isinstance(made, sa.Insert) else None
    compiled = made.compile(dialect=dialect, column_keys=columns)  # type: ignore[attr-defined]
    assert isinstance(compiled, SQLCompiler)
    bound = {name: parameter for parameter, name in compiled.bind_names.items()}
    converts = {name: _to(each.type, dialect) for name, each in bound.items()}
    return _Prepared(
        text=str(compiled),
        names=frozenset(bound),
        converts=tuple((name, each) for name, each in converts.items() if each is not None),
        fixed={name: each.effective_value for name, each in bound.items() if not each.required},
        order=tuple(compiled.positiontup or ()) if compiled.positional else None,
        reads=_reads(made, dialect),
    )


def _from_json(made: sa.Executable, values: Values) -> sa.TextClause:
    """The INSERT of the rows of a JSON text, whose types are those of the table's columns."""
    assert isinstance(made, sa.Insert)
    table = made.table.name
    columns = ", ".join(made.table.c[name].name for name in values)
    return sa.text(
        f"INSERT INTO {table} ({columns}) SELECT {columns} "
        f"FROM json_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS json))"
    )


def _to(type_: TypeEngine[Any], dialect: sa.Dialect) -> _Convert | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _reads(
    made: sa.Executable, dialect: sa.Dialect
) -> tuple[tuple[str, _Convert | None], ...] | None:
    if isinstance(made, sa.TextClause):
        return None
    columns = made.selected_columns if isinstance(made, sa.Select) else made.exported_columns  # type: ignore[attr-defined]
    return tuple(
        (name, column.type.dialect_impl(dialect).result_processor(dialect, None))
        for name, column in columns.items()
    )
