"""Which lines of a slice two runs leave otherwise, where the lines are not held in memory."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.reconciliation.deltas import Amounts, Differences, amounts_of
from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.errors import StoredFileDamaged, TooManyLines
from app.reconciliation.large_fits import accepted_untested
from app.reconciliation.line_columns import lines_of
from app.reconciliation.model import MatchedLine
from app.reconciliation.outcome_files import outcome_of
from app.reconciliation.slices import Fold, SliceKey, slice_stated

#: Lines of one slice that a run may change: each becomes a row of the database, held in memory.
MOST: Final = 100_000
_STATED: Final = (
    "provider, commissioner, financial_year, financial_month, "
    "CASE WHEN financial_year IS NULL OR financial_month IS NULL THEN supply_date END"
)
_KINDS: Final = (pa.string(), pa.string(), pa.string(), pa.int8(), pa.date32())
_NAMES: Final = ("provider", "commissioner", "financial_year", "financial_month", "day")
_SAME: Final = " AND ".join(f"wanted.{n} IS NOT DISTINCT FROM told.{n}" for n in _NAMES)
_NUMBER: Final = "CAST({} AS DECIMAL(38, 8))"
#: What a line stands at, as `amounts_of`. Told row by row, so that no join holds words of tests.
_STANDS: Final = (
    f"SELECT row, content_hash, {_NUMBER.format('accepted')} AS accepted, "
    f"{_NUMBER.format('queried')} AS queried, "
    f"CASE WHEN {accepted_untested()} THEN {_NUMBER.format('accepted')} ELSE 0 END AS untested "
    "FROM {}"
)
#: As `deltas.differs`.
_DIFFERS: Final = " OR ".join(
    f"now_stands.{name} <> was_stands.{name}" for name in ("accepted", "queried", "untested")
)
Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class LargeFile:
    """The rows of a submission where they lie, and what opening them needs."""

    rows: Path
    machine: Machine
    fold: Fold

    def differing(
        self, before: Path, now: Path, key: SliceKey, also: Collection[int]
    ) -> Differences:
        """As `closed_months.Differing` has it.

        Raises StoredFileDamaged where a file of outcomes is not of these rows, and TooManyLines.
        """
        with database(self.machine) as connection:
            _open(connection, self.rows, before, now)
            _hold_slice(connection, key, self.fold)
            was_untested, now_untested = (_whole(connection, name) for name in ("was", "now"))
            _hold_found(connection, also)
            rows = connection.sql("SELECT count(*) FROM found").fetchall()[0][0]
            if rows > MOST:
                raise TooManyLines(
                    rows,
                    "to change in one closed month at a time",
                    "Look at what changed: if it is meant, set the month's freeze to a later day, "
                    "reconcile, and close it again",
                )
            return Differences(_read(connection), was_untested, now_untested)


def _open(connection: Connection, rows: Path, before: Path, now: Path) -> None:
    connection.read_parquet(str(rows)).create_view("stored")
    connection.execute("CREATE VIEW read AS SELECT * FROM stored WHERE why_skipped IS NULL")
    connection.read_parquet(str(before)).create_view("was")
    connection.read_parquet(str(now)).create_view("now")
    for name in ("was", "now"):
        connection.execute(f"CREATE VIEW {name}_stands AS {_STANDS.format(name)}")


def _hold_slice(connection: Connection, key: SliceKey, fold: Fold) -> None:
    """Hold the rows of the slice."""
    folded = cache(fold)
    said = connection.sql(f"SELECT DISTINCT {_STATED} FROM read").fetchall()
    wanted = [each for each in said if slice_stated(each, folded) == key]
    columns = list(zip(*wanted, strict=True)) or [()] * len(_NAMES)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, _KINDS, strict=True)]
    connection.register("wanted", pa.Table.from_arrays(arrays, list(_NAMES)))
    connection.execute(
        "CREATE TABLE in_slice AS SELECT told.row, told.content_hash "
        f"FROM (SELECT row, content_hash, {_STATED} AS day FROM read) AS told "
        f"SEMI JOIN wanted ON {_SAME}"
    )


def _whole(connection: Connection, name: str) -> Decimal:
    """What a file of outcomes has accepted untested of the slice.

    Each line of the slice has one outcome in it, of its own content.
    """
    wanted, found, untested = connection.sql(
        "SELECT (SELECT count(*) FROM in_slice), count(*), "
        "CAST(coalesce(sum(untested), 0) AS VARCHAR) "
        f"FROM in_slice INNER JOIN {name}_stands USING (row, content_hash)"
    ).fetchall()[0]
    if wanted != found:
        raise StoredFileDamaged("not of this submission: its outcomes are of other lines")
    return Decimal(untested)


def _hold_found(connection: Connection, also: Collection[int]) -> None:
    """Hold the rows that differ, and those that are wanted in any case."""
    connection.register("also", pa.table({"row": pa.array(sorted(also), pa.int64())}))
    connection.execute(
        "CREATE TABLE found AS SELECT in_slice.row, in_slice.content_hash FROM in_slice "
        "INNER JOIN was_stands USING (row) INNER JOIN now_stands USING (row) "
        f"WHERE {_DIFFERS} OR in_slice.row IN (SELECT also.row FROM also)"
    )


def _read(connection: Connection) -> Sequence[tuple[Amounts, MatchedLine, str]]:
    lines = lines_of(
        connection.sql(
            "SELECT read.* FROM read SEMI JOIN found USING (row) ORDER BY row"
        ).to_arrow_table()
    )
    was, now = (_outcomes(connection, name) for name in ("was", "now"))
    # Lines of one content state the same month, so they are all of this slice.
    ordinal = dict(
        connection.sql(
            "SELECT row, number FROM (SELECT row, content_hash, row_number() OVER "
            "(PARTITION BY content_hash ORDER BY row) AS number FROM in_slice "
            "SEMI JOIN found USING (content_hash)) SEMI JOIN found USING (row)"
        ).fetchall()
    )
    return [
        (
            amounts_of(outcome_of(was[line.row], line)),
            outcome_of(now[line.row], line),
            f"{line.content_hash}.{ordinal[line.row]}",
        )
        for line in lines
    ]


def _outcomes(connection: Connection, name: str) -> dict[int, dict[str, Any]]:
    rows = connection.sql(f"SELECT {name}.* FROM {name} SEMI JOIN found USING (row)")
    return {row["row"]: row for row in rows.to_arrow_table().to_pylist()}
