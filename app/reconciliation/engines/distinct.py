"""What plain functions make of distinct values among lines, asked of once and held for a join."""

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Protocol

import duckdb
import pyarrow as pa

Connection = duckdb.DuckDBPyConnection
#: How many distinct combinations are Python's objects at a time. Where there are terms, nearly
#: every line may be one, and what Python holds lies outside DuckDB's limit.
_AT_A_TIME: Final = 20_000
_ONE_DAY: Final = dt.timedelta(days=1)
_DAY, _NUMBER = pa.date32(), pa.int32()
Columns = Mapping[str, pa.DataType]


class _Dated(Protocol):
    """What holds from a day to a day."""

    @property
    def from_(self) -> dt.date | None: ...
    @property
    def to(self) -> dt.date | None: ...


def hold(
    connection: Connection, name: str, columns: Columns, rows: Iterable[Sequence[Any]]
) -> None:
    """Hold a table of what plain functions made of distinct values."""
    held = f"{name}_held"
    connection.register(held, pa.schema(list(columns.items())).empty_table())
    connection.execute(f"CREATE TABLE {name} AS FROM {held}")
    left = iter(rows)
    while some := list(islice(left, _AT_A_TIME)):
        pairs = zip(columns.values(), zip(*some, strict=True), strict=True)
        arrays = [pa.array(column, kind) for kind, column in pairs]
        connection.register(held, pa.Table.from_arrays(arrays, list(columns)))
        connection.execute(f"INSERT INTO {name} FROM {held}")
    connection.unregister(held)


def distinct(
    connection: Connection, columns: str, view: str, where: str = "TRUE"
) -> Iterator[tuple[Any, ...]]:
    """The distinct combinations, of which DuckDB holds all and Python some."""
    connection.execute(f"CREATE TABLE asked AS SELECT DISTINCT {columns} FROM {view} WHERE {where}")
    (count,) = connection.sql("SELECT count(*) FROM asked").fetchall()[0]
    for first in range(0, count, _AT_A_TIME):
        some = f"rowid >= {first} AND rowid < {first + _AT_A_TIME}"
        yield from connection.sql(f"SELECT * FROM asked WHERE {some}").fetchall()
    connection.execute("DROP TABLE asked")


def told_by_turn(
    connection: Connection,
    name: str,
    key: Columns,
    where: str,
    turns: Sequence[dt.date],
    told: Columns,
    say: Callable[..., Sequence[Any]],
) -> None:
    """Hold what `say` makes of each distinct `key` and time of supply of lines.

    Between two `turns` nothing begins or ends that it looks at: times whose first days lie between
    two of them and whose last days do too are alike, and one is asked of for all.
    """
    names, asked, turned = ", ".join(key), f"{name}_asked", f"{name}_turned"
    connection.execute(
        f"CREATE TABLE {asked} AS SELECT DISTINCT {names}, first_day, last_day FROM told "
        f"WHERE first_day IS NOT NULL AND {where}"
    )
    days = f"(SELECT first_day AS day FROM {asked} UNION SELECT last_day FROM {asked})"
    rows = ((day, bisect_right(turns, day)) for (day,) in distinct(connection, "day", days))
    hold(connection, f"{name}_turn", {"day": _DAY, "turn": _NUMBER}, rows)
    connection.execute(
        f"CREATE VIEW {turned} AS SELECT {asked}.*, began.turn AS first_turn, "
        f"ended.turn AS last_turn FROM {asked} "
        f"INNER JOIN {name}_turn AS began ON began.day = {asked}.first_day "
        f"INNER JOIN {name}_turn AS ended ON ended.day = {asked}.last_day"
    )
    alike = f"{names}, first_turn, last_turn"
    one = (
        f"(SELECT {alike}, min(first_day) AS first_day, min(last_day) AS last_day "
        f"FROM {turned} GROUP BY ALL)"
    )
    made = (
        (*said[:-2], *say(*said[: len(key)], *said[-2:])) for said in distinct(connection, "*", one)
    )
    by_turn = {**key, "first_turn": _NUMBER, "last_turn": _NUMBER}
    hold(connection, f"{name}_made", {**by_turn, **told}, made)
    same = " AND ".join(f"made.{each} IS NOT DISTINCT FROM turned.{each}" for each in by_turn)
    connection.execute(
        f"CREATE TABLE {name} AS SELECT turned.* EXCLUDE (first_turn, last_turn), "
        f"{', '.join(f'made.{each}' for each in told)} FROM {turned} AS turned "
        f"INNER JOIN {name}_made AS made ON {same}"
    )
    connection.execute(f"DROP VIEW {turned}")
    for each in (asked, f"{name}_turn", f"{name}_made"):
        connection.execute(f"DROP TABLE {each}")


def turns_of(rows: Iterable[_Dated]) -> list[dt.date]:
    """The days from which one of these holds or no longer holds, in order."""
    held = list(rows)
    begins = {each.from_ for each in held if each.from_ is not None}
    ends = {each.to + _ONE_DAY for each in held if each.to is not None and each.to < dt.date.max}
    return sorted(begins | ends)
