"""What the newest runs accepted and queried of some treatments' supplies, from a day on.

Runs of any size are read from their files of outcomes, of which DuckDB looks for the few lines that
bear on these treatments; only those are held. Amounts are added up as they are written, exactly.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa

from app.approvals.handing import Charged
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import charged, service
from app.reconciliation.engines.duckdb import database
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.errors import EngineRanOut
from app.reconciliation.large_lines import MEMORY, outcomes_of
from app.reconciliation.outcome_files import is_charged, says_when_supplied
from app.reconciliation.service import Desk
from app.reconciliation.store import RunRecord

Connection = duckdb.DuckDBPyConnection
#: How many lines of the newest runs are looked through while somebody waits for the answer.
MOST_LINES: Final = 5_000_000
_AT_A_TIME: Final = 10_000

_SEEK: Final = """
INSERT INTO sought
SELECT DISTINCT content_hash FROM came_to SEMI JOIN wanted USING (treatment_id)
WHERE CAST(supplied_on AS DATE) >= ?
"""
#: A line is known by its content and which of that content's lines in its file it is (`line_keys`).
_LINES: Final = """
SELECT content_hash || '.' || number, kind, outcome, provider, treatment_id,
    CAST(supplied_on AS DATE), accepted, queried
FROM (
    SELECT *, row_number() OVER (PARTITION BY content_hash ORDER BY row) AS number
    FROM came_to SEMI JOIN sought USING (content_hash)
)
"""


class _Line(NamedTuple):
    """A charged supply: the key of its line, what it was matched to, its day and its pounds."""

    key: str
    treatment: str
    day: dt.date
    accepted: Decimal
    queried: Decimal


def charged_of(
    work: Work, desk: Desk, caller: Caller, treatments: Collection[str], from_day: dt.date
) -> Charged | None:
    """The pounds of these treatments' supplies, each as the newest file that states it has it.

    None where the runs have more than MOST_LINES together, or memory does not suffice, or a large
    run is of a release that did not say when a line was supplied. Raises StoredFileDamaged.
    """
    if not treatments:
        return Charged(0, Decimal(0), Decimal(0))
    runs = charged.newest_runs(work, caller)
    if sum(run.lines for run in runs) > MOST_LINES:
        return None
    older = {run.id: run for run in runs if not says_when_supplied(outcomes_of(desk, run))}
    if any(desk.matching.takes_files(run.lines) for run in older.values()):
        return None
    held = {id_: _of_memory(work, desk, caller, run) for id_, run in older.items()}
    machine = replace(desk.matching.machine(), memory_limit=MEMORY, threads=1)
    found: dict[str, _Line] = {}
    try:
        with database(machine) as connection:
            _hold_sought(connection, desk, runs, held, treatments, from_day)
            for run in runs:
                of_run = held[run.id] if run.id in held else _of_file(connection, desk, run)
                for line in of_run:
                    found.setdefault(line.key, line)
    except EngineRanOut:
        return None
    wanted = frozenset(treatments)
    return _sum(x for x in found.values() if x.treatment in wanted and x.day >= from_day)


def _sum(lines: Iterable[_Line]) -> Charged:
    count, accepted, queried = 0, Decimal(0), Decimal(0)
    with localcontext(prec=EXACT_DIGITS):
        for line in lines:
            count += 1
            accepted, queried = accepted + line.accepted, queried + line.queried
    return Charged(count, accepted, queried)


def _hold_sought(
    connection: Connection,
    desk: Desk,
    runs: Sequence[RunRecord],
    held: dict[str, list[_Line]],
    treatments: Collection[str],
    from_day: dt.date,
) -> None:
    """Hold the contents of every line that some run matched to these treatments on these days.

    Any run may have matched the same line otherwise, so each is then asked for these contents.
    """
    ids = pa.table({"treatment_id": pa.array(sorted(treatments), pa.string())})
    connection.register("wanted", ids)
    connection.execute("CREATE TABLE sought (content_hash VARCHAR)")
    wanted = frozenset(treatments)
    told = sorted(
        {
            line.key.partition(".")[0]
            for lines in held.values()
            for line in lines
            if line.treatment in wanted and line.day >= from_day
        }
    )
    connection.register("told", pa.table({"content_hash": pa.array(told, pa.string())}))
    connection.execute("INSERT INTO sought FROM told")
    for run in runs:
        if run.id not in held:
            _view(connection, desk, run)
            connection.execute(_SEEK, [from_day])


def _of_file(connection: Connection, desk: Desk, run: RunRecord) -> Iterator[_Line]:
    _view(connection, desk, run)
    rows = connection.cursor().execute(_LINES)
    while some := rows.fetchmany(_AT_A_TIME):
        for key, kind, outcome, provider, treatment, day, accepted, queried in some:
            amounts = Decimal(accepted), Decimal(queried)
            if is_charged(kind, outcome, provider, treatment, day, sum(amounts, Decimal(0))):
                yield _Line(key, treatment, day, *amounts)


def _view(connection: Connection, desk: Desk, run: RunRecord) -> None:
    file = connection.read_parquet(str(outcomes_of(desk, run)))
    file.create_view("came_to", replace=True)


def _of_memory(work: Work, desk: Desk, caller: Caller, run: RunRecord) -> list[_Line]:
    """The same of every line of a run whose outcomes do not say when each was supplied."""
    rows = service.load_run(work, desk, caller, run.id).matched
    pounds = {item.line.row: (item.accepted, item.queried) for item in rows}
    return [
        _Line(key, each.treatment_id, each.day, *pounds[each.row])
        for key, each in charged.of_run(work, desk, caller, run)
    ]
