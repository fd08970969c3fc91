"""What of a line could not be tested moves by deltas too; what is not known is not nought."""

import csv
import datetime as dt
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.reconciliation.delta_report import DeltaRow, as_csv, closed_months
from app.reconciliation.delta_tables import deltas_text
from app.reconciliation.deltas import Amounts, amounts_of, changes, check_untested, standing_amounts
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.model import MatchedLine, Test, TestResult
from app.reconciliation.slices import SliceKey
from app.reconciliation.standing_store import Delta, Frozen
from tests.unit.reconciliation.builders import cells, run, snapshot

AT = dt.datetime(2026, 8, 23, tzinfo=dt.UTC)
ZERO, TEN = Decimal(0), Decimal(10)
FROZEN = Frozen("F", "DEMQ1", "V", AT.date(), "R1", 2, Decimal(30), TEN, Decimal(20), AT)


def line(*results: str, accepted: Decimal = TEN) -> MatchedLine:
    """A line that is accepted, or queried, with tests by number that came to these results."""
    (item,) = run(snapshot(), cells(total="10"))
    tests = tuple(Test(f"test {n}", TestResult(said), "") for n, said in enumerate(results))
    return replace(item, accepted=accepted, queried=TEN - accepted, tests=tests)


def delta(was: Decimal | None, now: Decimal | None, more: Decimal | None, **changed: Any) -> Delta:
    values: dict[str, Any] = {
        **{"id": "D", "organisation": "DEMQ1", "frozen_id": "F", "standing_id": "S", "row": 1},
        **{"line_key": "k.1", "outcome_was": "matched", "outcome": "matched", "reason": "Why."},
        **dict.fromkeys(("accepted_was", "accepted"), TEN),
        **dict.fromkeys(("accepted_more", "queried_was", "queried", "queried_more"), ZERO),
        **dict.fromkeys(("treatment_id", "reference", "cause", "cause_at", "cause_event")),
        **{"made_at": AT, "not_testable_was": was, "not_testable": now, "not_testable_more": more},
        **changed,
    }
    return Delta(**values)


def changed(was: Amounts, now: MatchedLine) -> bool:
    return bool(changes({now.line.row: was}, [now], ()))


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        (("not testable",), ("passed",), True),
        (("passed",), ("not testable",), True),
        # Another test of the same line could not be made: the same pounds are not tested.
        (("not testable", "passed"), ("passed", "not testable"), False),
        (("not testable", "not testable"), ("passed", "not testable"), False),
        (("passed", "passed"), ("passed",), False),
    ],
)
def test_a_line_whose_pounds_stay_changes_where_a_test_can_be_made_or_no_more(
    before: tuple[str, ...], after: tuple[str, ...], differs: bool
) -> None:
    assert changed(amounts_of(line(*before)), line(*after)) is differs


def test_of_a_queried_line_nothing_was_accepted_untested() -> None:
    before, after = (line(said, accepted=ZERO) for said in ("not testable", "passed"))
    assert amounts_of(before).not_testable == 0
    assert not changed(amounts_of(before), after)
    assert changed(amounts_of(before), line("not testable"))


def test_where_it_is_not_known_what_was_untested_that_alone_is_no_change() -> None:
    frozen = amounts_of(line("not testable"))
    row = line().line.row
    stood = standing_amounts({row: frozen}, [delta(None, None, None, row=row)])[row]
    assert stood.not_testable is None
    assert not changed(stood, line("passed"))
    assert changed(stood, line("passed", accepted=ZERO))
    again = delta(None, TEN, None, row=row)
    known = standing_amounts({row: frozen}, [delta(None, None, None, row=row), again])[row]
    assert changed(known, line("passed"))


def test_untested_pounds_of_a_month_tie_or_stop_the_run() -> None:
    deltas = [delta(TEN, ZERO, -TEN), delta(ZERO, Decimal("0.01"), Decimal("0.01"))]
    check_untested(TEN, deltas, Decimal("0.01"))
    with pytest.raises(TotalsDoNotTie, match=r"accepted untested, with its deltas"):
        check_untested(TEN, deltas, ZERO)


@pytest.mark.parametrize(
    ("frozen", "more", "stand"), [(None, ZERO, TEN), (TEN, None, ZERO), (TEN, ZERO, None)]
)
def test_nothing_is_said_of_what_is_not_known(
    frozen: Decimal | None, more: Decimal | None, stand: Decimal | None
) -> None:
    check_untested(frozen, [delta(ZERO, ZERO, ZERO), delta(None, ZERO, more)], stand)


def told(not_testable: Decimal | None, *deltas: Delta) -> list[DeltaRow]:
    key = SliceKey("DEMO1", "DEMQ1", "202627", 3)
    return [DeltaRow(key, "S1", "R2", FROZEN, each, not_testable) for each in deltas]


@pytest.mark.parametrize(
    ("frozen", "more", "sums"),
    [
        (TEN, (-TEN, Decimal("2.5")), (TEN, Decimal("-7.5"), Decimal("2.5"))),
        (TEN, (-TEN, None), (TEN, None, None)),
        (None, (-TEN,), (None, -TEN, None)),
    ],
)
def test_a_month_is_frozen_changed_and_both_or_not_known(
    frozen: Decimal | None,
    more: tuple[Decimal | None, ...],
    sums: tuple[Decimal | None, Decimal | None, Decimal | None],
) -> None:
    (month,) = closed_months(told(frozen, *(delta(None, None, each) for each in more)))
    assert (month.not_testable, month.not_testable_more, month.not_testable_now) == sums
    assert (month.accepted, month.accepted_now) == (TEN, TEN)  # which are known in any case


def test_the_tables_of_text_say_frozen_changed_and_now_and_what_is_not_known() -> None:
    known = deltas_text(told(TEN, delta(TEN, ZERO, -TEN)))
    assert [cells_of(each)[-3:] for each in known.splitlines() if "DEMO1" in each][-1] == [
        *("10.00", "-10.00", "0.00"),
    ]
    old = deltas_text(told(TEN, delta(None, None, None)))
    assert [cells_of(each)[-3:] for each in old.splitlines() if "DEMO1" in each][-1] == [
        *("10.00", "not known", "not known"),
    ]
    assert "not known" in old.rpartition("Line by line")[2]


def cells_of(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_the_file_leaves_what_is_not_known_empty_and_writes_nought_as_nought() -> None:
    rows = told(TEN, delta(TEN, ZERO, -TEN), delta(None, ZERO, None), delta(None, None, None))
    names = ("NOT TESTABLE BEFORE", "NOT TESTABLE", "NOT TESTABLE DIFFERENCE")
    found = list(csv.DictReader(io.StringIO(as_csv(rows).decode("utf-8-sig"))))
    assert [[row[name] for name in names] for row in found] == [
        ["10.00", "0.00", "-10.00"],
        ["", "0.00", ""],
        ["", "", ""],
    ]
