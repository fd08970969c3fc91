"""Statements of the paths that are walked most, sent to the driver by the shortest way.

SQLAlchemy writes each statement's text and converts its values, as everywhere; what is saved is
what it does again at each execution, which costs more than SQLite takes to answer, and, on
PostgreSQL, a wait for each: what does not depend on an answer goes with the next that does, in one
round trip (libpq's pipeline). The database still gets the same statements in the same order.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from app.db.pipeline import Call, Failed, pipeline_of

Values = Mapping[str, Any]
Row = dict[str, Any]
_Convert = Callable[[Any], Any]
_POSTGRES: Final = "postgresql"
#: A parameter as SQLAlchemy writes it for psycopg, and a per cent sign, which it doubles.
_PARAMETER: Final = re.compile(r"%\((\w+)\)s|%%")


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
    #: What a PostgreSQL connection calls it once it is prepared, and its text for libpq.
    name: bytes
    sent: bytes
    #: Its parameters.
    names: frozenset[str]
    #: Values that are part of the statement, such as a limit.
    fixed: Values
    #: Its parameters in the order of their places, with what converts a value first.
    order: tuple[tuple[str, _Convert | None], ...]
    #: A column of the answer and what converts it; None: as the driver names and gives it.
    reads: tuple[tuple[str, _Convert | None], ...] | None
    #: Whether it takes all its rows as one JSON text.
    by_json: bool = False

    def bound(self, values: Values) -> list[Any]:
        """The values as the driver takes them, by place.

        Raises ValueError for more or fewer than it has.
        """
        bound = {**self.fixed, **values} if self.fixed else values
        if bound.keys() != self.names:
            raise ValueError("these values are not those of the statement")
        return [
            bound[name] if convert is None else convert(bound[name]) for name, convert in self.order
        ]

    def rows(self, names: Sequence[str], found: Sequence[Sequence[Any]]) -> list[Row]:
        """The answer, row by row."""
        if self.reads is None:
            return [dict(zip(names, row, strict=True)) for row in found]
        return [
            {
                name: value if convert is None else convert(value)
                for (name, convert), value in zip(self.reads, row, strict=True)
            }
            for row in found
        ]


def send(connection: sa.Connection, waiting: Sequence[Sending]) -> None:
    """Send statements in their order; each one's answer is in its `rows` afterwards.

    An error of the database is raised as `Connection.execute` would raise it, and ends the
    transaction: what came after it in `waiting` was not carried out.
    """
    dialect = connection.dialect
    prepared = [each.statement.prepared(dialect, each.values[0]) for each in waiting]
    for listener in list(connection.dispatch.before_cursor_execute):
        for each, its in zip(waiting, prepared, strict=True):
            listener(connection, None, its.text, None, None, len(each.values) > 1)
    if dialect.name == _POSTGRES:
        _send_together(connection, waiting, prepared)
    else:
        _send_one_by_one(connection, waiting, prepared)


def _send_together(
    connection: sa.Connection, waiting: Sequence[Sending], prepared: Sequence["_Prepared"]
) -> None:
    """All of them in one round trip to PostgreSQL."""
    calls: list[Call] = []
    asked: list[tuple[int, Sending, _Prepared]] = []
    for each, its in zip(waiting, prepared, strict=True):
        if each.asked:
            asked.append((len(calls), each, its))
        values = each.values
        if its.by_json:
            values = ({"rows": json.dumps(values, default=str)},)
        calls.extend(Call(its.name, its.sent, its.bound(one)) for one in values)
    pipeline = pipeline_of(connection.connection)
    try:
        results = pipeline.carry_out(calls)
    except Failed as failed:
        _raise(connection, failed.error, calls[failed.place].text.decode())
    except connection.dialect.loaded_dbapi.Error as raised:
        _raise(connection, raised, calls[0].text.decode())
    for place, each, its in asked:
        each.rows = its.rows(*pipeline.rows(results[place]))


def _send_one_by_one(
    connection: sa.Connection, waiting: Sequence[Sending], prepared: Sequence["_Prepared"]
) -> None:
    """One after the other to SQLite, which answers without a wait."""
    driver: Any = connection.connection.driver_connection
    text, cursor = "", driver.cursor()  # one for all: an answer is fetched at once
    try:
        for each, its in zip(waiting, prepared, strict=True):
            text = its.text
            if len(each.values) > 1:
                cursor.executemany(text, [its.bound(one) for one in each.values])
            else:
                cursor.execute(text, its.bound(each.values[0]))
            if each.asked:
                names = [column[0] for column in cursor.description]
                each.rows = its.rows(names, cursor.fetchall())
        cursor.close()
    except connection.dialect.loaded_dbapi.Error as raised:
        _raise(connection, raised, text)


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
    text = str(compiled)
    sent, places = _numbered(text) if dialect.name == _POSTGRES else ("", compiled.positiontup)
    return _Prepared(
        text=text,
        name=_name_of(sent),
        sent=sent.encode(),
        names=frozenset(bound),
        fixed={name: each.effective_value for name, each in bound.items() if not each.required},
        order=tuple((name, converts[name]) for name in places or ()),
        reads=_reads(made, dialect),
    )


def _name_of(sent: str) -> bytes:
    """The same for the same text in every process of every release, and for no other text.

    Behind a pooler a session may be handed to a process with what another one has prepared in it:
    by a number, one's statement would be carried out where the other meant its own.
    """
    return b"assent_" + hashlib.sha256(sent.encode()).hexdigest()[:40].encode()


def _numbered(text: str) -> tuple[str, list[str]]:
    """A text with its parameters as PostgreSQL writes them, and their names in that order."""
    names: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        if found[1] is None:
            return "%"
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _PARAMETER.sub(place, text), list(names)


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
