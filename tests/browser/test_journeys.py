"""Every journey in every variant: scripts on and off, by keyboard alone, and on a phone."""

import itertools
import os
import time
from pathlib import Path

import pytest

from app.demonstration.organisations import only_in_the_browser, seats
from tests.browser.conftest import Visit, Walked
from tests.browser.journeys.all import EVERY, JOURNEYS, OWN
from tests.browser.journeys.model import Ground, Journey
from tests.browser.journeys.table import TABLE
from tests.browser.journeys.ways import by_turns, walks
from tests.browser.variants import EACH, Variant

#: A demonstration that runs already has patients of earlier walks.
_NUMBERS = itertools.count(
    60_000 + int(time.time()) % 39_000 if "ASSENT_BROWSER_ADDRESS" in os.environ else 56_000
)


@pytest.mark.parametrize(("journey", "variant"), walks(JOURNEYS))
def test_a_journey_is_walked(
    visit: Visit, walked: Walked, tmp_path: Path, journey: Journey, variant: Variant
) -> None:
    ground = Ground(
        enter=lambda who: visit(who, variant=variant),
        number=lambda: next(_NUMBERS),
        folder=tmp_path,
    )
    journey.walk(ground)
    walked(journey, variant)


@pytest.mark.parametrize("variant", EACH)
def test_every_role_has_a_journey_in_every_variant(variant: Variant) -> None:
    walked = {who for each in JOURNEYS if variant in each.variants for who in each.who}
    roles = {seat.role.value.replace(" ", "-") for seat in (*seats(), *only_in_the_browser())}
    assert {role for role in roles if not any(role in who for who in walked)} == set()


def test_every_journey_of_the_table_is_walked_in_every_way() -> None:
    """What `make browser` walks: of each line, its journeys together take each way."""
    ways = {
        line.asks: {way for each in EVERY if each.what in line.walks for way in each.variants}
        for line in TABLE
    }
    assert {asks: set(EACH) - walked for asks, walked in ways.items() if set(EACH) - walked} == {}


def test_the_table_names_every_journey_and_no_other() -> None:
    named = {what for line in TABLE for what in line.walks}
    assert named == {each.what for each in EVERY}


def test_a_change_is_walked_with_scripts_and_in_each_other_way() -> None:
    """What `.ci/run` walks: each journey with scripts, and over all of them every way often."""
    taken = {
        (each.what, way)
        for journeys in (JOURNEYS, OWN)
        for number, each in enumerate(journeys)
        for way in by_turns(number, each)
    }
    for line in TABLE:
        ways = {way for what, way in taken if what in line.walks}
        assert any(way.scripts for way in ways), line.asks
        assert len(ways) > 1, line.asks
    for way in EACH:
        assert sum(walked is way for _, walked in taken) > len(EVERY) // 5, way
