"""Matching from a file of rows to a file of outcomes, in DuckDB, with neither held in memory.

The same steps and the same inputs as `in_sql`, but the lines are never objects: `line_sql` makes
their table, SQL decides them, and `shared_words` has each distinct wording made once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from app.reconciliation.engines.by_hand import decisions_digest
from app.reconciliation.engines.coverage_said import coverage_said
from app.reconciliation.engines.coverage_tables import coverage_parts, tolerances_of
from app.reconciliation.engines.duckdb import InDuckDB, Machine, database
from app.reconciliation.engines.fees import FeeCase
from app.reconciliation.engines.heirs import with_heirs
from app.reconciliation.engines.in_sql import decide
from app.reconciliation.engines.index import (
    Folder,
    in_order,
    index_snapshot,
)
from app.reconciliation.engines.known import check_known
from app.reconciliation.engines.large_debits import credited_lines, debits_of
from app.reconciliation.engines.large_spacing import hold_spacing
from app.reconciliation.engines.large_words import KEPT, hold_others, worded, words_of
from app.reconciliation.engines.limits import EXACT_DIGITS, exact
from app.reconciliation.engines.line_said import hold_approved, hold_said
from app.reconciliation.engines.line_sql import Reference, hold_lines
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.engines.shared_words import Lacking, outcomes_told, tests_told
from app.reconciliation.engines.spark import Cluster
from app.reconciliation.engines.spark_files import decide_on_spark
from app.reconciliation.engines.tables import debit_tables, hand_tables, other_tables
from app.reconciliation.engines.told import used_before
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.line_columns import lines_of
from app.reconciliation.model import ContractLine, LineDecision, MatchedLine, Snapshot
from app.reconciliation.outcome_files import write_tables
from app.reconciliation.slices import Fold, SliceKey, slice_stated
from app.reconciliation.summary import (
    AS_NAMED,
    NOT_STATED,
    ZERO,
    Bucket,
    Summary,
    by_name,
    check_tie,
    commissioner_named,
    month_named,
    outcome_order,
)
from app.reconciliation.untested import Counting, Untested
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory

Connection = duckdb.DuckDBPyConnection
Figures = tuple[int, int, Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of the rows: totals, what each slice had and had accepted untested, and the
    decisions by hand on them."""

    summary: Summary
    slices: Mapping[SliceKey, Bucket]
    untested: Mapping[SliceKey, Untested]
    decisions: str


def match_rows(
    rows: Path,
    outcomes: Path,
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    machine: Machine,
    cluster: Cluster | None = None,
    progress: Progress = untold,
) -> Decided:
    """Decide every line of `rows` and write `outcomes`, beside which the lines are laid by.

    The steps run in DuckDB, or on Spark where a `cluster` is named; DuckDB reads the rows and
    writes the outcomes in either case, and `progress` is told of lines whose outcome is written.
    Raises NotTabular, EngineRanOut, TotalsDoNotTie and, of
    Spark, SparkUnavailable and SparkFailed; what was written is then of no use.
    """
    check_known((), snapshot)
    snapshot = with_heirs(snapshot, organisations)
    index, fold = index_snapshot(snapshot), Folder(organisations)
    with database(machine) as connection:
        connection.read_parquet(str(rows)).create_view("stored")
        hold_lines(connection, Reference(snapshot, index, dictionary, fold), outcomes.parent)

        held = (dictionary, fold, snapshot.as_at, snapshot.layout, snapshot.terms.supplies)

        def prepared_of(lines: Mapping[int, ContractLine]) -> dict[int, Prepared]:
            return dict(zip(lines, prepare(list(lines.values()), *held), strict=True))

        lines, by_hand = _decided_by_hand(connection, snapshot.decisions)
        prepared = prepared_of(lines)
        credited = prepared_of(credited_lines(connection))
        debits = debits_of(credited, index)
        coverages = in_order(snapshot.coverages)
        before = used_before(index, debits)
        also = {"coverage_said": partial(coverage_said, before=before)}
        parts = coverage_parts(coverages, before, tolerances_of(snapshot), also)
        approved = lay(parts, outcomes.parent)
        tables = other_tables(snapshot)
        tables |= hand_tables(prepared, coverages, index, by_hand) | debit_tables(debits, credited)
        running = InDuckDB(connection)
        for name, path in approved.items():
            running.look_at(name, path)
        for name, table in tables.items():
            running.hold(name, table)
        fees: list[FeeCase] = []
        if cluster is None:
            decide(running, index, debits, keep=KEPT, fees=fees)
        else:
            held_by = (index, debits)
            read = (name for name in approved if name not in also)
            tables |= {name: pq.read_table(approved[name]) for name in read}
            fees += decide_on_spark(cluster, running, tables, outcomes.parent, held_by, KEPT)
        hold_spacing(connection, index, debits.released)
        connection.execute(_TOLD)
        running.hold("payer_heir", _heirs(snapshot))
        hold_approved(connection, outcomes.parent)
        for view in _MOVED_VIEWS:
            connection.execute(view)
        words = words_of(index, coverages, by_hand, debits, fees)
        hold_others(connection)
        hold_said(connection, debits.tests, tests_told)
        alone = sorted({*by_hand, *words.fees})
        running.hold("worded_alone", pa.table({"pos": pa.array(alone, pa.int64())}))
        folded = cache(organisations.fold)
        counting = Counting[SliceKey | None]()

        def plainly(wanted: str, first: int, last: int) -> Sequence[MatchedLine]:
            def some(lines: Sequence[ContractLine]) -> Sequence[Prepared]:
                return prepare(lines, *held)

            return worded(connection, some, words, wanted, first, last)

        def count(lacking: Lacking) -> None:
            stated, names, amount = lacking
            counting.add_sum(slice_stated(stated, folded), names, amount)

        (count_of,) = connection.sql("SELECT count(*) FROM line").fetchall()[0]
        write_tables(outcomes_told(connection, count_of, plainly, count, progress), outcomes)
        slices = _by_slice(connection, folded)
        return Decided(
            _summary(connection, folded, counting.whole()),
            slices,
            {key: counting.of(key) for key in slices},
            decisions_digest(by_hand.values()) if by_hand else "",
        )


def lay(parts: Iterable[tuple[str, pa.Table]], folder: Path) -> dict[str, Path]:
    """Parts of tables by name, each written beside those of its table that came before it.

    So what is said of each approval lies on the disk, where the lines lie, and not in memory.
    """
    paths: dict[str, Path] = {}
    with ExitStack() as stack:
        files: dict[str, pq.ParquetWriter] = {}
        for name, table in parts:
            if name not in files:
                paths[name] = folder / f"{name}.parquet"
                writer = pq.ParquetWriter(paths[name], table.schema)
                files[name] = stack.enter_context(writer)
            files[name].write_table(table)
    return paths


def _decided_by_hand(
    connection: Connection, decisions: Sequence[LineDecision]
) -> tuple[dict[int, ContractLine], dict[int, LineDecision]]:
    """The few lines that people decided, by their places, and what they decided."""
    if not decisions:
        return {}, {}
    by_key = {decision.line_key: decision for decision in decisions}
    hashes = pa.table({"content_hash": sorted({key.partition(".")[0] for key in by_key})})
    connection.register("decided_hash", hashes)
    rows = connection.sql(
        "SELECT * FROM read SEMI JOIN decided_hash USING (content_hash) ORDER BY pos"
    ).to_arrow_table()
    found, seen = {}, defaultdict[str, int](int)
    for place, line in zip(rows.column("pos").to_pylist(), lines_of(rows), strict=True):
        seen[line.content_hash] += 1
        if f"{line.content_hash}.{seen[line.content_hash]}" in by_key:
            found[place] = (line, by_key[f"{line.content_hash}.{seen[line.content_hash]}"])
    return {p: line for p, (line, _) in found.items()}, {p: d for p, (_, d) in found.items()}


#: A line with what was decided of it. The contract is looked at for every drug supply that nothing
#: settled before.
_TOLD: Final = """
CREATE VIEW outcome_told AS
SELECT
    line.*,
    result.* EXCLUDE (pos, has_agreed),
    override.pos IS NOT NULL AND override.outcome = result.outcome AS overridden,
    override.accepts,
    override.pos IS NOT NULL AS has_override,
    result.step IN ('found', 'diagnosed')
        OR (
            result.step = 'settled'
            AND line.kind = 'drug'
            AND NOT line.shifted
            AND line.total IS NOT NULL
        ) AS by_contract
FROM result
INNER JOIN line ON line.pos = result.pos
LEFT JOIN override ON override.pos = result.pos AND result.step <> 'reversal'
"""


#: The commissioner that a line is proposed to be reassigned to: by the table of who is responsible,
#: and where that is silent by who pays for the approval, as `contract` says of one line.
_MOVED: Final = """
CREATE VIEW {view} AS
WITH paid AS (
    SELECT
        outcome_told.*,
        coalesce(first_heir.heir, paid_for.commissioner) AS first_payer,
        coalesce(last_heir.heir, paid_for.commissioner) AS last_payer
    FROM outcome_told
    LEFT JOIN {approvals} AS paid_for
        ON {known} AND outcome_told.within_cov IS NOT NULL AND outcome_told.payer_silent
    LEFT JOIN payer_heir AS first_heir
        ON first_heir.code = paid_for.commissioner
        AND first_heir.from_day <= outcome_told.first_day
        AND first_heir.to_day >= outcome_told.first_day
    LEFT JOIN payer_heir AS last_heir
        ON last_heir.code = paid_for.commissioner
        AND last_heir.from_day <= outcome_told.last_day
        AND last_heir.to_day >= outcome_told.last_day
)

SELECT
    *,
    CASE
        WHEN NOT by_contract THEN NULL
        WHEN first_payer = last_payer AND first_payer <> commissioner THEN first_payer
        ELSE proposed
    END AS moved_to
FROM paid
"""
#: The same twice: for all lines at once, and for some of them, of which `approved` is in order.
_MOVED_VIEWS: Final = (
    _MOVED.format(
        view="outcome_moved",
        approvals="coverage",
        known="paid_for.cov = outcome_told.within_cov",
    ),
    _MOVED.format(
        view="outcome_worded",
        approvals="approved",
        known="paid_for.pos = outcome_told.pos",
    ),
)


def _heirs(snapshot: Snapshot) -> pa.Table:
    """Whom the payers of approvals became, and when."""
    day = pa.date32()
    columns = (("code", pa.string()), ("from_day", day), ("to_day", day), ("heir", pa.string()))
    said = [(each.code, each.from_, each.to, each.heir) for each in snapshot.heirs]
    values: list[tuple[Any, ...]] = list(zip(*said, strict=True)) or [()] * len(columns)
    pairs = zip(columns, values, strict=True)
    return pa.table({name: pa.array(column, kind) for (name, kind), column in pairs})


# --- totals ---------------------------------------------------------------------------------------

_SUMS = """
    count(*), count(*) - count(total), coalesce(sum(total), 0),
    coalesce(sum(accepted), 0), coalesce(sum(queried), 0)
"""


def _summary(connection: Connection, fold: Fold, untested: Untested) -> Summary:
    """The totals, asserted as `summarise` does: every line, the whole and each breakdown."""
    wrong = connection.sql(
        "SELECT count(*) FROM outcome_told WHERE accepted + queried <> coalesce(total, 0)"
        " OR (total IS NULL AND (accepted <> 0 OR queried <> 0))"
    ).fetchall()[0]
    lines = connection.sql("SELECT count(*), coalesce(sum(total), 0) FROM line").fetchall()[0]
    if wrong[0]:
        raise TotalsDoNotTie("Lines whose parts are not their total", 0, wrong[0])
    with localcontext(prec=EXACT_DIGITS):
        summary = Summary(
            _buckets(connection, "TRUE", lambda *_: "total")[0],
            _buckets(connection, "outcome", lambda key: key, outcome_order),
            _buckets(connection, "provider", lambda key: key or NOT_STATED),
            _buckets(connection, "drug", lambda key: key or NOT_STATED),
            _buckets(connection, _MONTH, month_named),
            _buckets(
                connection,
                f"own_commissioner, {_MONTH}",
                lambda *stated: commissioner_named(*stated, fold=fold),
            ),
            _proposed(connection),
            untested,
        )
        check_tie(summary, lines[0])
    if summary.grand.total != lines[1]:
        raise TotalsDoNotTie("The submission's total", lines[1], summary.grand.total)
    return summary


#: The day tells only of lines that do not state their month.
_MONTH = (
    "financial_year, financial_month, "
    "CASE WHEN financial_year IS NULL OR financial_month IS NULL THEN stated_day END"
)


def _proposed(connection: Connection) -> tuple[Bucket, ...]:
    rows = _grouped(connection, "moved_to", lambda key: key or AS_NAMED, "outcome_moved")
    buckets = tuple(Bucket(key, *rows[key]) for key in sorted(rows, key=by_name))
    return buckets if any(bucket.key != AS_NAMED for bucket in buckets) else ()


def _buckets(
    connection: Connection,
    columns: str,
    key_of: Callable[..., str],
    order: Callable[[str], tuple[object, ...]] = by_name,
) -> tuple[Bucket, ...]:
    groups = _grouped(connection, columns, key_of)
    if not groups and columns == "TRUE":
        groups = {"total": (0, 0, ZERO, ZERO, ZERO)}
    return tuple(Bucket(key, *groups[key]) for key in sorted(groups, key=order))


def _grouped(
    connection: Connection, columns: str, key_of: Callable[..., Any], told: str = "outcome_told"
) -> dict[Any, Figures]:
    groups: dict[Any, Figures] = {}
    for row in connection.sql(
        f"SELECT {columns}, {_SUMS} FROM {told} GROUP BY {columns}"
    ).fetchall():
        key, figures = key_of(*row[:-5]), row[-5:]
        before = groups.get(key, (0, 0, ZERO, ZERO, ZERO))
        groups[key] = tuple(a + b for a, b in zip(before, figures, strict=True))
    return {key: _plain(figures) for key, figures in groups.items()}


def _plain(figures: Iterable[Any]) -> Any:
    """Amounts without the zeros that a fixed number of places brings."""
    return tuple(exact(f) if isinstance(f, Decimal) else f for f in figures)


def _by_slice(connection: Connection, fold: Fold) -> Mapping[SliceKey, Bucket]:
    def key_of(*stated: Any) -> SliceKey | None:
        return slice_stated(stated, fold)

    with localcontext(prec=EXACT_DIGITS):
        groups = _grouped(connection, f"own_provider, own_commissioner, {_MONTH}", key_of)
    placed = {key: Bucket(str(key), *figures) for key, figures in groups.items() if key is not None}
    return {key: placed[key] for key in sorted(placed)}
