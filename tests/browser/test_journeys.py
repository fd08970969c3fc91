"""Every journey in every variant: scripts on and off, by keyboard alone, and on a phone."""

import itertools
import os
import time
from pathlib import Path

import pytest

from app.demonstration.organisations import only_in_the_browser, seats
from tests.browser.conftest import Visit
from tests.browser.journeys.all import JOURNEYS
from tests.browser.journeys.model import Ground, Journey
from tests.browser.variants import EACH, Variant

#: A demonstration that runs already has patients of earlier walks.
_NUMBERS = itertools.count(
    60_000 + int(time.time()) % 39_000 if "ASSENT_BROWSER_ADDRESS" in os.environ else 56_000
)


def variants_of(number: int, journey: Journey) -> list[Variant]:
    """With scripts, and one of the other ways by turns; with ASSENT_EVERY_WALK every way.

    All of them take half an hour of two processors, which is too much for every change.
    """
    if os.environ.get("ASSENT_EVERY_WALK"):
        return list(journey.variants)
    first, *others = sorted(journey.variants, key=lambda each: each is not Variant.SCRIPTS)
    return [first, *others[number % len(others) : number % len(others) + 1]] if others else [first]


@pytest.mark.parametrize(
    ("journey", "variant"),
    [
        pytest.param(each, variant, id=f"{each.who[0] or 'anybody'} {each.what}, {variant}")
        for number, each in enumerate(JOURNEYS)
        for variant in variants_of(number, each)
    ],
)
def test_a_journey_is_walked(
    visit: Visit, tmp_path: Path, journey: Journey, variant: Variant
) -> None:
    ground = Ground(
        enter=lambda who: visit(who, variant=variant),
        number=lambda: next(_NUMBERS),
        folder=tmp_path,
    )
    journey.walk(ground)


@pytest.mark.parametrize("variant", EACH)
def test_every_role_has_a_journey_in_every_variant(variant: Variant) -> None:
    walked = {who for each in JOURNEYS if variant in each.variants for who in each.who}
    roles = {seat.role.value.replace(" ", "-") for seat in (*seats(), *only_in_the_browser())}
    assert {role for role in roles if not any(role in who for who in walked)} == set()
