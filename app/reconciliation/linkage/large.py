"""Proposals for a run that is not held in memory: its lines are compared where they lie.

They are laid and weighed some at a time, within the limits of any search (`limited`).
"""

from collections import Counter
from functools import partial
from typing import Final

import duckdb

from app.reconciliation.engines.duckdb import database
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.progress import PartOf, unwatched
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.large_queries import Reading
from app.reconciliation.line_columns import lines_of
from app.reconciliation.linkage.known import Known
from app.reconciliation.linkage.limited import Limits, compare_within, lay_shapes, lay_sought
from app.reconciliation.linkage.model import Found, Why
from app.reconciliation.linkage.most_costly import MostCostly
from app.reconciliation.linkage.seeking import UNFOUND, seekers_among

Connection = duckdb.DuckDBPyConnection

#: As `seeking.is_unfound`, of a file of outcomes.
UNFOUND_IN_FILES: Final = (
    f"outcome IN ({', '.join(repr(each.value) for each in sorted(UNFOUND))}) "
    "AND treatment_id IS NULL AND coalesce(found_by, '') = ''"
)
_LACKING: Final = (
    f"CREATE TABLE lacking AS SELECT row, content_hash FROM came_to WHERE {UNFOUND_IN_FILES}"
)
_OTHERS: Final = (
    "SELECT count(*) FROM lacking LEFT JOIN read USING (row) "
    "WHERE read.content_hash IS DISTINCT FROM lacking.content_hash"
)
#: The lines with their keys (`line_keys`): every line of a content counts, whatever it came to.
_HOLD: Final = """
CREATE TABLE unfound AS
WITH numbered AS (
    SELECT row, content_hash || '.' || row_number() OVER
        (PARTITION BY content_hash ORDER BY row) AS key
    FROM came_to SEMI JOIN lacking USING (content_hash)
), keyed AS (SELECT row, key FROM numbered SEMI JOIN lacking USING (row))
SELECT row_number() OVER (ORDER BY row) - 1 AS place, keyed.key,
    stated.* REPLACE (CAST([] AS VARCHAR[]) AS raw)
FROM read AS stated INNER JOIN keyed USING (row)
WHERE NOT stated.shifted AND stated.total_cost IS NOT NULL
ORDER BY row
"""


def find_in_files(
    opened: LargeLines,
    known: Known,
    limits: Limits | None = None,
    weighed: PartOf = unwatched,
) -> Found:
    """What is proposed for a large run's lines; `weighed` as `find_in_memory` tells.

    Raises StoredFileDamaged where the two files are not of one submission, EngineRanOut where
    memory or room on the disk did not suffice.
    """
    within = limits or Limits()
    kept = MostCostly(within.kept)
    with database(opened.machine) as connection:
        Reading.of(connection, opened.rows, opened.outcomes)
        _hold_unfound(connection)
        left_out = _hold_sought(connection, known, within)
        kept.add(Found(known.judge.model, (), left_out))
        looked = partial(_held, connection, known)
        compare_within(connection, known, within, looked, kept, weighed)
    return kept.found(known.judge.model)


def _hold_unfound(connection: Connection) -> None:
    """The lines that may want a proposal, in order."""
    connection.execute(_LACKING)
    if connection.execute(_OTHERS).fetchall()[0][0]:
        raise StoredFileDamaged("not of this submission")
    connection.execute(_HOLD)


def _hold_sought(connection: Connection, known: Known, within: Limits) -> Counter[Why]:
    """Lay the lines to compare by; how many others were left out and why."""
    lay_shapes(connection)
    left_out = Counter[Why]()
    (count,) = connection.execute("SELECT count(*) FROM unfound").fetchall()[0]
    for begin in range(0, count, within.lines_at_a_time):
        held = _held(connection, known, begin, begin + within.lines_at_a_time - 1)
        items = ((place, item) for place, (item, _) in held.items())
        seekers = seekers_among(items, known.index, known.approvals)
        left_out += seekers.left_out
        stakes = [abs(held[s.position][0].line.total_cost or 0) for s in seekers.lines]
        lay_sought(connection, seekers.lines, stakes)
    return left_out


def _held(
    connection: Connection, known: Known, first: int, last: int
) -> dict[int, tuple[Prepared, str]]:
    """The lines of some places as they are prepared, with their keys."""
    table = connection.sql(
        f"SELECT * FROM unfound WHERE place BETWEEN {first} AND {last} ORDER BY place"
    ).to_arrow_table()
    places, keys = (table.column(name).to_pylist() for name in ("place", "key"))
    prepared = known.prepare(lines_of(table.drop_columns(["place", "key"])))
    return dict(zip(places, zip(prepared, keys, strict=True), strict=True))
