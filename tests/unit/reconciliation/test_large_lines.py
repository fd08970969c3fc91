"""What is read of a large run's files is what is read of the same run in memory."""

import datetime as dt
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.reconciliation import MatchedLine, match_submission, summarise
from app.reconciliation import large_lines as module
from app.reconciliation import large_queries as queries
from app.reconciliation.challenge_drafting import reversed_rows
from app.reconciliation.engines.asked_duckdb import asked
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.errors import RunNotFound, StoredFileDamaged
from app.reconciliation.kept_answers import KeptAnswers
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.large_queries import Reading
from app.reconciliation.line_choice import Order, choose_lines
from app.reconciliation.line_filter import NOT_LEGIBLE, LineFilter, fitting
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import ContractLine, LineKind, Snapshot
from app.reconciliation.outcome_files import to_parquet
from app.reconciliation.run_lines import RunLines
from app.reconciliation.spellings import unrecognised
from app.reconciliation.store import RunRecord
from app.reconciliation.summary import NOT_STATED, month_of
from app.reconciliation.untested import ANY_TEST
from tests.unit.reconciliation import nasty
from tests.unit.reconciliation.builders import DRUGS_AND_ORGANISATIONS, FOLD
from tests.unit.reconciliation.test_out_of_core import at_scale

SEEDS = (3,)


@dataclass(frozen=True)
class Both:
    """One run's lines, both ways."""

    lines: Sequence[ContractLine]
    matched: Sequence[MatchedLine]
    small: RunLines
    large: LargeLines


@pytest.fixture(scope="module", params=SEEDS)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("large")
    drawn, snap = nasty.packed(random.Random(request.param), 12)
    lines = numbered(drawn)
    matched = match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS)
    at_scale(folder, lines, snap)
    rows, outcomes = folder / "rows.parquet", folder / "outcomes.parquet"
    run = record_of(matched)
    nobody = cast(Any, None)
    small = RunLines(run, nobody, rows.read_bytes(), to_parquet(matched))
    large = LargeLines(run, nobody, rows, outcomes, Machine(spill_to=folder / "spill"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_A_TIME", 7)  # or all would be one piece
        yield Both(lines, matched, small, large)


def numbered(lines: Sequence[ContractLine]) -> tuple[ContractLine, ...]:
    """Every second row of the file is a line."""
    return tuple(replace(line, row=2 * n) for n, line in enumerate(lines, 1))


#: The breakdowns that the page of a run shows.
SHOWN = {"outcome", "drug", "provider", "commissioner", "month"}


def record_of(matched: Sequence[MatchedLine]) -> RunRecord:
    grand = summarise(matched, FOLD).grand
    figures = {name: getattr(grand, name) for name in ("lines", "total", "accepted", "queried")}
    return RunRecord(**cast(dict[str, Any], {f.name: None for f in fields(RunRecord)} | figures))


def bare(item: MatchedLine) -> tuple[Any, ...]:
    """All that is kept of a line: a drug, and nothing of how it was recognised but the way."""
    drug = (item.recognition.drug, item.recognition.product, item.recognition.how)
    told = (getattr(item, name) for name in MatchedLine.__slots__ if name != "recognition")
    return (*drug, *told)


def test_every_page_of_every_filter_is_the_same(both: Both) -> None:
    told = {
        (m.outcome.value, m.recognition.drug or NOT_STATED, m.provider or NOT_STATED, month_of(m))
        for m in both.matched
    }
    nothing = (None, None, None, None)
    one, *_ = random.Random(1).sample(sorted(told), 3)
    ways: list[tuple[str | None, ...]] = [nothing, one, (NOT_STATED,) * 4, ("it's ?",) * 4]
    for at, column in enumerate(zip(*sorted(told), strict=True)):
        commonest = max(sorted(set(column)), key=column.count)
        ways += [(*nothing[:at], each, *nothing[at + 1 :]) for each in {commonest, column[-1]}]
    for wants in ways:
        asked = LineFilter(*wants)
        for order in Order:
            after: int | None = 0
            while after is not None:
                one = choose_lines(both.small, asked, after, 60, order)
                two = choose_lines(both.large, asked, after, 60, order)
                assert tuple(map(bare, one.lines)) == tuple(map(bare, two.lines)), (wants, after)
                assert (one.next, one.count) == (two.next, two.count), (wants, order)
                same = ("total", "accepted", "queried")
                assert [getattr(one, n) for n in same] == [getattr(two, n) for n in same]
                after = two.next
        fits = [m for m in both.matched if fitting(m, asked)]
        assert len(fits) == choose_lines(both.large, asked, 0, 1).count


def test_the_lines_of_every_row_of_a_runs_totals_add_up_to_it(both: Both) -> None:
    summary = summarise(both.matched, FOLD)
    named = {name: buckets for name, buckets in summary.breakdowns().items() if name in SHOWN}
    assert set(named) == SHOWN
    assert len(named["commissioner"]) > 1
    for opened in (both.small, both.large):
        for name, buckets in named.items():
            for row in buckets:
                found = choose_lines(opened, LineFilter(**{name: row.key}), 0, 1, fold=FOLD)
                told = (found.count, found.total, found.accepted, found.queried)
                assert told == (row.lines, row.total, row.accepted, row.queried), (name, row.key)
        untested = summary.untested
        assert untested is not None
        assert len(untested.by_test) > 1
        for test, amount in (*untested.by_test.items(), (ANY_TEST, untested.amount)):
            asked = LineFilter(untested=test)
            found = choose_lines(opened, asked, 0, len(both.lines))
            assert found.accepted == amount, test
            assert found.count == len([m for m in both.matched if fitting(m, asked)])
        both_of = LineFilter(commissioner=named["commissioner"][0].key, untested=ANY_TEST)
        found = choose_lines(opened, both_of, 0, len(both.lines), fold=FOLD)
        assert found.count == len([m for m in both.matched if fitting(m, both_of, FOLD)])
        without = LineFilter(total=NOT_LEGIBLE)
        found = choose_lines(opened, without, 0, len(both.lines))
        assert found.count == summary.grand.unreadable > 0
        assert all(m.line.total_cost is None and fitting(m, without) for m in found.lines)
        for nobody in (LineFilter(commissioner="ZZZ"), LineFilter(untested="it's ?")):
            assert choose_lines(opened, nobody, 0, 1, fold=FOLD).count == 0


def test_most_queried_first_begins_with_the_largest_sum(both: Both) -> None:
    found = choose_lines(both.large, LineFilter(), 0, len(both.lines), Order.QUERIED).lines
    stakes = [(-m.queried, m.line.row) for m in found]
    assert stakes == sorted(stakes)
    assert len(found) == len(both.lines)
    assert max(m.queried for m in both.matched) == found[0].queried > Decimal(0)
    with pytest.raises(RunNotFound):
        choose_lines(both.large, LineFilter(), 3, 1, Order.QUERIED)


def test_a_line_and_its_key_are_found_by_the_row(both: Both) -> None:
    keys = keys_of(both.lines)
    with both.large.reading() as reading:
        assert reading.keys([line.row for line in both.lines]) == list(keys)
    for at in random.Random(2).sample(range(len(keys)), 5):
        row = both.lines[at].row
        assert bare(both.large.line(row)) == bare(both.matched[at]) == bare(both.small.line(row))
        assert both.large.key(row) == both.small.key(row) == keys[at]
    for ask in (both.large.line, both.large.key):
        with pytest.raises(RunNotFound):
            ask(3)


def test_all_lines_come_some_at_a_time_in_their_order(both: Both) -> None:
    some = list(both.large.some_at_a_time())
    assert {len(each) for each in some[:-1]} == {7}
    assert [bare(m) for each in some for m in each] == [bare(m) for m in both.matched]


def test_the_names_of_no_known_drug_are_counted_alike(both: Both) -> None:
    assert any(m.kind is LineKind.UNKNOWN for m in both.matched)
    charged = list(unrecognised(both.small))
    counted = Counter(each.name for each in charged)
    found = list(unrecognised(both.large))
    assert {each.name: each.lines for each in found} == counted
    for each in found:
        totals = [one.total for one in charged if one.name == each.name and one.total is not None]
        assert each.total == (sum(totals) if totals else None)


def test_what_a_file_takes_back_itself_is_told_of_few_lines(both: Both) -> None:
    nothing = Snapshot((), (), (), dt.date(2026, 7, 1))
    with both.large.reading() as reading:
        few = reading.stating_both_signs()
    whole = reversed_rows(both.lines, nothing, *DRUGS_AND_ORGANISATIONS)
    assert reversed_rows(few, nothing, *DRUGS_AND_ORGANISATIONS) == whole
    assert whole
    assert len(few) < len(both.lines)


def test_the_lines_that_bear_on_one_are_all_that_share_anything(both: Both) -> None:
    def names(item: MatchedLine) -> set[tuple[str, str | None]]:
        line = item.line
        told = {"content": line.content_hash, "nhs": line.nhs_number, "ref": line.reference}
        told |= {"id": line.local_patient_id, "treatment": item.treatment_id}
        return {(name, value) for name, value in told.items() if value is not None}

    for at in (0, len(both.lines) // 2):
        found, known = {both.lines[at].row}, names(both.matched[at])
        while True:
            more = {m.line.row for m in both.matched if names(m) & known}
            if more == found:
                break
            found = more
            known = set().union(*(names(m) for m in both.matched if m.line.row in found))
        with both.large.reading() as reading:
            told = reading.related(both.lines[at].row, (), 2_000)
        assert [line.row for line in told] == sorted(found)


def test_outcomes_of_another_file_are_refused(both: Both, tmp_path: Path) -> None:
    other = tmp_path / "outcomes.parquet"
    other.write_bytes(to_parquet([*both.matched[1:], both.matched[0]]))
    wrong = replace(both.large, outcomes=other)
    with pytest.raises(StoredFileDamaged):
        list(wrong.some_at_a_time())
    changed = replace(both.matched[0], line=replace(both.lines[0], content_hash="0" * 64))
    other.write_bytes(to_parquet([changed, *both.matched[1:]]))
    with pytest.raises(StoredFileDamaged):
        wrong.line(both.lines[0].row)


def test_the_largest_sums_come_first_however_many_lines_share_them_and_however_they_are_written(
    tmp_path: Path,
) -> None:
    sums = ["0", "12.50", "12.5", "0.00", "7", "12.50", "9999999999.12345678", "7.0", "3"]
    rows = list(range(2, 2 * len(sums) + 2, 2))
    for name, columns in (
        ("rows", {"row": rows, "why_skipped": [None] * len(rows)}),
        ("outcomes", {"row": rows, "queried": sums, "outcome": ["a", "b", "a"] * 3}),
    ):
        columns |= {"content_hash": ["x"] * len(rows), "nhs_number": [""] * len(rows)}
        columns |= dict.fromkeys(("reference", "total_cost", "local_patient_id"), [""] * len(rows))
        pq.write_table(pa.table({**columns, "shifted": [False] * len(rows)}), tmp_path / name)

    def read(outcome: str | None, limit: int) -> list[int]:
        found, after = [], 0
        while True:
            with asked() as connection:
                reading = Reading.of(connection, tmp_path / "rows", tmp_path / "outcomes")
                reading.narrow(LineFilter(outcome=outcome))
                some = reading.rows_after(after, limit, by_queried=True)
            if not some:
                return found
            found += some
            after = some[-1]

    for outcome in (None, "a", "b"):
        of_it = [r for r, o in zip(rows, ["a", "b", "a"] * 3, strict=True) if outcome in (None, o)]
        wanted = sorted(of_it, key=lambda row: (-Decimal(sums[rows.index(row)]), row))
        for limit in (1, 2, 3, 50):
            assert read(outcome, limit) == wanted, (outcome, limit)
        with pytest.MonkeyPatch.context() as patch:  # more sums than are kept
            patch.setattr(queries, "_MOST_SUMS", 2)
            patch.setattr(queries, "_SUMS", KeptAnswers(1))
            assert read(outcome, 2) == wanted
