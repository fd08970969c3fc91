"""Comparing lines with approvals within limits, some of them at a time: in runs of any size.

DuckDB holds the lines that nothing was found for, the approvals and the pairs of both, and lays
what its memory does not take where it spills to. Here some of them are looked at at a time, by the
functions that look at lines in memory (`seeking`, `comparing`, `weighing`).

Where many lines state what many approvals have, such as a birth date that stands for none, there
are more pairs than can be weighed. A line with more than MOST_OF_LINE is left out; of the others
the most costly are compared until there are MOST_PAIRS. What is left is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa

from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.progress import PartOf, unwatched
from app.reconciliation.linkage.comparing import (
    BLOCKS,
    HELD,
    LINES,
    PAIRS,
    SCHEMA,
    compared_of,
    lay_compared,
    table_of_held,
    table_of_lines,
)
from app.reconciliation.linkage.known import Known
from app.reconciliation.linkage.model import Found, Sought, Why
from app.reconciliation.linkage.most_costly import MostCostly
from app.reconciliation.linkage.seeking import Seekers, each_held, seekers_among
from app.reconciliation.linkage.weighing import Matter, propose

Connection = duckdb.DuckDBPyConnection
T = TypeVar("T")
#: The lines of some places, from the first to the last, as they are prepared and with their keys.
Looked = Callable[[int, int], Mapping[int, tuple[Prepared, str]]]

#: Lines, or treatments, that are held here at a time.
LINES_AT_A_TIME: Final = 2_048
HELD_AT_A_TIME: Final = 16_384
#: Pairs that are weighed at a time, in one search, and of one line.
PAIRS_AT_A_TIME: Final = 100_000
MOST_PAIRS: Final = 5_000_000
MOST_OF_LINE: Final = 20_000

_NAMES: Final = ", ".join(SCHEMA.names)
#: Pairs of a line by one rule; a pair of two rules is compared once, and counted twice.
_SHARED: Final = (
    "SELECT l.unique_id, h.pairs FROM every_line AS l INNER JOIN "
    "(SELECT drug, {held} AS shared, count(*) AS pairs FROM {table} AS h GROUP BY ALL) AS h "
    "ON l.drug = h.drug AND {line} = h.shared"
)
_RANKED: Final = """
CREATE TABLE ranked AS
WITH counted AS (
    SELECT unique_id, CAST(sum(pairs) AS BIGINT) AS pairs FROM ({shared}) GROUP BY unique_id
), of_line AS (
    SELECT place, stake, coalesce(pairs, 0) AS pairs, coalesce(pairs, 0) > {of_line} AS too_common
    FROM every_line LEFT JOIN counted USING (unique_id)
)
SELECT place, pairs, too_common, NOT too_common AND (pairs = 0 OR sum(if(too_common, 0, pairs))
    OVER (ORDER BY stake DESC, place ROWS UNBOUNDED PRECEDING) <= {in_all}) AS reached
FROM of_line
"""
#: A piece of lines has so many pairs, and few lines where each has few.
_PIECES: Final = """
SELECT min(place), max(place) FROM (
    SELECT place, sum(pairs + {each}) OVER (ORDER BY place ROWS UNBOUNDED PRECEDING) // {most}
        AS piece FROM ranked WHERE reached
) GROUP BY piece ORDER BY piece
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a search takes: in one go, and in all."""

    lines_at_a_time: int = LINES_AT_A_TIME
    pairs_at_a_time: int = PAIRS_AT_A_TIME
    pairs: int = MOST_PAIRS
    of_line: int = MOST_OF_LINE
    kept: int | None = None


def find_in_memory(
    seekers: Seekers,
    prepared: Sequence[Prepared],
    keys: Sequence[str],
    known: Known,
    machine: Machine,
    limits: Limits | None = None,
    weighed: PartOf = unwatched,
) -> Found:
    """What is proposed for lines that are held in memory; their positions are their places.

    `weighed` is told how many are, of those that something may be proposed for.
    Raises EngineRanOut where memory or room on the disk did not suffice.
    """
    within = limits or Limits()
    kept = MostCostly(within.kept)
    kept.add(Found(known.judge.model, (), seekers.left_out))
    wanted = {each.position: each for each in seekers.lines}

    def looked(first: int, last: int) -> dict[int, tuple[Prepared, str]]:
        return {at: (prepared[at], keys[at]) for at in wanted if first <= at <= last}

    with database(machine) as connection:
        lay_shapes(connection)
        stakes = [abs(prepared[each.position].line.total_cost or 0) for each in seekers.lines]
        lay_sought(connection, seekers.lines, stakes)
        compare_within(connection, known, within, looked, kept, weighed)
    return kept.found(known.judge.model)


def lay_shapes(connection: Connection) -> None:
    """The tables of what is compared, with nothing in them."""
    for name in ("every_line", LINES, HELD):
        connection.register("shape", SCHEMA.empty_table())
        also = ", 0::BIGINT AS place, 0::DECIMAL(38, 8) AS stake" if name == "every_line" else ""
        connection.execute(f"CREATE TABLE {name} AS SELECT *{also} FROM shape")
        connection.unregister("shape")


def lay_sought(connection: Connection, lines: Sequence[Sought], stakes: Sequence[Any]) -> None:
    """Lay lines to compare, with what each charges; their positions are their places."""
    _insert(connection, "every_line", _ranked_by(lines, stakes))


def compare_within(
    connection: Connection,
    known: Known,
    within: Limits,
    looked: Looked,
    kept: MostCostly,
    weighed: PartOf,
) -> None:
    """Compare the lines that were laid with the approvals, and weigh the pairs some at a time."""
    for some in _some(each_held(known.approvals, known.practices), HELD_AT_A_TIME):
        _insert(connection, HELD, table_of_held(some))
    kept.add(Found(known.judge.model, (), _rank(connection, within)))
    if _count(connection, LINES) and _count(connection, HELD):
        lay_compared(connection, known.parameters)
    else:
        _lay_no_pair(connection)
    each = max(within.pairs_at_a_time // within.lines_at_a_time, 1)
    pieces = _PIECES.format(each=each, most=within.pairs_at_a_time)
    ranges = connection.execute(pieces).fetchall()
    of = ranges[-1][1] + 1 if ranges else 0
    weighed(0, of)
    for first, last in ranges:
        kept.add(_weighed(connection, known, looked, first, last))
        weighed(last + 1, of)


def _ranked_by(lines: Sequence[Sought], stakes: Sequence[Any]) -> pa.Table:
    places = pa.array([each.position for each in lines], pa.int64())
    exact = pa.array(stakes, pa.decimal128(38, 8))
    return table_of_lines(lines).append_column("place", places).append_column("stake", exact)


def _rank(connection: Connection, within: Limits) -> Counter[Why]:
    """Lay the lines that are compared; how many have too much in common with too many."""
    shared = " UNION ALL ".join(
        _SHARED.format(line=of.format("l"), held=to.format("h"), table=HELD) for of, to in BLOCKS
    )
    limits = {"of_line": within.of_line, "in_all": within.pairs}
    connection.execute(_RANKED.format(shared=shared, **limits))
    connection.execute(
        f"INSERT INTO {LINES} SELECT {_NAMES} FROM every_line "
        "SEMI JOIN (SELECT place FROM ranked WHERE reached) AS those USING (place)"
    )
    told = connection.execute(
        "SELECT too_common, count(*) FROM ranked WHERE NOT reached GROUP BY too_common"
    ).fetchall()
    return Counter({Why.TOO_COMMON if common else Why.NOT_REACHED: n for common, n in told})


def _lay_no_pair(connection: Connection) -> None:
    connection.execute(f"CREATE TABLE {PAIRS} (unique_id_l BIGINT, unique_id_r VARCHAR)")


def _weighed(connection: Connection, known: Known, looked: Looked, first: int, last: int) -> Found:
    """What is proposed for the lines of some places that were compared."""
    held = looked(first, last)
    places = f"SELECT place FROM ranked WHERE reached AND place BETWEEN {first} AND {last}"
    compared = {place for (place,) in connection.execute(places).fetchall()}
    items = ((place, item) for place, (item, _) in held.items() if place in compared)
    seekers = seekers_among(items, known.index, known.approvals)
    rows = connection.sql(
        f"SELECT * FROM {PAIRS} WHERE unique_id_l BETWEEN {first} AND {last} "
        "ORDER BY unique_id_l, unique_id_r"
    ).to_arrow_table()
    matter = Matter(
        Seekers(seekers.lines, seekers.approvals, Counter()),
        {place: item for place, (item, _) in held.items()},
        {place: key for place, (_, key) in held.items()},
        known.index,
        known.refused,
    )
    return propose(known.judge, matter, list(map(compared_of, rows.to_pylist())))


def _insert(connection: Connection, table: str, rows: pa.Table) -> None:
    connection.register("coming", rows)
    connection.execute(f"INSERT INTO {table} FROM coming")
    connection.unregister("coming")


def _count(connection: Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def _some(items: Iterable[T], at_a_time: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, at_a_time)):
        yield some
