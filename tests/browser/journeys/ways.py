"""Which journey is walked in which ways: every way by `make browser`, two by turns by `.ci/run`."""

import os
from collections.abc import Sequence

import pytest

from tests.browser.journeys.model import Journey
from tests.browser.variants import Variant

#: Set by `make browser`.
EVERY_WALK = "ASSENT_EVERY_WALK"


def by_turns(number: int, journey: Journey) -> list[Variant]:
    """With scripts, and one of the other ways by the journey's number.

    All of them take more than half an hour of two processors, which is too much for every change.
    """
    first, *others = sorted(journey.variants, key=lambda each: each is not Variant.SCRIPTS)
    return [first, *others[number % len(others) : number % len(others) + 1]] if others else [first]


def walks(journeys: Sequence[Journey]) -> list[object]:
    """Each journey with each of its ways, for a parametrised test."""
    every = EVERY_WALK in os.environ
    return [
        pytest.param(each, variant, id=f"{each.who[0] or 'anybody'} {each.what}, {variant}")
        for number, each in enumerate(journeys)
        for variant in (each.variants if every else by_turns(number, each))
    ]
