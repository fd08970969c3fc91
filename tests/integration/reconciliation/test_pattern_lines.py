"""How lines end under each pattern of approval, from the policy's terms to the outcome."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest

from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.model import Dose, FundingOrigin, RequestDetails
from app.approvals.office import Office
from app.db.transaction import Database
from app.db.work import Moment
from app.policy import Kind
from app.reconciliation import LineOutcome as O
from tests import pattern_policies as policies
from tests.integration.reconciliation.matching import outcome, take
from tests.pattern_policies import office
from tests.world import World

D = dt.date
START = D(2026, 6, 15)


@pytest.fixture
def world(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> World:
    return World(database, Office(Library([]), demonstration=True), moment, ids, random_bytes)


def approved(world: World, **changes: object) -> str:
    view = world.trial(**changes)
    assert view.request.state is RequestState.APPROVED
    return view.request.treatment_id


@pytest.mark.parametrize(
    ("day", "quantity", "ends"),
    [
        (D(2026, 9, 6), "600", O.MATCHED),  # the last day of loading
        (D(2026, 9, 6), "601", O.OVER_QUANTITY),
        (D(2026, 9, 7), "600", O.OVER_QUANTITY),  # the first of maintenance
        (D(2026, 9, 7), "300", O.MATCHED),
        (D(2026, 10, 15), "450", O.MATCHED),  # the temporary escalation
        (D(2026, 10, 15), "451", O.OVER_QUANTITY),
        (D(2026, 11, 26), "450", O.OVER_QUANTITY),  # the former dose again
        (D(2026, 11, 26), "300", O.MATCHED),
    ],
)
def test_a_supply_is_held_to_the_dose_of_its_day(
    world: World, day: dt.date, quantity: str, ends: O
) -> None:
    world.office = office(policies.PHASED)
    treatment = approved(world)
    world.first_dose(treatment, START)
    world.on(D(2026, 10, 1))
    raised = {"dose": Dose(Decimal(450), "mg", 28), "dose_ground": "lost"}
    world.change(treatment, Kind.DOSE_CHANGE, from_day=D(2026, 10, 1), **raised)
    world.on(D(2026, 12, 1))
    found = outcome(world, day, quantity=quantity, unit="mg")
    assert found.outcome is ends
    assert found.accepted + found.queried == Decimal(1000)
    assert (found.queried == 0) is (ends is O.MATCHED)


def test_a_quantity_in_another_unit_than_the_dose_decides_nothing(world: World) -> None:
    world.office = office(policies.PHASED)
    approved(world)
    world.on(D(2026, 12, 1))
    assert outcome(world, D(2026, 7, 1), quantity="9999", unit="vial").outcome is O.MATCHED


def test_a_continuation_overdue_is_told_after_the_grace_of_a_longer_second_approval(
    world: World,
) -> None:
    world.office = office(policies.THEN_TWELVE)
    treatment = approved(world)
    world.on(D(2026, 11, 20))
    assert outcome(world, D(2026, 11, 11)).outcome is O.MATCHED  # the last day of grace
    assert outcome(world, D(2026, 11, 12)).outcome is O.CONTINUATION_OVERDUE
    world.on(D(2026, 11, 11))
    world.carry_on(treatment)  # in grace, so that no day is left out
    world.on(D(2027, 12, 1))
    assert outcome(world, D(2026, 11, 12)).outcome is O.MATCHED
    assert outcome(world, D(2027, 10, 14)).outcome is O.MATCHED


def test_supplies_before_the_nhs_took_over_are_nobodys_to_recover(world: World) -> None:
    world.office = office(policies.CONVERTING)
    before = {"started_under": FundingOrigin.FREE_OF_CHARGE, "started_on": D(2026, 1, 5)}
    approved(world, details=RequestDetails(**before))
    world.on(D(2026, 8, 1))
    free = outcome(world, D(2026, 3, 1))
    assert (free.outcome, free.accepted) == (O.NOT_RECOVERABLE, 0)
    assert "free of charge" in free.reason
    assert outcome(world, START).outcome is O.MATCHED


def test_what_a_short_treatment_covered_stays_payable_once_a_long_one_supersedes_it(
    world: World,
) -> None:
    world.office = office(policies.SHORT, policies.LONG)
    short = approved(world, policy="short-policy")
    world.on(D(2026, 7, 1))
    long = approved(world, policy="long-policy", decision_to_treat=D(2026, 7, 1))
    world.on(D(2026, 12, 1))
    ends = [outcome(world, day) for day in (D(2026, 6, 30), D(2026, 7, 1))]
    assert [each.outcome for each in ends] == [O.MATCHED, O.MATCHED]
    assert [each.treatment_id for each in ends] == [short, long]


TYRUKO = "Tyruko 300mg/15ml concentrate for solution for infusion vials"


@pytest.mark.parametrize(
    ("interchangeable", "ends"), [(True, O.MATCHED), (False, O.DRUG_OR_INDICATION_DIFFERS)]
)
def test_another_brand_of_the_molecule_needs_no_request_where_brands_are_interchangeable(
    world: World, interchangeable: bool, ends: O
) -> None:
    world.office = office(
        policies.policy(products="[tysabri, tyruko]", interchangeable=interchangeable)
    )
    approved(world, details=RequestDetails(product="tysabri"))
    world.on(D(2026, 8, 1))
    assert outcome(world, D(2026, 7, 1), drug=TYRUKO).outcome is ends


def test_the_snapshot_holds_supply_length_doses_and_best_value_with_the_reason(
    world: World,
) -> None:
    world.office = office(policies.BEST_VALUE)
    details = RequestDetails(product="tysabri", product_reason="intolerance")
    approved(world, details=details)
    (seen,) = take(world).coverages
    assert [(b.product, b.from_, b.to) for b in seen.best_value] == [
        ("tyruko", D(2026, 1, 1), D(2026, 12, 31))
    ]
    assert (seen.product_reason, seen.pattern) == ("intolerance", "rolling")


def test_the_snapshot_holds_how_many_doses_an_episode_covers(world: World) -> None:
    world.office = office(policies.EPISODE)
    approved(world)
    (seen,) = take(world).coverages
    assert (seen.pattern, seen.doses, seen.max_supply_days) == ("episode", 5, None)
