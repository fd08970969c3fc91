"""The words of lines that are not held in memory: each of those that are asked for, by itself.

SQL has decided every line, and says what a line's words need to know of other lines: which row it
repeats or reverses, what was used of its approval before it, the supply before it. The plain
functions then decide and word each line alone, as they word one in memory, and what they decide is
compared with the SQL's: a difference stops the run. Which lines are asked for `shared_words` says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Any, Final

import duckdb

from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.decided import Decided, accepted_of
from app.reconciliation.engines.fees import FeeCase
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.limits import EXACT_DIGITS, PENNY, ZERO, exact
from app.reconciliation.engines.passes import PASSES, Found, tests_of
from app.reconciliation.engines.plain import decide_line, limit_line, matched_line, override_line
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.repeats import Repeats
from app.reconciliation.engines.settled import settled_fee
from app.reconciliation.engines.spacing import told_after
from app.reconciliation.engines.told import Told, allowance_of, used_before
from app.reconciliation.errors import EnginesDisagree
from app.reconciliation.line_columns import lines_of
from app.reconciliation.model import (
    ContractLine,
    Coverage,
    DecisionKind,
    LineDecision,
    MatchedLine,
)
from app.reconciliation.wording import ACCEPTED_WHOLE, SPLIT

#: Tables of steps that are read here after the last of them.
KEPT: Final = frozenset({"used", "waiting"})

_DECIDED: Final = """
SELECT
    result.pos, result.step, result.outcome, result.is_duplicate, other_line.row AS other_row,
    result.other_pos, other_line.total_said AS other_total, other_line.outcome AS other_outcome,
    result.pass, result.cov, result.within_cov, result.accepted, result.queried,
    used.used, spacing_test.pos IS NOT NULL AS is_spaced, spacing_test.early, spacing_test.day,
    spacing_test.last_day, spacing_test.last_days
FROM result
LEFT JOIN other_line ON other_line.pos = result.other_pos
LEFT JOIN used ON used.pos = result.pos
LEFT JOIN spacing_test ON spacing_test.pos = result.pos
WHERE {wanted}
ORDER BY result.pos
"""
#: The lines that others repeat or take back, looked up once: they may be anywhere in the file.
_OTHERS: Final = """
CREATE TABLE other_line AS
WITH named AS (SELECT DISTINCT other_pos AS pos FROM result WHERE other_pos IS NOT NULL)

SELECT named.pos, read.row, read.total_cost AS total_said, charge.outcome
FROM named
INNER JOIN read ON read.pos = named.pos
INNER JOIN result AS charge ON charge.pos = named.pos
"""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """What the words of every line rest on beside the line itself."""

    index: SnapshotIndex
    coverages: Sequence[Coverage]
    by_hand: Mapping[int, LineDecision]
    debits: Debits
    fees: Mapping[int, FeeCase]
    before: Mapping[tuple[object, ...], Decimal]


def words_of(
    index: SnapshotIndex,
    coverages: Sequence[Coverage],
    by_hand: Mapping[int, LineDecision],
    debits: Debits,
    fees: Sequence[FeeCase],
) -> Words:
    """The same, with what earlier submissions used of each approval."""
    cases = {case.place: case for case in fees}
    return Words(index, coverages, by_hand, debits, cases, used_before(index, debits))


def hold_others(connection: duckdb.DuckDBPyConnection) -> None:
    """What is said of a line that repeats or takes back another one."""
    connection.execute(_OTHERS)


def worded(
    connection: duckdb.DuckDBPyConnection,
    prepare: Callable[[Sequence[ContractLine]], Sequence[Prepared]],
    words: Words,
    wanted: str,
    first: int,
    last: int,
) -> Sequence[MatchedLine]:
    """The lines at the places that a query names, the `first` to the `last`, each with its words.

    In the order of the file. The connection holds what the steps decided. Raises EnginesDisagree
    where the plain functions come to anything else.
    """
    among = f"{{0}}.pos >= {first} AND {{0}}.pos <= {last} AND {{0}}.pos IN ({wanted})"
    rows = connection.sql(f"SELECT * FROM read WHERE {among.format('read')} ORDER BY pos")
    lines = lines_of(rows.to_arrow_table())
    told = connection.sql(_DECIDED.format(wanted=among.format("result"))).to_arrow_table()
    with localcontext(prec=EXACT_DIGITS):
        pairs = list(zip(prepare(lines), told.to_pylist(), strict=True))
        matched = [_worded(item, row, words) for item, row in pairs]
        return _checked(matched, [row for _, row in pairs], words)


def _worded(item: Prepared, row: Row, words: Words) -> MatchedLine:
    decided = _decided(item, row, words)
    if row["step"] == "reversal":  # counted as the charge that it takes back, which is far away
        return matched_line(decided, -_accepted_of_charge(row, words))
    return matched_line(decided, accepted_of(decided))


def _accepted_of_charge(row: Row, words: Words) -> Decimal:
    """What is accepted of the charge that a line takes back, written as it is of that charge."""
    total, accepted = Decimal(row["other_total"]), exact(-row["accepted"])
    by_hand = words.by_hand.get(row["other_pos"])
    overridden = (
        by_hand is not None
        and by_hand.kind is not DecisionKind.MATCH
        and by_hand.outcome == row["other_outcome"]
    )
    whole = row["other_outcome"] in ACCEPTED_WHOLE or overridden
    if total == accepted and (accepted or whole):
        return total
    is_split = row["other_outcome"] in SPLIT and not overridden
    return accepted.quantize(PENNY) if is_split else accepted


def _decided(item: Prepared, row: Row, words: Words) -> Decided:
    """The line as `plain.account` decides it, of what it says alone and what SQL says of others."""
    position, index = row["pos"], words.index

    def find() -> Found | None:
        if row["step"] != "found":
            return None
        coverage = words.coverages[row["within_cov"]]
        return Found(coverage, PASSES[row["pass"] - 1][0], tests_of(item, coverage))

    decided = decide_line(
        position,
        item,
        _told(row, words.debits),
        lambda _: row["other_row"],
        index,
        words.by_hand,
        lambda _: find(),
    )
    if decided.within is not None:
        before = words.before.get(allowance_of(decided.within), ZERO)
        used = ZERO if row["used"] is None else exact(row["used"])
        decided = limit_line(decided, used, before, index)
    if row["is_spaced"]:
        told = told_after(row["day"], row["early"], row["last_day"], row["last_days"])
        decided = replace(decided, tests=(*decided.tests, told))
    fee, decision = words.fees.get(position), words.by_hand.get(position)
    if fee is not None:
        decided = _with_fee(decided, fee, row, words)
    if decision is not None and decision.kind is not DecisionKind.MATCH:
        decided = decided if row["step"] == "reversal" else override_line(decided, decision)
    return decided


def _told(row: Row, debits: Debits) -> Told:
    """What SQL found of the line among others; another line stands under its place, not read."""
    position, other = row["pos"], row["other_row"]
    repeats = Repeats(
        {position: -1} if row["is_duplicate"] and other is not None else {},
        {position: -1} if row["step"] == "reversal" else {},
        frozenset({position} if row["is_duplicate"] and other is None else ()),
    )
    return Told(repeats, debits)


def _with_fee(decided: Decided, fee: FeeCase, row: Row, words: Words) -> Decided:
    inside = fee.supply is not None and not fee.supply.before
    coverage = words.coverages[row["cov"]] if inside and row["cov"] is not None else None
    verdict = settled_fee(fee.outcome, fee.test, coverage)
    total = decided.prepared.line.total_cost
    accepted = total if total == fee.accepted else fee.accepted  # as the line writes it
    return replace(decided, verdict=verdict, tests=(*decided.tests, fee.test), fee=accepted)


def _checked(
    matched: Sequence[MatchedLine], rows: Sequence[Row], words: Words
) -> Sequence[MatchedLine]:
    differing = sum(
        not _agree(each, row, words.coverages) for each, row in zip(matched, rows, strict=True)
    )
    if differing:
        raise EnginesDisagree(differing)
    return matched


def _agree(matched: MatchedLine, row: Row, coverages: Sequence[Coverage]) -> bool:
    treatment = None if row["cov"] is None else coverages[row["cov"]].treatment_id
    said = (matched.outcome.value, matched.accepted, matched.queried, matched.treatment_id)
    return said == (row["outcome"], row["accepted"], row["queried"], treatment)
