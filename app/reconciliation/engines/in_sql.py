"""Matching in SQL, on whatever runs the steps: the same meaning as the plain engine.

The SQL steps (`app/reconciliation/sql`) decide everything about a line but two things that plain
functions add to what they say: how the amount of a line over price or quantity is split (exact
fractions, which DECIMAL has not), and the words of reasons and tests. `match_submission` words
every line and compares each outcome and amount with the SQL's; it raises EnginesDisagree rather
than to let either stand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from app.reconciliation.engines.by_hand import decisions_on
from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.fees import FeeCase
from app.reconciliation.engines.heirs import with_heirs
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
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.engines.repeats import Repeats
from app.reconciliation.engines.sql_fees import fee_cases
from app.reconciliation.engines.table_columns import AMOUNT
from app.reconciliation.engines.tables import Inputs, inputs_of
from app.reconciliation.engines.told import Told
from app.reconciliation.errors import EnginesDisagree
from app.reconciliation.model import ContractLine, Coverage, LineDecision, MatchedLine, Snapshot
from app.reconciliation.sql import Step, steps
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory


class Executor(Protocol):
    """What runs the steps: it holds tables by name."""

    def hold(self, name: str, table: pa.Table) -> None:
        """Take a table that steps will read."""

    def look_at(self, name: str, path: Path) -> None:
        """Take a table from Parquet that is there already."""

    def make(self, step: Step) -> None:
        """Run a step, so that later ones can read its table or view."""

    def drop(self, name: str) -> None:
        """Forget a table."""

    def read(self, select: str) -> pa.Table:
        """The rows of a query in DuckDB's dialect, in no order."""

    def save(self, select: str, path: Path) -> None:
        """Write the rows of a query as Parquet: a file, or a folder of files."""


def decide(
    executor: Executor,
    index: SnapshotIndex | None = None,
    debits: Debits | None = None,
    *,
    keep: frozenset[str] = frozenset(),
    fees: list[FeeCase] | None = None,
) -> int:
    """Run every step on the tables that the executor holds, which leaves the table `result`.

    A step's table is dropped once no later one reads it, but those to `keep`. Fees on lines of
    their own are looked at with an `index`, which has their charges, and what came of them is added
    to `fees`; `debits` is what credits give back. Returns how many lines' amounts were split by the
    plain functions.
    """
    split, left = 0, list(steps())
    stored: list[str] = []
    while left:
        step = left.pop(0)
        if step.name == "split":
            split = _split_cases(executor)
            stored.append("split_case")
        if step.name == "result":
            cases = fee_cases(executor.hold, executor.read, index, debits or Debits())
            if fees is not None:
                fees.extend(cases)
        executor.make(step)
        if not step.is_view:
            stored.append(step.name)
        for name in [each for each in stored if each != step.name and not _is_read(each, left)]:
            if name in keep or (name in _FEES_READ and left):
                continue
            executor.drop(name)
            stored.remove(name)
    return split


def _is_read(table: str, later: Sequence[Step]) -> bool:
    """Whether a later step names the table, or a view through which one may read it."""
    texts = [step.select for step in later]
    # The last first: a view may read one before it.
    for view in (step for step in reversed(steps()) if step.is_view):
        if any(_names(view.name, text) for text in texts):
            texts.append(view.select)
    return any(_names(table, text) for text in texts)


def _names(table: str, text: str) -> bool:
    return re.search(rf"\b{table}\b", text) is not None


#: What is read of the steps before the last when fees are looked at.
_FEES_READ = frozenset({"duplicate", "reversal"})

_CASE = (
    *("total", "delivery", "price_cap", "price", "quantity_left", "counted", "most", "quantity"),
    "delivery_agreed",
)


def _split_cases(executor: Executor) -> int:
    """Hold the table `split_case`: each distinct case over price or quantity, split once."""
    cases = executor.read(f"SELECT {', '.join(_CASE)}, count(*) AS n FROM over_limit GROUP BY ALL")
    columns = cases.to_pydict()
    count: int = sum(columns.pop("n"))
    accepted = [_accepted(*case) for case in zip(*columns.values(), strict=True)]
    held = cases.drop_columns(["n"]).append_column("accepted", pa.array(accepted, AMOUNT))
    executor.hold("split_case", held)
    return count


def _accepted(
    total: Decimal,
    delivery: Decimal | None,
    price_cap: Decimal | None,
    price: Decimal,
    quantity_left: Decimal | None,
    counted: Decimal,
    most: Decimal | None,
    quantity: Decimal,
    delivery_agreed: Decimal | None,
) -> Decimal:
    """The accepted part; a limit is None where the line is not over it."""
    with localcontext(prec=EXACT_DIGITS):
        by_price = ONE if price_cap is None else price_share(price_cap, price)
        by_cap = ONE if quantity_left is None else quantity_share(quantity_left, counted)
        by_dose = ONE if most is None else quantity_share(most, quantity)
        share = by_price * min(by_cap, by_dose)
        return part_of(total, delivery or ZERO, share, delivery_agreed)


def match_submission(
    lines: Sequence[ContractLine],
    snapshot: Snapshot,
    dictionary: DrugDictionary,
    organisations: OrganisationDirectory,
    progress: Progress = untold,
    *,
    executor: Callable[[], AbstractContextManager[Executor]],
) -> tuple[MatchedLine, ...]:
    """One MatchedLine for each line, in the same order: what the plain engine gives.

    A submission that the tables cannot hold, exactly and whole, goes to the plain engine.
    """
    snapshot = with_heirs(snapshot, organisations)
    fold, supplies = Folder(organisations), snapshot.terms.supplies
    prepared = prepare(lines, dictionary, fold, snapshot.as_at, snapshot.layout, supplies)
    index, by_hand = index_snapshot(snapshot), decisions_on(lines, snapshot.decisions)
    try:
        inputs = inputs_of(prepared, snapshot, index, by_hand)
    except NotTabular:
        return match_plainly(lines, snapshot, dictionary, organisations, progress)
    with executor() as running:
        for name, table in inputs.tables.items():
            running.hold(name, table)
        decide(running, index, inputs.debits)
        rows = running.read("SELECT * FROM result").sort_by("pos").to_pylist()
    return _worded(prepared, rows, inputs, index, by_hand, progress)


Row = Mapping[str, Any]


def _worded(
    prepared: Sequence[Prepared],
    rows: Sequence[Row],
    inputs: Inputs,
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
    progress: Progress,
) -> tuple[MatchedLine, ...]:
    """Each line with its words, compared with what the SQL decided."""
    coverages = inputs.coverages

    def find(position: int) -> Found | None:
        row = rows[position]
        if row["step"] != "found":
            return None
        coverage = coverages[row["within_cov"]]
        name = PASSES[row["pass"] - 1][0]
        return Found(coverage, name, tests_of(prepared[position], coverage))

    told = _told(rows, inputs.debits)
    matched = account(prepared, index, by_hand, told, find, progress)
    differing = sum(
        not _agree(each, row, coverages) for each, row in zip(matched, rows, strict=True)
    )
    if differing:
        raise EnginesDisagree(differing)
    return matched


def _told(rows: Sequence[Row], debits: Debits) -> Told:
    """Which lines repeat and reverse others, as the steps found."""
    repeated = [(row["pos"], row["other_pos"]) for row in rows if row["is_duplicate"]]
    repeats = Repeats(
        {position: other for position, other in repeated if other is not None},
        {row["pos"]: row["other_pos"] for row in rows if row["step"] == "reversal"},
        frozenset(position for position, other in repeated if other is None),
    )
    return Told(repeats, debits)


def _agree(matched: MatchedLine, row: Row, coverages: Sequence[Coverage]) -> bool:
    treatment = None if row["cov"] is None else coverages[row["cov"]].treatment_id
    said = (matched.outcome.value, matched.accepted, matched.queried, matched.treatment_id)
    return said == (row["outcome"], row["accepted"], row["queried"], treatment)
