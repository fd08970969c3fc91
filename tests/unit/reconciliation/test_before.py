"""What earlier submissions leave for fees to belong to and for supplies to follow too soon."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from app.reconciliation.engines.before import EarlierFile, what_stands_before
from app.reconciliation.engines.open_charges import Bearing
from app.reconciliation.model import DoseLimit, Earlier, EarlierSpaced
from app.reconciliation.terms_model import SupplyTerm, SupplyTermKind, Terms
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    PATIENT,
    cells,
    coverage,
    snapshot,
    submission,
)

DOSE = DoseLimit(dt.date(2025, 1, 1), None, Decimal(1), "vial", Decimal(28))
TERM = SupplyTerm("DEMQ1", SupplyTermKind.HOME_DELIVERY, Decimal(30), None, None, "test", True)
EARLY = replace(TERM, kind=SupplyTermKind.DAYS_EARLY, amount=Decimal(0))
HELD = replace(
    snapshot(coverage(max_supply_days=28, dose_limits=(DOSE,))),
    terms=Terms(supplies=(TERM, EARLY)),
)
SUPPLY = cells(date="2025-06-10")
NEXT = cells(date="2025-07-01")
FEE = cells(drug="delivery", total="25", date="2025-06-10")
BACK = cells(total="-1000", date="2025-06-12")
GIVEN_BACK = frozenset({(PATIENT, Decimal(1000))})
WANTED = Bearing(frozenset(), GIVEN_BACK, frozenset({PATIENT}), spaced=True)


def before(*files: tuple[Mapping[str, str], ...], bearing: Bearing = WANTED) -> Earlier:
    read = [submission(*rows).lines for rows in files]
    held = [EarlierFile(lines, frozenset(line.row for line in lines), HELD) for lines in read]
    return what_stands_before(held, bearing, *DRUGS_AND_ORGANISATIONS)


def paid(earlier: Earlier) -> list[tuple[dt.date, list[str]]]:
    return [(each.first, sorted(each.paid)) for each in earlier.supplies]


def test_supplies_are_told_with_the_fees_that_they_paid_and_how_long_they_last() -> None:
    said = before((SUPPLY, NEXT), (FEE,))
    assert paid(said) == [
        (dt.date(2025, 6, 10), ["home delivery"]),
        (dt.date(2025, 7, 1), []),
    ]
    assert said.spaced == (
        EarlierSpaced("T1", dt.date(2025, 6, 10), 28, 0),
        EarlierSpaced("T1", dt.date(2025, 7, 1), 28, 1),
    )
    assert paid(before((SUPPLY, FEE))) == [(dt.date(2025, 6, 10), ["home delivery"])]


def test_what_a_later_file_gives_back_is_no_supply_any_more() -> None:
    said = before((SUPPLY, NEXT), (FEE,), (BACK,))
    assert paid(said) == [(dt.date(2025, 7, 1), [])]
    assert said.spaced == (EarlierSpaced("T1", dt.date(2025, 7, 1), 28, 0),)
    assert len(said.charges) == 1


def test_nothing_is_told_that_the_submission_does_not_ask() -> None:
    nothing = replace(WANTED, fees=frozenset(), spaced=False)
    assert before((SUPPLY,), bearing=nothing).supplies == ()
    assert before((SUPPLY,), bearing=nothing).spaced == ()


def test_a_repeat_and_a_line_that_is_queried_are_no_supplies() -> None:
    late = cells(date="2027-06-10")
    said = before((SUPPLY, SUPPLY, late))
    assert paid(said) == [(dt.date(2025, 6, 10), [])]
    assert len(said.spaced) == 1
