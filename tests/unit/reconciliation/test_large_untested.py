"""Which lines differ, and what was accepted untested: DuckDB says what the plain functions say."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.reconciliation.deltas import amounts_of, differs
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.large_deltas import LargeFile
from app.reconciliation.line_columns import SCHEMA, batch_of
from app.reconciliation.model import MatchedLine, Test, TestResult
from app.reconciliation.outcome_files import to_parquet
from app.reconciliation.slices import SliceKey
from app.reconciliation.untested import untested_amount
from tests.unit.reconciliation.builders import FOLD, cells, run, snapshot

KEY = SliceKey("DEMO1", "DEMQ1", "202526", 3)
AMOUNTS = ("0", "0.00", "10", "-10.5", "0.00000001")
LIKE_A_RESULT = 'named ["route", "not testable", "no"] in the words'
#: Tests of a line that were made, that were not, that only corroborate, and words that look so.
TESTS: Sequence[tuple[tuple[str, str, str], ...]] = (
    (),
    (("route", "passed", LIKE_A_RESULT),),
    (("route", "not testable", "no code"),),
    (("route", "not testable", LIKE_A_RESULT), ("contract", "passed", "")),
    (("contract", "not testable", ""), ("route", "not testable", "")),
    (("birth date", "not testable", "none"),),
    (("birth date", "not testable", "none"), ("VAT (advice)", "not testable", "é")),
    (("birth date", "not testable", LIKE_A_RESULT), ("quantity", "not testable", "none")),
)


def left(
    item: MatchedLine, n: int, accepted: str, tests: tuple[tuple[str, str, str], ...]
) -> MatchedLine:
    """How a run leaves the nth line."""
    line = replace(item.line, row=n, content_hash=f"{n:064x}")
    amount = Decimal(accepted)
    told = tuple(Test(name, TestResult(result), detail) for name, result, detail in tests)
    return replace(item, line=line, accepted=amount, queried=5 - amount, tests=told)


@pytest.fixture
def runs() -> list[tuple[MatchedLine, MatchedLine]]:
    """Lines as two runs leave them: every amount and tests with every other."""
    (item,) = run(snapshot(), cells(total="5"))
    ways = list(itertools.product(AMOUNTS, TESTS))
    pairs = enumerate(itertools.product(ways, ways), start=1)
    return [(left(item, n, *was), left(item, n, *now)) for n, (was, now) in pairs]


def test_the_same_lines_differ_and_the_same_pounds_are_untested(
    runs: list[tuple[MatchedLine, MatchedLine]], tmp_path: Path
) -> None:
    before, after = ([pair[n] for pair in runs] for n in (0, 1))
    lines = pa.Table.from_batches([batch_of([item.line for item in before])], SCHEMA)
    pq.write_table(lines, tmp_path / "rows")
    for name, items in (("was", before), ("now", after)):
        (tmp_path / name).write_bytes(to_parquet(items))
    large = LargeFile(tmp_path / "rows", Machine(threads=1), FOLD)
    found = large.differing(tmp_path / "was", tmp_path / "now", KEY, ())

    assert [(was, amounts_of(now)) for was, now, _ in found.lines] == [
        (amounts_of(was), amounts_of(now))
        for was, now in runs
        if differs(amounts_of(was), amounts_of(now))
    ]
    assert (found.was, found.now) == (
        sum(map(untested_amount, before)),
        sum(map(untested_amount, after)),
    )
    alone = [was for was, now, _ in found.lines if was.accepted == now.accepted]
    assert len(alone) > 50  # lines whose pounds stay are among them
