"""Price and quantity split an amount; duplicates and reversals count each pound once."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from app.reconciliation import Coverage, LineOutcome, TestResult
from app.reconciliation.engines.limits import accepted_part, same_unit
from tests.unit.reconciliation.builders import (
    OTHER_PATIENT,
    cells,
    coverage,
    day,
    run,
    snapshot,
    submission,
)


def capped(**changes: Any) -> Coverage:
    """A coverage with a price cap of £800 for a vial."""
    return coverage(**{"unit_price_cap": Decimal(800), "price_unit": "vial", **changes})


def limited(**changes: Any) -> Coverage:
    """A coverage with a cap of three vials."""
    return coverage(**{"quantity_cap": Decimal(3), "quantity_unit": "vial", **changes})


@pytest.mark.parametrize(
    ("cover", "changes", "result", "accepted"),
    [
        (capped(), {}, "failed", "800.00"),
        (capped(), {"total": "3000", "quantity": "3"}, "failed", "2400.00"),
        (capped(), {"total": "1010", "delivery": "10"}, "failed", "810.00"),
        (capped(), {"quantity": ""}, "failed", "800.00"),
        (capped(unit_price_cap=Decimal(300)), {"price": "900", "total": "900"}, "failed", "300.00"),
        (capped(), {"price": "800.00000001", "total": "800.01"}, "failed", "800.01"),
        (capped(), {"price": "800"}, "passed", "1000.00"),
        (capped(), {"vat": "Y"}, "not testable", "1000.00"),
        (capped(), {"vat": "Y", "price": "800"}, "passed", "1000.00"),
        (capped(), {"unit": ""}, "not testable", "1000.00"),
        (capped(), {"unit": "pack"}, "not testable", "1000.00"),
        (capped(), {"unit": " VIAL "}, "failed", "800.00"),
        (capped(), {"price": "TBC"}, "not testable", "1000.00"),
        (capped(price_unit=None), {}, "not testable", "1000.00"),
        (coverage(), {}, "passed", "1000.00"),
    ],
)
def test_only_the_excess_over_a_comparable_price_is_queried(
    cover: Coverage, changes: dict[str, str], result: str, accepted: str
) -> None:
    (line,) = run(snapshot(cover), cells(**changes))
    price = next(test for test in line.tests if test.name == "unit price")
    assert price.result == result, price.detail
    assert line.accepted == Decimal(accepted)
    assert line.accepted + line.queried == line.line.total_cost
    assert (line.outcome is LineOutcome.OVER_PRICE) == (result == "failed")


def quantities(*rows: Mapping[str, str], cover: Coverage | None = None) -> list[tuple[str, str]]:
    """Outcome and accepted amount of each row under a cap of three vials."""
    matched = run(snapshot(cover or limited()), *rows)
    return [(line.outcome.value, f"{line.accepted:.2f}") for line in matched]


def test_quantity_counts_up_in_order_of_supply_and_not_of_the_file() -> None:
    assert quantities(
        cells(date="2025-06-30", quantity="2"),
        cells(date="2025-06-01", quantity="1"),
        cells(date="2025-06-15", quantity="1"),
    ) == [("over quantity", "500.00"), ("matched", "1000.00"), ("matched", "1000.00")]


def test_once_a_quantity_is_used_up_later_lines_are_queried_whole() -> None:
    assert quantities(
        cells(quantity="3"), cells(date="2025-06-11", quantity="1", total="10", delivery="10")
    ) == [("matched", "1000.00"), ("over quantity", "0.00")]


def test_lines_that_do_not_stand_use_up_nothing() -> None:
    assert quantities(
        cells(date="2025-06-01", quantity="3", provider="DEMO2"),
        cells(date="2025-06-02", quantity="3"),
        cells(date="2025-06-02", quantity="3"),
    ) == [
        ("not the approved provider", "0.00"),
        ("matched", "1000.00"),
        ("duplicate line", "0.00"),
    ]


@pytest.mark.parametrize("changes", [{"quantity": "2 vials"}, {"unit": ""}, {"unit": "mg"}])
def test_a_quantity_that_cannot_be_compared_is_not_testable(changes: dict[str, str]) -> None:
    first, second = run(
        snapshot(limited()), cells(**{"quantity": "9", **changes}), cells(date="2025-06-11")
    )
    test = next(test for test in first.tests if test.name == "quantity")
    assert test.result is TestResult.NOT_TESTABLE
    assert first.outcome is LineOutcome.MATCHED
    assert second.outcome is LineOutcome.MATCHED


def test_segments_of_one_approval_share_its_quantity() -> None:
    snap = snapshot(
        limited(to=day("2025-06-15")), limited(from_=day("2025-06-16"), provider="DEMO1")
    )
    first, second = run(snap, cells(quantity="3"), cells(date="2025-06-20", quantity="1"))
    assert [first.outcome, second.outcome] == [LineOutcome.MATCHED, LineOutcome.OVER_QUANTITY]


def test_price_and_quantity_together_take_both_excesses_off_once() -> None:
    cover = limited(unit_price_cap=Decimal(800), price_unit="vial")
    (line,) = run(snapshot(cover), cells(quantity="4", total="4000"))
    assert line.outcome is LineOutcome.OVER_PRICE
    assert line.accepted == Decimal("2400.00")  # three of four vials, at £800 for £1,000
    assert {t.name for t in line.tests if t.result is TestResult.FAILED} == {
        "unit price",
        "quantity",
    }


def test_the_accepted_part_is_never_more_than_the_total() -> None:
    (line,) = submission(cells(total="0.004")).lines
    assert accepted_part(line, Decimal("0.9999")) <= Decimal("0.004")
    (line,) = submission(cells(total="100", delivery="500")).lines
    assert accepted_part(line, Decimal("0.5")) == 100


@pytest.mark.parametrize(
    ("line_unit", "cap_unit", "same"),
    [("vial", "Vial ", True), (None, "vial", False), ("vial", None, False), ("mg", "ml", False)],
)
def test_units_are_one_only_when_both_are_stated_and_equal(
    line_unit: str | None, cap_unit: str | None, same: bool
) -> None:
    assert same_unit(line_unit, cap_unit) is same


# --- duplicates and reversals ---------------------------------------------------------------------

Rows = list[dict[str, str]]
BACK = {"total": "-1000.00", "quantity": "-1"}


@pytest.mark.parametrize(
    ("rows", "outcomes", "accepted"),
    [
        ([{}, {}], "matched, duplicate line", "1000, 0"),
        ([{}, {}, {}], "matched, duplicate line, duplicate line", "1000, 0, 0"),
        ([{}, {"total": "£1,000.00"}], "matched, duplicate line", "1000, 0"),
        ([{}, {"date": "10/06/2025"}], "matched, duplicate line", "1000, 0"),
        ([{}, {"month": "4"}], "matched, duplicate line", "1000, 0"),
        ([{}, {"date": "2025-06-11"}], "matched, matched", "1000, 1000"),
        ([{}, {"total": "1000.01"}], "matched, matched", "1000, 1000.01"),
        ([{}, {"quantity": "2"}], "matched, matched", "1000, 1000"),
        ([{}, BACK], "matched, not a drug line", "1000, -1000"),
        ([BACK, {}], "not a drug line, matched", "-1000, 1000"),
        ([{}, BACK, {}], "matched, not a drug line, matched", "1000, -1000, 1000"),
        (
            [{}, BACK, {}, {}],
            "matched, not a drug line, matched, duplicate line",
            "1000, -1000, 1000, 0",
        ),
        ([{}, {"total": "-999.00"}], "matched, credit without its debit", "1000, -999"),
        (
            [{"provider": "DEMO2"}, {"provider": "DEMO2", **BACK}],
            "not the approved provider, not a drug line",
            "0, 0",
        ),
        ([BACK, BACK], "credit without its debit, credit without its debit", "-1000, -1000"),
    ],
)
def test_repeats_are_told_apart(rows: Rows, outcomes: str, accepted: str) -> None:
    matched = run(snapshot(coverage()), *(cells(**row) for row in rows))
    assert ", ".join(line.outcome.value for line in matched) == outcomes
    assert [line.accepted for line in matched] == [Decimal(a) for a in accepted.split(", ")]
    assert all(line.accepted + line.queried == line.line.total_cost for line in matched)


def test_a_queried_charge_and_its_reversal_cancel_out_in_both_amounts() -> None:
    rows = [cells(nhs=OTHER_PATIENT, local="X"), cells(nhs=OTHER_PATIENT, local="X", **BACK)]
    charge, back = run(snapshot(coverage()), *rows)
    assert charge.accepted + back.accepted == 0
    assert charge.queried + back.queried == 0
    assert "row 1" in back.reason


def test_a_reversed_charge_gives_its_quantity_back() -> None:
    assert quantities(
        cells(date="2025-06-01", quantity="3"),
        cells(date="2025-06-01", **{**BACK, "quantity": "-3"}),
        cells(date="2025-06-02", quantity="3"),
    ) == [("matched", "1000.00"), ("not a drug line", "-1000.00"), ("matched", "1000.00")]


def test_lines_without_a_patient_are_never_called_duplicates() -> None:
    hidden = {"nhs": "", "local": "", "withheld": "02"}
    matched = run(snapshot(coverage()), cells(**hidden), cells(**hidden))
    assert {line.outcome for line in matched} == {LineOutcome.IDENTITY_WITHHELD}


def test_a_duplicate_says_which_row_it_repeats() -> None:
    _, other, again = run(snapshot(coverage()), cells(), cells(date="2025-06-11"), cells())
    assert other.outcome is LineOutcome.MATCHED
    assert "row 1" in again.reason
