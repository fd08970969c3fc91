"""Matching from a file of rows to a file of outcomes, in DuckDB, with neither held in memory.

The same steps and the same inputs as `in_sql`, but the lines are never objects: `line_sql` makes
their table, and the outcomes are written as `outcome_files` writes them. Of the words only the
outcome's own are written; a line's evidence tells the rest when it is asked for.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.reconciliation.engines.by_hand import (
    BY_HAND,
    decisions_digest,
    matched_by_hand,
)
from app.reconciliation.engines.debits import DEBIT
from app.reconciliation.engines.duckdb import InDuckDB, Machine, database
from app.reconciliation.engines.fees import FEE
from app.reconciliation.engines.heirs import with_heirs
from app.reconciliation.engines.in_sql import decide
from app.reconciliation.engines.index import (
    Folder,
    coverage_order,
    index_snapshot,
)
from app.reconciliation.engines.known import check_known
from app.reconciliation.engines.large_debits import credited_lines, debit_tests, debits_of
from app.reconciliation.engines.large_spacing import hold_spacing
from app.reconciliation.engines.limits import EXACT_DIGITS, LENGTH
from app.reconciliation.engines.line_sql import Reference, hold_lines
from app.reconciliation.engines.passes import PASSES
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.engines.spacing import TOO_SOON
from app.reconciliation.engines.supply_terms import HOME_DELIVERY, VAT
from app.reconciliation.engines.tables import (
    coverage_tables,
    debit_tables,
    hand_tables,
    other_tables,
    tolerances_of,
)
from app.reconciliation.engines.told import used_before
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.line_columns import lines_of
from app.reconciliation.model import (
    ContractLine,
    DecisionKind,
    LineDecision,
    LineOutcome,
    Snapshot,
)
from app.reconciliation.slices import Fold, SliceKey, slice_stated
from app.reconciliation.summary import (
    AS_NAMED,
    NOT_STATED,
    ZERO,
    Bucket,
    Summary,
    by_name,
    check_tie,
    month_named,
    outcome_order,
)
from app.reconciliation.wording import BRIEF, REMEDIES
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory

Connection = duckdb.DuckDBPyConnection
Figures = tuple[int, int, Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of the rows: totals, what each slice had, and the decisions by hand on them."""

    summary: Summary
    slices: Mapping[SliceKey, Bucket]
    decisions: str


def match_rows(
    rows: Path,
    outcomes: Path,
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    machine: Machine,
) -> Decided:
    """Decide every line of `rows` and write `outcomes`, beside which the lines are laid by.

    Raises NotTabular, EngineRanOut and TotalsDoNotTie; what was written is then of no use.
    """
    check_known((), snapshot)
    snapshot = with_heirs(snapshot, organisations)
    index, fold = index_snapshot(snapshot), Folder(organisations)
    with database(machine) as connection:
        connection.read_parquet(str(rows)).create_view("stored")
        hold_lines(connection, Reference(snapshot, index, dictionary, fold), outcomes.parent)

        def prepared_of(lines: Mapping[int, ContractLine]) -> dict[int, Prepared]:
            held = (dictionary, fold, snapshot.as_at, snapshot.layout)
            return dict(zip(lines, prepare(list(lines.values()), *held), strict=True))

        lines, by_hand = _decided_by_hand(connection, snapshot.decisions)
        prepared = prepared_of(lines)
        debits = debits_of(prepared_of(credited_lines(connection)), index)
        coverages = tuple(sorted(snapshot.coverages, key=coverage_order))
        percents = tolerances_of(snapshot)
        tables = coverage_tables(coverages, used_before(index, debits), percents)
        tables |= other_tables(snapshot)
        tables |= hand_tables(prepared, coverages, index, by_hand) | debit_tables(debits)
        running = InDuckDB(connection)
        for name, table in tables.items():
            running.hold(name, table)
        decide(running, index, debits.released)
        hold_spacing(connection, index, debits.released)
        told = {
            position: matched_by_hand(prepared[position], index, decision).test
            for position, decision in by_hand.items()
            if decision.kind is DecisionKind.MATCH
        }
        _hold_words(running, {position: _as_json(test) for position, test in told.items()})
        running.hold("debit_test", debit_tests(debits))
        connection.execute(_TOLD)
        connection.sql(_OUTCOMES).write_parquet(str(outcomes), compression="zstd")
        return Decided(
            _summary(connection),
            _by_slice(connection, cache(organisations.fold)),
            decisions_digest(by_hand.values()) if by_hand else "",
        )


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


def _as_json(test: Any) -> str:
    return json.dumps([test.name, test.result.value, test.detail], ensure_ascii=False)


def _hold_words(running: InDuckDB, by_hand: Mapping[int, str]) -> None:
    names = [BY_HAND, *(name for name, _ in PASSES)]
    passes = {"pass": pa.array(range(len(names)), pa.int64()), "name": names}
    running.hold("pass_name", pa.table(passes))
    outcomes = list(LineOutcome)
    words = {
        "outcome": [each.value for each in outcomes],
        "reason": [BRIEF[each] for each in outcomes],
        "remedy": [REMEDIES[each] for each in outcomes],
    }
    running.hold("wording", pa.table(words))
    held = {
        "pos": pa.array(by_hand.keys(), pa.int64()),
        "said": pa.array(by_hand.values(), pa.string()),
    }
    running.hold("hand_test", pa.table(held))


# --- the outcomes as rows -------------------------------------------------------------------------

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


def _test(name: str, passed: str, made: str) -> str:
    """The JSON of a test where it was made; NULL otherwise."""
    return (
        f"CASE WHEN {made} THEN '[\"{name}\", \"' || CASE WHEN {passed} THEN 'passed' "
        f"WHEN NOT {passed} THEN 'failed' ELSE 'not testable' END || '\", \"\"]' END"
    )


def _said(name: str, said: str) -> str:
    return (
        f'CASE WHEN by_contract THEN \'["{name}", "\' '
        f"|| coalesce({said}, 'not testable') || '\", \"\"]' END"
    )


_FOUND: Final = "step = 'found'"
_TESTS: Final = ", ".join(
    (
        _said("contract", "contract_said"),
        _said("commissioner", "payer_said"),
        _test("reference", "test_reference", "has_reference AND coalesce(told.pass, 9) <> 0"),
        "hand_test.said",
        _test("period", "TRUE", _FOUND),
        _test("provider", "test_provider", _FOUND),
        _test("product", "test_product", _FOUND),
        _test("indication", "test_indication", _FOUND),
        _test("birth date", "test_birth_date", _FOUND),
        _test("funding", "test_funding", _FOUND),
        _test("continuation", "test_continuation", _FOUND),
        _test(
            "death",
            "(CASE WHEN told.last_day <= dead.died_on + told.after_death THEN TRUE "
            "WHEN told.first_day > dead.died_on + told.after_death THEN FALSE END)",
            f"{_FOUND} AND dead.died_on IS NOT NULL",
        ),
        _test("unit price", "test_price", _FOUND),
        _test("agreed price", "told.test_agreed", f"{_FOUND} AND told.has_agreed"),
        _test("quantity", "test_quantity", _FOUND),
        _test("dose", "test_dose", f"{_FOUND} AND has_dose"),
        _test(LENGTH, "(CASE WHEN has_dose THEN test_dose END)", f"{_FOUND} AND told.has_length"),
        _test(HOME_DELIVERY, "test_delivery", f"{_FOUND} AND has_delivery"),
        _test(VAT, "(NOT told.vat_charged)", f"{_FOUND} AND told.homecare"),
        _test(TOO_SOON, "spacing_test.passed", "spacing_test.pos IS NOT NULL"),
        _test(DEBIT, "debit_test.passed", "debit_test.pos IS NOT NULL"),
        _test(FEE, "fee_case.passed", "fee_case.pos IS NOT NULL"),
        _test(BY_HAND, "overridden", "has_override"),
    )
)
_EXACT = "rtrim(rtrim(CAST({} AS VARCHAR), '0'), '.')"
_OUTCOMES: Final = f"""
SELECT
    told.row,
    told.content_hash,
    told.kind,
    told.drug,
    told.product AS drug_product,
    CAST(told.stated_day AS VARCHAR) AS supplied_on,
    told.recognised_by,
    told.outcome,
    {_EXACT.format("told.accepted")} AS accepted,
    {_EXACT.format("told.queried")} AS queried,
    told.provider,
    coverage.approval_reference AS reference,
    coverage.treatment_id,
    CASE WHEN told.overridden THEN '{BY_HAND}' ELSE coalesce(pass_name.name, '') END AS found_by,
    '[' || concat_ws(', ', {_TESTS}) || ']' AS tests,
    CASE WHEN told.overridden AND told.accepts THEN 'Accepted by a decision by hand.'
        WHEN told.overridden THEN 'Queried by a decision by hand.'
        ELSE wording.reason END AS reason,
    CASE WHEN told.overridden AND told.accepts THEN '' ELSE wording.remedy END AS remedy,
    CASE WHEN told.by_contract THEN told.proposed END AS proposed_commissioner
FROM outcome_told AS told
LEFT JOIN coverage ON coverage.cov = told.cov
LEFT JOIN (SELECT cov, died_on FROM coverage WHERE died_on IS NOT NULL) AS dead
    ON dead.cov = told.within_cov
LEFT JOIN pass_name ON pass_name.pass = told.pass
LEFT JOIN wording ON wording.outcome = told.outcome
LEFT JOIN debit_test ON debit_test.pos = told.pos
LEFT JOIN spacing_test ON spacing_test.pos = told.pos
LEFT JOIN fee_case ON fee_case.pos = told.pos
LEFT JOIN hand_test ON hand_test.pos = told.pos AND told.step IN ('found', 'diagnosed')
ORDER BY told.row
"""

# --- totals ---------------------------------------------------------------------------------------

_SUMS = """
    count(*), count(*) - count(total), coalesce(sum(total), 0),
    coalesce(sum(accepted), 0), coalesce(sum(queried), 0)
"""


def _summary(connection: Connection) -> Summary:
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
            _proposed(connection),
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
    named = "CASE WHEN by_contract THEN proposed END"
    buckets = _buckets(connection, named, lambda key: key or AS_NAMED)
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
    connection: Connection, columns: str, key_of: Callable[..., Any]
) -> dict[Any, Figures]:
    groups: dict[Any, Figures] = {}
    for row in connection.sql(
        f"SELECT {columns}, {_SUMS} FROM outcome_told GROUP BY {columns}"
    ).fetchall():
        key, figures = key_of(*row[:-5]), row[-5:]
        before = groups.get(key, (0, 0, ZERO, ZERO, ZERO))
        groups[key] = tuple(a + b for a, b in zip(before, figures, strict=True))
    return {key: _plain(figures) for key, figures in groups.items()}


def _plain(figures: Iterable[Any]) -> Any:
    """Amounts without the zeros that a fixed number of places brings."""
    return tuple(exact(f) if isinstance(f, Decimal) else f for f in figures)


def exact(amount: Decimal) -> Decimal:
    """The amount without zeros at its end."""
    text = f"{amount:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _by_slice(connection: Connection, fold: Fold) -> Mapping[SliceKey, Bucket]:
    def key_of(*stated: Any) -> SliceKey | None:
        return slice_stated(stated, fold)

    with localcontext(prec=EXACT_DIGITS):
        groups = _grouped(connection, f"own_provider, own_commissioner, {_MONTH}", key_of)
    placed = {key: Bucket(str(key), *figures) for key, figures in groups.items() if key is not None}
    return {key: placed[key] for key in sorted(placed)}
