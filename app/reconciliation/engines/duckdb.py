"""The DuckDB engine: the same meaning as the plain one, in SQL, out of core.

The SQL steps (`app/reconciliation/sql`) decide everything about a line but two things that plain
functions add to what they say: how the amount of a line over price or quantity is split (exact
fractions, which DECIMAL has not), and the words of reasons and tests. `match_submission` words
every line and compares each outcome and amount with the SQL's; it raises EnginesDisagree rather
than to let either stand.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from app.reconciliation.engines.by_hand import decisions_on
from app.reconciliation.engines.index import Folder, SnapshotIndex, index_snapshot
from app.reconciliation.engines.known import NotTabular
from app.reconciliation.engines.limits import (
    EXACT_DIGITS,
    ONE,
    ZERO,
    part_of,
    price_share,
    quantity_share,
)
from app.reconciliation.engines.passes import PASSES, Found, tests_of
from app.reconciliation.engines.plain import account
from app.reconciliation.engines.plain import match_submission as match_plainly
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.engines.repeats import Repeats
from app.reconciliation.engines.tables import AMOUNT, inputs_of
from app.reconciliation.errors import EnginesDisagree
from app.reconciliation.model import ContractLine, Coverage, LineDecision, MatchedLine, Snapshot
from app.reconciliation.sql import Step, steps
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory

#: The step before which the amounts of split lines must be there.
_NEEDS_SPLIT = "result"


@dataclass(frozen=True, slots=True)
class Machine:
    """What DuckDB may use: memory in its own notation ("2GB"), threads, and where it spills.

    Without `spill_to` it never writes to a disk, where patients' numbers would lie, and a run that
    needs more memory fails.
    """

    memory_limit: str = "2GB"
    threads: int | None = None
    spill_to: Path | None = None


@contextmanager
def database(machine: Machine) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills only below `spill_to` and loads no extension."""
    with ExitStack() as stack:
        spill = ""
        if machine.spill_to is not None:
            machine.spill_to.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A folder for each run: two that share one would write over each other.
            spill = stack.enter_context(TemporaryDirectory(dir=machine.spill_to))
        connection = duckdb.connect(":memory:", config=_config(machine, spill))
        stack.callback(connection.close)
        yield connection


def _config(machine: Machine, spill: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "memory_limit": machine.memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
        "temp_directory": spill,
    }
    if machine.threads is not None:
        config["threads"] = machine.threads
    return config


def decide(connection: duckdb.DuckDBPyConnection) -> int:
    """Run every step on the tables that the connection holds, which leaves the table `result`.

    A step's table is dropped once no later one reads it. Returns how many lines' amounts were split
    by the plain functions.
    """
    split, left = 0, list(steps())
    stored: list[str] = []
    while left:
        step = left.pop(0)
        if step.name == _NEEDS_SPLIT:
            split = _split(connection)
        kind = "VIEW" if step.is_view else "TABLE"
        connection.execute(f"CREATE {kind} {step.name} AS {step.select}")
        if not step.is_view:
            stored.append(step.name)
        for name in [each for each in stored[:-1] if not _is_read(each, left)]:
            connection.execute(f"DROP TABLE {name}")
            stored.remove(name)
    return split


def _is_read(table: str, later: Sequence[Step]) -> bool:
    """Whether a later step, or what is read for the split, names the table."""
    texts = [step.select for step in later]
    if any(step.name == _NEEDS_SPLIT for step in later):
        texts.append(_OVER_LIMIT)
    if any("supply" in text for text in texts):
        texts.extend(step.select for step in steps() if step.is_view)
    return any(re.search(rf"\b{table}\b", text) for text in texts)


def _split(connection: duckdb.DuckDBPyConnection) -> int:
    """Fill the table `split` with what is accepted of the lines over price or quantity.

    Each distinct case is split once, by the plain functions, and joined back to its lines.
    """
    connection.execute(f"CREATE TABLE over_limit AS {_OVER_LIMIT}")
    cases = connection.sql(f"SELECT DISTINCT {', '.join(_CASE)} FROM over_limit").to_arrow_table()
    accepted = [_accepted(*case) for case in zip(*cases.to_pydict().values(), strict=True)]
    connection.register("split_case", cases.append_column("accepted", pa.array(accepted, AMOUNT)))
    same = " AND ".join(f"split_case.{c} IS NOT DISTINCT FROM over_limit.{c}" for c in _CASE)
    connection.execute(
        "CREATE TABLE split AS SELECT over_limit.pos, split_case.accepted "
        f"FROM over_limit INNER JOIN split_case ON {same}"
    )
    connection.unregister("split_case")
    (count,) = connection.execute("SELECT count(*) FROM over_limit").fetchone() or (0,)
    connection.execute("DROP TABLE over_limit")
    return int(count)


_CASE = ("total", "delivery", "price_cap", "price", "quantity_left", "counted", "most", "quantity")
#: A value that has no part in a case is NULL, so that cases repeat.
_OVER_LIMIT = """
SELECT
    line.pos,
    line.total,
    line.home_delivery AS delivery,
    CASE WHEN NOT decision.test_price THEN coverage.price_cap END AS price_cap,
    CASE WHEN NOT decision.test_price THEN line.unit_price END AS price,
    CASE WHEN NOT decision.test_quantity THEN coverage.quantity_cap - decision.used END
        AS quantity_left,
    CASE WHEN NOT decision.test_quantity THEN decision.countable END AS counted,
    CASE WHEN NOT decision.test_dose THEN decision.most END AS most,
    CASE WHEN NOT decision.test_dose THEN line.quantity END AS quantity
FROM decision
INNER JOIN line ON line.pos = decision.pos
INNER JOIN coverage ON coverage.cov = decision.within_cov
WHERE decision.outcome IN ('over price', 'over quantity')
"""


def _accepted(
    total: Decimal,
    delivery: Decimal | None,
    price_cap: Decimal | None,
    price: Decimal,
    quantity_left: Decimal | None,
    counted: Decimal,
    most: Decimal | None,
    quantity: Decimal,
) -> Decimal:
    """The accepted part; a limit is None where the line is not over it."""
    with localcontext(prec=EXACT_DIGITS):
        by_price = ONE if price_cap is None else price_share(price_cap, price)
        by_cap = ONE if quantity_left is None else quantity_share(quantity_left, counted)
        by_dose = ONE if most is None else quantity_share(most, quantity)
        return part_of(total, delivery or ZERO, by_price * min(by_cap, by_dose))


def match_submission(
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    machine: Machine | None = None,
) -> tuple[MatchedLine, ...]:
    """One MatchedLine for each line, in the same order: what the plain engine gives.

    A submission that the tables cannot hold, exactly and whole, goes to the plain engine.
    """
    prepared = prepare(lines, dictionary, Folder(organisations), snapshot.as_at, snapshot.layout)
    index, by_hand = index_snapshot(snapshot), decisions_on(lines, snapshot.decisions)
    try:
        inputs = inputs_of(prepared, snapshot, index, by_hand)
    except NotTabular:
        return match_plainly(lines, snapshot, dictionary, organisations)
    with database(machine or Machine()) as connection:
        for name, table in inputs.tables.items():
            connection.register(name, table)
        decide(connection)
        rows = connection.sql(_RESULT).to_arrow_table().to_pylist()
    return _worded(prepared, rows, inputs.coverages, index, by_hand)


_RESULT = "SELECT * FROM result ORDER BY pos"
Row = Mapping[str, Any]


def _worded(
    prepared: Sequence[Prepared],
    rows: Sequence[Row],
    coverages: Sequence[Coverage],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
) -> tuple[MatchedLine, ...]:
    """Each line with its words, compared with what the SQL decided."""

    def find(position: int) -> Found | None:
        row = rows[position]
        if row["step"] != "found":
            return None
        coverage = coverages[row["within_cov"]]
        name = PASSES[row["pass"] - 1][0]
        return Found(coverage, name, tests_of(prepared[position], coverage))

    repeats = Repeats(_others(rows, "duplicate"), _others(rows, "reversal"))
    matched = account(prepared, index, by_hand, repeats, find)
    differing = sum(
        not _agree(each, row, coverages) for each, row in zip(matched, rows, strict=True)
    )
    if differing:
        raise EnginesDisagree(differing)
    return matched


def _others(rows: Sequence[Row], step: str) -> dict[int, int]:
    return {row["pos"]: row["other_pos"] for row in rows if row["step"] == step}


def _agree(matched: MatchedLine, row: Row, coverages: Sequence[Coverage]) -> bool:
    treatment = None if row["cov"] is None else coverages[row["cov"]].treatment_id
    said = (matched.outcome.value, matched.accepted, matched.queried, matched.treatment_id)
    return said == (row["outcome"], row["accepted"], row["queried"], treatment)
