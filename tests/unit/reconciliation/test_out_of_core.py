"""From a file of rows to a file of outcomes: the plain engine's outcomes, totals and slices."""

import io
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.reconciliation import ContractLine, MatchedLine, Snapshot, match_submission, summarise
from app.reconciliation.accepting import outcomes_by_slice
from app.reconciliation.classify import is_fee_named
from app.reconciliation.engines import coverage_tables, distinct, packed, shared_words
from app.reconciliation.engines.debits import DEBIT
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.known import NotTabular
from app.reconciliation.engines.out_of_core import Decided, match_rows
from app.reconciliation.engines.packed import pack
from app.reconciliation.engines.spacing import TOO_SOON
from app.reconciliation.errors import EngineRanOut
from app.reconciliation.line_columns import SCHEMA, batch_of
from app.reconciliation.model import LineDecision, Skipped
from app.reconciliation.outcome_files import from_parquet, to_parquet
from app.reconciliation.untested import told_by_test
from tests.spec.test_reconciliation import CASES, check, submitted
from tests.unit.reconciliation import nasty
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    FOLD,
    cells,
    coverage,
    snapshot,
    submission,
)


def stored(folder: Path, lines: Sequence[ContractLine]) -> Path:
    """The lines as the file of rows that is kept, with a skipped row among them."""
    told: list[ContractLine | Skipped] = [*lines]
    told.insert(len(told) // 2, Skipped(0, "blank row", ()))
    places = iter(range(len(lines)))
    numbers = [None if isinstance(each, Skipped) else next(places) for each in told]
    batch = batch_of(told).set_column(1, SCHEMA.field("pos"), pa.array(numbers, pa.int64()))
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_batches([batch]), path)
    return path


def at_scale(
    folder: Path, lines: Sequence[ContractLine], snap: Snapshot, machine: Machine | None = None
) -> tuple[Decided, tuple[MatchedLine, ...]]:
    outcomes = folder / "outcomes.parquet"
    rows = stored(folder, lines)
    decided = match_rows(rows, outcomes, snap, *DRUGS_AND_ORGANISATIONS, machine or Machine("1GB"))
    return decided, from_parquet(outcomes.read_bytes(), lines)


def said(item: MatchedLine) -> tuple[Any, ...]:
    """All of a line but what was recognised on the way to its drug."""
    drug = (item.recognition.drug, item.recognition.product, item.recognition.how)
    told = (getattr(item, name) for name in MatchedLine.__slots__ if name != "recognition")
    return (*drug, *told)


SEEDS = range(int(os.environ.get("SEEDS", "12")))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_submissions_come_to_what_the_plain_engine_makes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    if seed % 2:  # as of a large file, of which Python never holds all that is distinct
        monkeypatch.setattr(distinct, "_AT_A_TIME", 3)
        monkeypatch.setattr(shared_words, "AT_A_TIME", 50)
        monkeypatch.setattr(shared_words, "TOGETHER", 90)
    lines, snap = nasty.packed(random.Random(seed), 30)
    lines = tuple(replace(line, row=row) for row, line in enumerate(lines, 1))
    plain = match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS)
    if seed % 3:  # as of many approvals, which are not held as objects
        monkeypatch.setattr(packed, "AS_OBJECTS", 0)
        monkeypatch.setattr(packed, "TOGETHER", 11)
        monkeypatch.setattr(packed, "SHARED", 4)
        monkeypatch.setattr(coverage_tables, "TOGETHER", 13)
        snap = replace(snap, coverages=pack(reversed(snap.coverages)))
    decided, matched = at_scale(tmp_path, lines, snap)
    assert [said(each) for each in matched] == [said(each) for each in plain]
    written = pq.read_table(tmp_path / "outcomes.parquet")
    assert written.to_pylist() == pq.read_table(io.BytesIO(to_parquet(plain))).to_pylist()
    assert decided.summary == summarise(plain, FOLD)
    slices = outcomes_by_slice(plain, DRUGS_AND_ORGANISATIONS[1].fold)
    assert [(each.key, each.lines, each.total, each.accepted, each.queried) for each in slices] == [
        (key, b.lines, b.total, b.accepted, b.queried) for key, b in decided.slices.items()
    ]
    assert [(each.key, each.not_testable, each.untested) for each in slices] == [
        (key, told.amount, told_by_test(told)) for key, told in decided.untested.items()
    ]


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_each_case_comes_out_from_file_to_file(tmp_path: Path, case: dict[str, Any]) -> None:
    """What random submissions seldom come to: the very day of a last delivery, or of a merger."""
    lines, snap = submitted(case)
    check(case, at_scale(tmp_path, lines, snap)[1])


def test_what_is_accepted_untested_is_among_what_is_compared() -> None:
    """Else the two would agree because there is nothing to count."""
    kinds, slices_with, without = set[str](), 0, 0
    for seed in SEEDS[:3]:
        plain = match_submission(*nasty.packed(random.Random(seed), 30), *DRUGS_AND_ORGANISATIONS)
        for each in outcomes_by_slice(plain, FOLD):
            kinds |= (each.untested or {}).keys()
            slices_with, without = (
                slices_with + bool(each.not_testable),
                without + (each.not_testable == 0),
            )
    assert len(kinds) > 3
    assert slices_with > 3
    assert without > 3


def test_a_commissioner_is_folded_as_its_slice_is_and_every_pound_has_one(tmp_path: Path) -> None:
    rows = (
        cells(total="1"),
        cells(total="2", payer="DEMS1"),
        cells(total="4", payer="DEMS2", month="12", date="2026-03-31"),
        cells(total="8", payer="DEMS2", month="1", year="202627", date="2026-04-01"),
        cells(total="16", payer="DEMS2", month="", year="", date="2026-03-10"),
        cells(total="32", payer=""),
        cells(total="64", payer=" demq2 ", month="", year="", date=""),
        cells(total="TBC"),
    )
    lines = submission(*rows).lines
    decided, matched = at_scale(tmp_path, lines, snapshot(coverage()))
    assert decided.summary == summarise(matched, FOLD)
    assert decided.summary.by_commissioner is not None
    assert {b.key: (b.lines, b.total) for b in decided.summary.by_commissioner} == {
        "DEMQ1": (5, 23),
        "DEMQ2": (1, 64),
        "DEMS2": (1, 8),  # closed the day before, into nothing that is listed
        "(not stated)": (1, 32),
    }


def test_an_empty_file_has_nothing_and_ties(tmp_path: Path) -> None:
    decided, matched = at_scale(tmp_path, (), snapshot())
    assert (decided.summary.grand.lines, matched) == (0, ())


def test_a_quantity_of_more_digits_than_the_tables_hold_is_not_rounded(tmp_path: Path) -> None:
    lines = submission(cells(quantity="0.123456789")).lines
    with pytest.raises(NotTabular):
        at_scale(tmp_path, lines, snapshot(coverage()))


@pytest.mark.parametrize("spill", [False, True])
def test_too_little_memory_is_told_and_leaves_nothing(tmp_path: Path, spill: bool) -> None:
    lines, snap = nasty.packed(random.Random(5), 40)
    machine = Machine("1MB", threads=1, spill_to=tmp_path / "spill" if spill else None)
    with pytest.raises(EngineRanOut, match="memory"):
        at_scale(tmp_path, lines, snap, machine)
    assert not [p for p in (tmp_path / "spill").glob("runs/*") if p.is_dir()]


def test_decisions_by_hand_are_among_what_is_drawn() -> None:
    drawn = [nasty.packed(random.Random(seed), 30)[1].decisions for seed in SEEDS]
    kinds = {decision.kind for each in drawn for decision in each}
    assert len(kinds) == 3
    assert all(isinstance(d, LineDecision) for each in drawn for d in each)


def test_supplies_too_soon_and_credits_of_fees_are_among_what_is_compared() -> None:
    seen = Counter[tuple[str, str]]()
    for seed in SEEDS[:3]:
        for item in match_submission(
            *nasty.packed(random.Random(seed), 30), *DRUGS_AND_ORGANISATIONS
        ):
            told = {test.name: test.result for test in item.tests}
            seen.update(pair for pair in told.items() if pair[0] == TOO_SOON)
            if DEBIT in told and is_fee_named(item.line.drug_name, None, None):
                seen["fee given back", told[DEBIT]] += 1
    assert seen[TOO_SOON, "failed"]
    assert seen[TOO_SOON, "passed"]
    assert seen["fee given back", "passed"]
