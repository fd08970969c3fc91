"""The supplies of the newest runs, kept where a run is too large for its lines to be held.

What `charged.supplies` gives and `listed_store.keep_supplies` keeps, worked out in DuckDB: of a
large run from its two files, of others as there. The supplies that are kept already are read beside
them some at a time, so that no more than some thousand are held in memory.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.auth.model import Caller
from app.db.types import DIGITS, PLACES
from app.db.work import Work
from app.reconciliation import charged, listed_store
from app.reconciliation.engines.duckdb import database
from app.reconciliation.errors import RowsNotKept
from app.reconciliation.large_lines import kept_of, outcomes_of
from app.reconciliation.model import LineKind, LineOutcome
from app.reconciliation.service import Desk
from app.reconciliation.stating import stated_by_row, unit_of
from app.reconciliation.store import RunRecord
from app.reconciliation.worklists import NOT_STATED, Supplied

Connection = duckdb.DuckDBPyConnection
Row = tuple[Any, ...]

#: Rows that are held at a time on their way from the one database to the other.
_AT_A_TIME: Final = 10_000
_KEPT_AMOUNT: Final = f"DECIMAL({DIGITS}, {PLACES})"
_SUPPLY: Final = (
    f"run_id VARCHAR, row BIGINT, treatment_id VARCHAR, provider VARCHAR, day DATE, "
    f"outcome VARCHAR, product VARCHAR, quantity {_KEPT_AMOUNT}, unit VARCHAR, "
    f"amount {_KEPT_AMOUNT}"
)
_NUMBER: Final = pa.decimal128(DIGITS, PLACES)
_SCHEMA: Final = pa.schema(
    [
        *(("run_id", pa.string()), ("row", pa.int64()), ("treatment_id", pa.string())),
        *(("provider", pa.string()), ("day", pa.date32()), ("outcome", pa.string())),
        *(("product", pa.string()), ("quantity", _NUMBER), ("unit", pa.string())),
        ("amount", _NUMBER),
    ]
)
_KEYED: Final = pa.schema([("key", pa.string()), *_SCHEMA])

#: As `charged_supplies` tells them: the charges of a drug that were matched, each with its key.
_CHARGED: Final = f"""
CREATE TABLE found AS
WITH told AS (
    SELECT *, row_number() OVER (PARTITION BY content_hash ORDER BY row) AS number,
        CAST(accepted AS DECIMAL(38, 8)) + CAST(queried AS DECIMAL(38, 8)) AS charged
    FROM came_to
)
SELECT told.content_hash || '.' || told.number AS key, ? AS run_id, told.row, told.treatment_id,
    told.provider, CAST(told.supplied_on AS DATE) AS day, told.outcome,
    coalesce(nullif(told.drug_product, ''), told.drug) AS product,
    TRY_CAST(stated.quantity AS {_KEPT_AMOUNT}) AS quantity, unit_kept.kept AS unit,
    TRY_CAST(told.charged AS {_KEPT_AMOUNT}) AS amount
FROM told LEFT JOIN stated ON stated.row = told.row
LEFT JOIN unit_kept ON unit_kept.unit = stated.unit
WHERE told.treatment_id IS NOT NULL AND told.provider IS NOT NULL AND told.supplied_on IS NOT NULL
    AND told.kind = '{LineKind.DRUG.value}' AND told.charged > 0
    AND told.outcome <> '{LineOutcome.DUPLICATE_LINE.value}'
"""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What keeping the supplies changed: treatments, and how far each provider's invoices go."""

    changed: frozenset[str]
    heard: Mapping[str, dt.date]


def keep_supplies(work: Work, desk: Desk, caller: Caller) -> Keeping:
    """Keep the supplies of the newest runs and no others. For the worker.

    Raises StoredFileDamaged, EngineRanOut, and TooManyLines where a large run's outcomes are of a
    release that did not say when a line was supplied.
    """
    with database(desk.matching.machine()) as connection:
        connection.execute(f"CREATE TABLE supply (key VARCHAR, {_SUPPLY})")
        for run in charged.newest_runs(work, caller):
            _hold_run(work, desk, caller, run, connection)
        connection.execute(f"CREATE TABLE stood ({_SUPPLY})")
        for some in _some(listed_store.supplies_kept(work, caller)):
            _insert(connection, "stood", some, _SCHEMA)
        names = ", ".join(_SCHEMA.names)
        connection.execute(f"CREATE VIEW stands AS SELECT {names} FROM supply")
        connection.execute("CREATE TABLE gone AS FROM stood EXCEPT FROM stands")
        connection.execute("CREATE TABLE come AS FROM stands EXCEPT FROM stood")
        _write(work, caller, connection)
        changed = _all(
            connection,
            "SELECT treatment_id FROM gone UNION SELECT treatment_id FROM come",
        )
        heard = _all(connection, "SELECT provider, max(day) FROM supply GROUP BY provider")
        return Keeping(frozenset(id_ for (id_,) in changed), dict(sorted(heard)))


def _hold_run(
    work: Work, desk: Desk, caller: Caller, run: RunRecord, connection: Connection
) -> None:
    """Hold the supplies of a run but those that a newer file states."""
    if desk.matching.takes_files(run.lines):
        _find(work, desk, run, connection)
    else:
        connection.execute(f"CREATE TABLE found (key VARCHAR, {_SUPPLY})")
        for some in _some(_of_memory(work, desk, caller, run)):
            _insert(connection, "found", some, _KEYED)
    connection.execute("INSERT INTO supply SELECT found.* FROM found ANTI JOIN supply USING (key)")
    connection.execute("DROP TABLE found")


def _of_memory(work: Work, desk: Desk, caller: Caller, run: RunRecord) -> Iterator[Row]:
    stated = stated_by_row(work, desk, caller, run.id)
    for key, supply in charged.of_run(work, desk, caller, run):
        told = replace(supply, stated=stated.get(supply.row, NOT_STATED))
        yield (key, *_row(told))


def _row(supply: Supplied) -> Row:
    where = (supply.run_id, supply.row, supply.treatment_id, supply.provider, supply.day)
    return (*where, supply.outcome.value, *supply.stated)


def _find(work: Work, desk: Desk, run: RunRecord, connection: Connection) -> None:
    """Hold a large run's supplies, of the file of outcomes and, where it is kept, of its rows."""
    try:
        rows: Path | None = kept_of(work, desk, run)
    except RowsNotKept:  # no list looks at what they say; a patient's timeline tells less
        rows = None
    if not hold_charged(connection, run.id, outcomes_of(desk, run), rows):
        raise charged.not_listed(run)


def hold_charged(connection: Connection, run_id: str, outcomes: Path, rows: Path | None) -> bool:
    """Hold the charged supplies of a run's files as `found`; without rows, no unit and quantity.

    False where the outcomes do not say when a line was supplied, as the first did not.
    """
    connection.read_parquet(str(outcomes)).create_view("came_to")
    told = connection.sql("SELECT column_name FROM (DESCRIBE came_to)").fetchall()
    if ("supplied_on",) not in told:
        return False
    if rows is None:
        connection.execute(
            "CREATE VIEW stated AS SELECT NULL::BIGINT AS row, NULL::VARCHAR AS quantity, "
            "NULL::VARCHAR AS unit WHERE false"
        )
    else:
        connection.read_parquet(str(rows)).create_view("stored")
        connection.execute(
            "CREATE VIEW stated AS SELECT row, quantity, unit FROM stored WHERE why_skipped IS NULL"
        )
    _hold_units(connection)
    connection.execute(_CHARGED, [run_id])
    for view in ("came_to", "stated", "stored"):
        connection.execute(f"DROP VIEW IF EXISTS {view}")
    connection.execute("DROP TABLE unit_kept")
    return True


def _hold_units(connection: Connection) -> None:
    """Hold what is kept of each unit: `unit_of` decides."""
    connection.execute("CREATE TABLE unit_kept (unit VARCHAR, kept VARCHAR)")
    distinct = connection.cursor().execute("SELECT DISTINCT unit FROM stated WHERE unit <> ''")
    while texts := [text for (text,) in distinct.fetchmany(_AT_A_TIME)]:
        kept = {text: unit_of(text) for text in texts}
        named = {text: unit for text, unit in kept.items() if unit is not None}
        table = pa.table(
            {
                "unit": pa.array(named.keys(), pa.string()),
                "kept": pa.array(named.values(), pa.string()),
            }
        )
        connection.register("told_here", table)
        connection.execute("INSERT INTO unit_kept FROM told_here")
        connection.unregister("told_here")


def _write(work: Work, caller: Caller, connection: Connection) -> None:
    """Take away what is gone, whole runs first, and add what has come."""
    whole = _all(
        connection,
        "SELECT DISTINCT run_id FROM stood WHERE run_id NOT IN (SELECT run_id FROM supply)",
    )
    listed_store.drop_runs(work, caller, [run for (run,) in whole])
    rest = connection.cursor().execute(
        "SELECT run_id, row FROM gone WHERE run_id IN (SELECT run_id FROM supply) "
        "ORDER BY run_id, row"
    )
    while some := rest.fetchmany(_AT_A_TIME):
        listed_store.drop_supplies(work, caller, some)
    come = connection.cursor().execute("SELECT * FROM come ORDER BY run_id, row")
    while some := come.fetchmany(_AT_A_TIME):
        listed_store.add_supplies(work, caller, some)


def _insert(connection: Connection, table: str, rows: list[Row], schema: pa.Schema) -> None:
    columns = list(zip(*rows, strict=True))
    arrays = [
        pa.array(map(_plain, column), field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    connection.register("told_here", pa.Table.from_arrays(arrays, schema=schema))
    connection.execute(f"INSERT INTO {table} FROM told_here")
    connection.unregister("told_here")


def _plain(value: Any) -> Any:
    """A number with so many places as are kept, which Arrow asks of each."""
    return value.quantize(Decimal(1).scaleb(-PLACES)) if isinstance(value, Decimal) else value


def _some(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, _AT_A_TIME)):
        yield some


def _all(connection: Connection, query: str) -> list[Row]:
    return connection.execute(query).fetchall()
