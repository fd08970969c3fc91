"""Every journey in every variant: scripts on and off, by keyboard alone, and on a phone."""

import itertools
import os
import time
from pathlib import Path

import pytest

from tests.browser.conftest import Visit
from tests.browser.journeys.all import JOURNEYS
from tests.browser.journeys.model import Ground, Journey
from tests.browser.variants import EACH, Variant

#: A demonstration that runs already has patients of earlier walks.
_NUMBERS = itertools.count(
    60_000 + int(time.time()) % 39_000 if "ASSENT_BROWSER_ADDRESS" in os.environ else 56_000
)


@pytest.mark.parametrize("variant", EACH)
@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda each: f"{each.who[0]} {each.what}")
def test_a_journey_is_walked(
    visit: Visit, tmp_path: Path, journey: Journey, variant: Variant
) -> None:
    ground = Ground(
        enter=lambda who: visit(who, variant=variant),
        number=lambda: next(_NUMBERS),
        folder=tmp_path,
    )
    journey.walk(ground)
