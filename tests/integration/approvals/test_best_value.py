"""Which products are taken where a policy asks for others first, counted with their reasons."""

import datetime as dt

import pytest

from app.approvals.best_value import ProductChoice, product_choices
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import RequestDetails, RequestView
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.commands.reports import choice_lines
from tests import pattern_policies as policies
from tests.pattern_policies import office
from tests.world import (
    AUDITOR,
    AUTHOR,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PANEL_MEMBER,
    PHARMACIST,
    World,
    patient,
)

PERIOD = (dt.date(2026, 6, 1), dt.date(2026, 6, 30))
SAID = "The product is not tolerated"


@pytest.fixture
def world(bare: World) -> World:
    bare.office = office(policies.BEST_VALUE)
    return bare


def ask(world: World, number: int, **details: str | None) -> RequestView:
    return world.trial(patient=patient(number), details=RequestDetails(**details))


def choices(world: World, caller: Caller, **changes: str) -> tuple[ProductChoice, ...]:
    return world.do(
        lambda work: product_choices(work, world.office.library, caller, *PERIOD, **changes)
    )


def test_products_are_counted_with_their_reasons_beside_the_best_value_ones(world: World) -> None:
    policy = ask(world, 1, product="tyruko").request.policy
    ask(world, 2, product="tyruko")
    ask(world, 3, product="tysabri", product_reason="intolerance")
    ask(world, 4)

    found = choices(world, COMMISSIONER)

    asked = ("tyruko",)
    assert found == (
        ProductChoice(policy, "DEMO1", None, False, asked, None, None, 1, 1),
        ProductChoice(policy, "DEMO1", "tyruko", True, asked, None, None, 2, 2),
        ProductChoice(policy, "DEMO1", "tysabri", False, asked, "intolerance", SAID, 1, 1),
    )
    assert choices(world, PHARMACIST) == found
    assert choices(world, COMMISSIONER, policy="another-policy") == ()
    assert choice_lines(found)[2] == (
        f"{policy} at DEMO1, tysabri, asked first: tyruko, because intolerance ({SAID}): "
        "1 requests, 1 approved"
    )


def test_a_request_outside_the_period_or_the_rules_days_is_not_counted(world: World) -> None:
    world.on(dt.date(2027, 1, 2))  # the policy names no product for 2027
    ask(world, 1, product="tysabri")
    january = (dt.date(2027, 1, 1), dt.date(2027, 1, 31))
    found = world.do(lambda w: product_choices(w, world.office.library, COMMISSIONER, *january))
    assert found == ()
    assert choices(world, COMMISSIONER) == ()


def test_each_request_is_judged_by_the_products_of_its_own_day(world: World) -> None:
    world.on(dt.date(2026, 12, 31))
    ask(world, 1, product="tysabri", product_reason="intolerance")
    world.on(dt.date(2027, 1, 1))  # from now on the policy names no product
    ask(world, 2, product="tysabri")
    winter = (dt.date(2026, 12, 1), dt.date(2027, 1, 31))
    (found,) = world.do(lambda w: product_choices(w, world.office.library, COMMISSIONER, *winter))
    assert (found.reason, found.requests) == ("intolerance", 1)


def test_what_a_trust_pays_for_itself_counts_once_for_its_auditor(world: World) -> None:
    world.trial(patient=patient(1), commissioner="DEMO1", details=RequestDetails(product="tyruko"))
    ask(world, 2, product="tyruko")
    (found,) = choices(world, AUDITOR)
    assert found.requests == 2


@pytest.mark.parametrize("caller", [OTHER_COMMISSIONER, OTHER_CLINICIAN])
def test_another_organisation_sees_nothing_of_it(world: World, caller: Caller) -> None:
    ask(world, 1, product="tysabri", product_reason="intolerance")
    assert choices(world, caller) == ()


@pytest.mark.parametrize("caller", [AUTHOR, PANEL_MEMBER])
def test_other_roles_may_not_read_it(world: World, caller: Caller) -> None:
    with pytest.raises(NotAllowed):
        choices(world, caller)


def test_more_than_a_year_is_refused(world: World) -> None:
    year = (dt.date(2026, 1, 1), dt.date(2027, 1, 1))
    assert world.do(lambda w: product_choices(w, world.office.library, COMMISSIONER, *year)) == ()
    more = (dt.date(2026, 1, 1), dt.date(2027, 1, 2))
    with pytest.raises(DetailsNotAccepted, match="a year at most"):
        world.do(lambda w: product_choices(w, world.office.library, COMMISSIONER, *more))


def test_a_period_that_ends_before_it_begins_is_refused(world: World) -> None:
    with pytest.raises(DetailsNotAccepted, match="ends before it begins"):
        world.do(
            lambda w: product_choices(w, world.office.library, COMMISSIONER, *reversed(PERIOD))
        )
