"""Journeys on a service of this process: two of a panel, a job that waits, a person held up."""

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.approvals.office import change_setting
from app.db.work import Work
from app.reconciliation import pseudonym_reach
from app.reconciliation.service import key_of
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.browser.conftest import Visit, Walked
from tests.browser.journeys import held_up, two_members
from tests.browser.journeys.asking import a_request
from tests.browser.journeys.desk import PAYER
from tests.browser.journeys.held_up import OwnGround
from tests.browser.journeys.model import Journey
from tests.browser.journeys.ways import walks
from tests.browser.served import served
from tests.browser.variants import Variant
from tests.functional.approvals.scene import SUBMISSION_ROW, work_off
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.hostile_scene import lines
from tests.pattern_policies import asking_for_two, waivable
from tests.policies.library import packaged_library
from tests.world import COMMISSIONER

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


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
def test_a_line_whose_patient_is_being_prepared_is_looked_at_by_axe(
    visit: Visit,
    tmp_path: Path,
    service: tuple[FastAPI, str],
    monkeypatch: pytest.MonkeyPatch,
    phone: bool,
) -> None:
    application, _ = service
    number = next(_NUMBERS)
    a_request(visit("demo1-clinician", scripts=False), number)
    key = key_of(application.state.desk, COMMISSIONER)
    assert key is not None
    pseudonym = key.of_nhs_number(invented_nhs_number(number))
    cost = f"{number / 100:.2f}"
    row = {"NHS NUMBER": "", "NHS NUMBER PSEUDONYM": pseudonym, "TOTAL COST": cost}
    file = tmp_path / "pseudonyms.csv"
    file.write_bytes(lines(SUBMISSION_ROW | row))
    payer = visit(PAYER, phone=phone)
    payer.go("/submissions").attach(file)
    payer.click("See what it would change")
    payer.click("Accept the file and reconcile it")
    work_off(application)
    payer.wait_for("/submissions/runs/*")
    monkeypatch.setattr(pseudonym_reach, "MOST_COMPARED", 0)
    payer.go(f"{payer.at}/lines/1")
    assert payer.text.count("Not shown yet: the service is still working out") == 2


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
