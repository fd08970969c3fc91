"""What the approval's terms decide by themselves: a product, a dose, a day in the past."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import Dose, RequestDetails
from app.approvals.terms import (
    check_change_day,
    decide_dose,
    decide_switch,
    dose_to_refer,
    interval_days,
)
from app.policy import Kind, MaxDose, Outcome, PolicyVersion, load_policy
from tests.world import TRIAL_TEXT

TRIAL = load_policy(TRIAL_TEXT, "trial.yaml")
TODAY = dt.date(2026, 6, 15)


def with_terms(**changes: object) -> PolicyVersion:
    return replace(TRIAL, approval=replace(TRIAL.approval, **changes))  # type: ignore[arg-type]


def dose(amount: str, unit: str = "mg", every_days: int | None = 28) -> RequestDetails:
    return RequestDetails(dose=Dose(Decimal(amount), unit, every_days))


@pytest.mark.parametrize(
    ("details", "outcome"),
    [
        (dose("300"), Outcome.APPROVED),  # at the limit
        (dose("300.00"), Outcome.APPROVED),
        (dose("300", every_days=42), Outcome.APPROVED),
        (dose("150", every_days=14), Outcome.APPROVED),
        (dose("300.01"), Outcome.REFERRED),  # just above
        (dose("300", every_days=27), Outcome.REFERRED),  # too often
        (dose("0.3", "g"), Outcome.REFERRED),  # another unit is not converted
        (dose("300", "MG"), Outcome.REFERRED),
        (dose("300", every_days=None), Outcome.REFERRED),  # no interval
        (dose("600", every_days=56), Outcome.REFERRED),  # above in one go
    ],
)
def test_a_dose_is_approved_up_to_the_limit_and_referred_beyond_it(
    details: RequestDetails, outcome: Outcome
) -> None:
    decided, why = decide_dose(TRIAL, details)
    assert decided is outcome
    assert why.endswith(".")
    assert (dose_to_refer(TRIAL, details) is None) is (outcome is Outcome.APPROVED)


def test_a_dose_without_a_limit_is_referred_on_a_change_and_left_alone_elsewhere() -> None:
    open_ended = with_terms(max_dose=None)
    assert decide_dose(open_ended, dose("1"))[0] is Outcome.REFERRED
    assert dose_to_refer(open_ended, dose("1")) is None
    assert dose_to_refer(TRIAL, RequestDetails()) is None


def test_a_limit_whose_interval_is_unclear_refers() -> None:
    unclear = with_terms(max_dose=MaxDose(Decimal(300), "mg", "course"))
    assert decide_dose(unclear, dose("1"))[0] is Outcome.REFERRED


@pytest.mark.parametrize(
    ("per", "days"),
    [
        ("28 days", 28),
        ("2 weeks", 14),
        ("week", 7),
        ("day", 1),
        (" 1 day ", 1),
        ("month", None),
        ("4.5 days", None),
        ("-2 days", None),
        ("²² days", None),
        ("", None),
        ("course of 3 days", None),
    ],
)
def test_an_interval_in_days(per: str, days: int | None) -> None:
    assert interval_days(per) == (None if days is None else Decimal(days))


@pytest.mark.parametrize(
    ("products", "interchangeable", "product", "outcome"),
    [
        (("tysabri", "tyruko"), True, "tyruko", Outcome.APPROVED),
        (("tysabri", "tyruko"), False, "tyruko", Outcome.APPROVED),
        (("tysabri",), True, "tyruko", Outcome.REFERRED),
        ((), True, "tyruko", Outcome.APPROVED),
        ((), False, "tyruko", Outcome.REFERRED),
    ],
)
def test_a_switch_is_approved_between_funded_products(
    products: tuple[str, ...], interchangeable: bool, product: str, outcome: Outcome
) -> None:
    version = with_terms(products=products, interchangeable=interchangeable)
    assert decide_switch(version, RequestDetails(product=product))[0] is outcome


@pytest.mark.parametrize(
    ("interchangeable", "kind", "days_back", "reason", "refused"),
    [
        (True, Kind.SWITCH, 30, None, False),  # covers nothing that was not covered
        (False, Kind.SWITCH, 0, None, False),
        (False, Kind.SWITCH, -10, None, False),
        (False, Kind.SWITCH, 1, None, True),
        (False, Kind.SWITCH, 1, "urgent", False),
        (False, Kind.SWITCH, 14, "urgent", False),
        (False, Kind.SWITCH, 15, "urgent", True),
        (False, Kind.SWITCH, 1, "forgot", True),
        (False, Kind.DOSE_CHANGE, 30, None, False),  # a fact, which changes no coverage
        (False, Kind.TRANSFER, 30, None, False),
    ],
)
def test_a_product_is_covered_in_the_past_only_with_permission(
    interchangeable: bool, kind: Kind, days_back: int, reason: str | None, refused: bool
) -> None:
    version = with_terms(products=("tysabri", "tyruko"), interchangeable=interchangeable)
    day = TODAY - dt.timedelta(days=days_back)
    details = RequestDetails(product="tyruko", from_day=day)
    if refused:
        with pytest.raises(DetailsNotAccepted):
            check_change_day(version, kind, details, reason, TODAY)
    else:
        check_change_day(version, kind, details, reason, TODAY)
