"""What holds of slices for every file, tried on thousands of invented ones."""

from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reconciliation import ContractLine, Submission, read_submission
from app.reconciliation.slices import place, row_changes, total_of, unequal
from tests.unit.reconciliation.builders import CLEAN, DRUGS_AND_ORGANISATIONS, SHORT, csv_bytes
from tests.unit.reconciliation.test_properties import CELLS
from tests.workbooks import workbook

FOLD = DRUGS_AND_ORGANISATIONS[1].fold
OFTEN = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOT_LINES = [{}, dict.fromkeys(CLEAN, ""), dict(zip(CLEAN, CLEAN, strict=True)),
             {"FINANCIAL MONTH": "Total"}]  # fmt: skip
Row = dict[str, str]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Lines that repeat, contradict and lack things, with rows that are no lines among them."""
    more = {
        "year": st.sampled_from(["202526", "2025/26", "2025", "", "202425"]),
        "price": st.sampled_from(["1", "TBC"]),
    }
    line = st.fixed_dictionaries({**CELLS, **more}).map(
        lambda chosen: {**CLEAN, **{SHORT[name]: text for name, text in chosen.items()}}
    )
    found: list[Row] = draw(st.lists(line, min_size=1, max_size=8))
    found += draw(st.lists(st.sampled_from(found), max_size=3))
    found += draw(st.lists(st.sampled_from(NOT_LINES), max_size=3))
    return [dict(row) for row in draw(st.permutations(found))]


def read(found: list[Row], *, as_workbook: bool = False) -> Submission:
    if as_workbook:
        cells = [list(CLEAN), *([row.get(name, "") for name in CLEAN] for row in found)]
        return read_submission(workbook({"Lines": cells}), "lines.xlsx")
    return read_submission(csv_bytes(found), "lines.csv")


def figures(found: Submission) -> Any:
    """Everything that a file comes to, apart from the order of its rows."""
    placed = place(found.lines, FOLD)
    return (
        Counter(line.content_hash for line in found.lines),
        Counter(row.why for row in found.skipped),
        {key: (len(lines), total_of(lines)) for key, lines in placed.slices.items()},
        (len(placed.unplaced), total_of(placed.unplaced)),
    )


@OFTEN
@given(rows(), st.randoms(use_true_random=False))
def test_a_file_comes_to_the_same_in_any_order_and_every_row_and_penny_is_somewhere(
    found: list[Row], shuffler: Any
) -> None:
    told = read(found)
    assert told.rows == len(found)
    placed = place(told.lines, FOLD)
    assert sum(map(len, placed.slices.values())) + len(placed.unplaced) == len(told.lines)
    whole = sum((line.total_cost or Decimal(0) for line in told.lines), Decimal(0))
    parts = sum(map(total_of, placed.slices.values()), total_of(placed.unplaced))
    assert parts == whole == total_of(told.lines)
    assert figures(read(shuffler.sample(found, len(found)))) == figures(told)


@settings(OFTEN, max_examples=60)
@given(rows())
def test_a_workbook_comes_to_what_its_csv_comes_to(found: list[Row]) -> None:
    assert figures(read(found, as_workbook=True)) == figures(read(found))


@OFTEN
@given(rows(), rows())
def test_what_a_newer_version_takes_away_and_adds_leads_to_it_exactly(
    older: list[Row], newer: list[Row]
) -> None:
    was, now = read(older).lines, read(newer).lines
    gone, new = unequal(was, now)
    assert total_of(was) - total_of(gone) + total_of(new) == total_of(now)
    assert contents(was) - contents(gone) + contents(new) == contents(now)
    changes = row_changes(was, now)
    assert sorted(c.was_row for c in changes if c.was_row is not None) == sorted(
        line.row for line in gone
    )
    assert sorted(c.row for c in changes if c.row is not None) == sorted(line.row for line in new)
    moved = sum(
        ((c.total or Decimal(0)) - (c.was_total or Decimal(0)) for c in changes), Decimal(0)
    )
    assert moved == total_of(now) - total_of(was)
    assert not row_changes(was, tuple(reversed(was)))


def contents(lines: Any) -> Counter[str]:
    found: list[ContractLine] = list(lines)
    return Counter(line.content_hash for line in found)
