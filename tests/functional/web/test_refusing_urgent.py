"""In the browser: a commissioner that does not fund an urgent start rules on doses given."""

import json
import re

import pytest
from fastapi import FastAPI

from app.api.request_bodies import InitiationBody
from app.approvals import submitting
from app.approvals.model import RequestView
from app.db.work import Work
from app.web.words import day_words
from tests.functional.web.conftest import Enter
from tests.functional.web.test_overturning_pages import main_of
from tests.urgent import first_dose, urgent_form
from tests.world import CLINICIAN

WHY = "Others like them are not funded either."


@pytest.fixture
def asked(application: FastAPI) -> str:
    """An urgent start for which individual funding is asked: the path of its request."""
    door, office = application.state.door, application.state.office
    day = door.moment().day
    typed = urgent_form(61_021, day) | {"route": "individual funding"}
    form = InitiationBody.model_validate_json(json.dumps(typed))

    def send(work: Work) -> RequestView:
        command = form.to_command(office.library_at(work), day)
        return submitting.submit_initiation(work, office, CLINICIAN, command)

    return f"/requests/{door.transact(send).request.id}"


@pytest.mark.parametrize("paid", [True, False])
def test_declining_it_asks_for_doses_given_and_keeps_what_was_typed(
    enter: Enter, application: FastAPI, asked: str, paid: bool
) -> None:
    payer, person = enter("demq1-commissioner"), enter("demo1-clinician")
    shown = payer.get(asked).text
    assert f'action="{asked}/panel-overturn"' not in shown
    assert "Doses given before this decision" in main_of(payer, asked)
    at = f"{asked}/refuse-funding"
    silent = payer.send(asked, at, reason=WHY)
    assert silent.status_code == 422
    assert "Say whether doses given are paid for" in silent.text
    assert WHY in silent.text
    unsaid = payer.send(asked, at, doses_given="paid")
    assert unsaid.status_code == 422
    assert "Say why: nothing was done without it" in unsaid.text
    doses = "paid" if paid else "not paid"
    done = payer.send(asked, at, reason=WHY, doses_given=doses)
    assert done.headers["location"] == asked, done.text
    first = day_words(first_dose(application.state.door.moment().day))
    text = main_of(person, asked)
    assert "Declined: urgent start overturned" in text
    assert WHY in text
    assert ("Reference for these days" in text) is paid
    assert first in text
    assert bool(re.search(r"Doses given before\s+Not paid", text)) is not paid
    assert payer.send(asked, at, reason=WHY, doses_given=doses).status_code == 409


def test_of_another_request_nothing_is_asked_about_doses(enter: Enter, asked: str) -> None:
    other = enter("demq2-commissioner")
    assert other.get(asked).status_code == 404
    refused = other.send("/", f"{asked}/refuse-funding", reason=WHY, doses_given="paid")
    assert refused.status_code == 404
    assert (
        enter("demo1-clinician")
        .send(asked, f"{asked}/refuse-funding", reason=WHY, doses_given="paid")
        .status_code
        == 403
    )
