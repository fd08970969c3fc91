"""What is accepted untested of a month: the sum of its slices, or not known; never nothing."""

import datetime as dt
from decimal import Decimal
from typing import Any

from app.reconciliation.months_report import months_text, untested_text
from app.reconciliation.slice_months import MonthSum, by_month
from app.reconciliation.slice_report import SliceRow
from app.reconciliation.slices import SliceKey

AT = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)


def row(provider: str, accepted: str | None, not_testable: str | None, **more: Any) -> SliceRow:
    amount = None if accepted is None else Decimal(accepted)
    untested = None if not_testable is None else Decimal(not_testable)
    by_test = None if not_testable is None else {"quantity": not_testable}
    values: dict[str, Any] = {
        "key": SliceKey(provider, "DEMQ1", "202627", 3),
        "submission": "S1",
        "version": 1,
        "accepted_at": AT,
        "lines": 2,
        "total": Decimal(100),
        "accepted": amount,
        "queried": None if amount is None else 100 - amount,
        "corrections": 0,
        "corrected_lines": 2,
        "corrected": Decimal(100),
        "month": None,
        "frozen_on": None,
        "figure": None,
        "not_testable": untested,
        "untested": by_test,
        **more,
    }
    return SliceRow(**values)


def month_of(*rows: SliceRow) -> MonthSum:
    (month,) = by_month(rows, {})
    return month


def test_slices_that_know_are_summed_and_one_without_a_run_has_nothing() -> None:
    month = month_of(row("DEMO1", "60", "40"), row("DEMO2", "10", "0"), row("DEMO3", None, None))
    assert month.not_testable == 40
    assert "40.00" in months_text([month], "By month")
    assert "not known" not in months_text([month], "By month")


def test_one_slice_that_does_not_know_leaves_the_month_not_known() -> None:
    rows = (row("DEMO1", "60", "40"), row("DEMO2", "10", None))
    month = month_of(*rows)
    assert month.not_testable is None
    text = months_text([month, month_of(row("DEMO1", "60", "7"))], "By month")
    assert text.count("not known") == 2  # of the month, and of all of them
    told = untested_text(rows, "Accepted, and not tested")
    assert "40.00" in told
    assert "Without 1 slice(s) of which it is not known" in told
    assert "since the freeze" not in told


def test_what_deltas_change_of_it_is_counted_and_not_said_by_test() -> None:
    frozen = row("DEMO1", "60", "40", not_testable_more=Decimal("-15"))
    assert month_of(frozen, row("DEMO2", "10", "5")).not_testable == 30
    told = untested_text([frozen], "Accepted, and not tested")
    assert "40.00" in told
    assert "Without what changed since the freeze of 1 slice(s)" in told


def test_a_delta_that_does_not_know_leaves_the_month_not_known() -> None:
    old = row("DEMO1", "60", "40", not_testable_more=None)
    assert old.not_testable_now is None
    assert month_of(old, row("DEMO2", "10", "5")).not_testable is None
