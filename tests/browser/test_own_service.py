"""Journeys on a service of this process: two of a panel, a job that waits, a person held up."""

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.approvals.office import change_setting
from app.db.work import Work
from tests.browser.conftest import Visit, Walked
from tests.browser.journeys import held_up, two_members
from tests.browser.journeys.held_up import OwnGround
from tests.browser.journeys.model import Journey
from tests.browser.journeys.ways import walks
from tests.browser.served import served
from tests.browser.variants import Variant
from tests.functional.approvals.scene import work_off
from tests.functional.conftest import ADMINISTRATOR
from tests.pattern_policies import asking_for_two, waivable
from tests.policies.library import packaged_library

_NUMBERS = itertools.count(54_000)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, str]]:
    """The service with a policy that asks for two of the panel DEMP1."""

    def settle(work: Work) -> None:
        change_setting(work, "DEMQ1", "panel", "DEMP1", dt.date(2020, 1, 1), ADMINISTRATOR.id)

    library = waivable(asking_for_two(packaged_library()), "das28_at_start")
    with served(tmp_path_factory.mktemp("own"), library, settle) as made:
        yield made


@pytest.fixture(scope="module")
def address(service: tuple[FastAPI, str]) -> str:
    return service[1]


@pytest.mark.parametrize(("journey", "variant"), walks((*two_members.JOURNEYS, *held_up.JOURNEYS)))
def test_a_journey_is_walked_on_an_own_service(
    visit: Visit,
    walked: Walked,
    tmp_path: Path,
    service: tuple[FastAPI, str],
    journey: Journey,
    variant: Variant,
) -> None:
    application, _ = service

    def allow(steps: int) -> None:
        settings = application.state.settings
        application.state.settings = settings.model_copy(
            update={"requests_per_minute_of_people": steps}
        )

    journey.walk(
        OwnGround(
            enter=lambda who: visit(who, variant=variant),
            number=lambda: next(_NUMBERS),
            folder=tmp_path,
            work=lambda: work_off(application),
            allow=allow,
        )
    )
    walked(journey, variant)
