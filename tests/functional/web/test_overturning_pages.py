"""Overturning an urgent start in the browser: the panel's form, the clinician's page, the PDF."""

import json
import re

import pytest
from fastapi import FastAPI

from app.api.request_bodies import InitiationBody
from app.approvals import submitting
from app.approvals.model import RequestView
from app.approvals.office import change_setting
from app.db.work import Work
from app.web import requests as request_pages
from app.web.words import day_words
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_hostile_input import HOSTILE, SCRIPT
from tests.urgent import first_dose, urgent_form
from tests.world import CLINICIAN

WORDS = {"reason": "Not of a kind that is funded.", "no_interest": "yes"}


@pytest.fixture
def urgent(application: FastAPI) -> str:
    """An urgent start that waits for the panel DEMP1: the path of its request."""

    def settle(work: Work) -> None:
        day = work.moment.day.replace(month=1, day=1)
        change_setting(work, "DEMQ1", "panel", "DEMP1", day, ADMINISTRATOR.id)

    door = application.state.door
    door.transact(settle)
    office, day = application.state.office, door.moment().day
    form = InitiationBody.model_validate_json(json.dumps(urgent_form(61_001, day)))

    def send(work: Work) -> RequestView:
        command = form.to_command(office.library_at(work), day)
        return submitting.submit_initiation(work, office, CLINICIAN, command)

    view = door.transact(send)
    assert view.request.state == "referred"
    return f"/requests/{view.request.id}"


def main_of(person: Person, at: str) -> str:
    text = person.get(at).text.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_an_urgent_start_shows_its_own_form_in_place_of_a_plain_decline(
    enter: Enter, urgent: str
) -> None:
    member = enter("demp1-panel-member")
    shown = member.get(urgent).text
    assert f'action="{urgent}/panel-overturn"' in shown
    assert f'action="{urgent}/panel-decline"' not in shown
    text = main_of(member, urgent)
    assert "Authorised before the form" in text
    assert "consultant haematologist on call (the panel's emergency line)" in text.replace(
        "&#39;", "'"
    )
    assert "Doses given before this decision" in text
    plain, _ = sent(enter("demo1-clinician"), ANSWERS | {"screened": "no"})
    other = member.get(f"/requests/{plain}").text
    assert "panel-overturn" not in other
    assert f'action="/requests/{plain}/panel-decline"' in other
    # It is not plainly declined by a form of its own making either.
    forced = member.send(urgent, f"{urgent}/panel-decline", **WORDS)
    assert forced.status_code == 409
    assert "Overturn the urgent start" in forced.text


@pytest.mark.parametrize("paid", [True, False])
def test_the_panel_rules_and_the_clinician_and_the_sheet_say_what_is_paid(
    enter: Enter, application: FastAPI, urgent: str, paid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = application.state.door.moment().day
    first, last = day_words(first_dose(today)), day_words(today)
    member, doctor = enter("demp1-panel-member"), enter("demo1-clinician")
    at = f"{urgent}/panel-overturn"
    unsaid = member.send(urgent, at, **WORDS)
    assert unsaid.status_code == 422
    assert "choose one of the two" in unsaid.text
    assert WORDS["reason"] in unsaid.text  # nothing that was typed is lost
    unreasoned = member.send(urgent, at, doses_given="paid")
    assert unreasoned.status_code == 422
    assert 'id="panel-overturn-reason-error"' in unreasoned.text
    assert re.search(r'id="doses-paid"[^>]*checked', unreasoned.text)
    undeclared = member.send(urgent, at, doses_given="paid", reason=WORDS["reason"])
    assert undeclared.status_code == 422
    assert 'href="#panel-overturn-interest"' in undeclared.text
    far = {"paid_to-day": "1", "paid_to-month": "1", "paid_to-year": "2020"}
    wrong = member.send(urgent, at, doses_given="paid", **WORDS, **far)
    assert wrong.status_code == 422
    assert first in wrong.text
    assert 'value="2020"' in wrong.text
    assert WORDS["reason"] in wrong.text
    none = member.send(urgent, at, doses_given="paid", **WORDS, **{"paid_to-day": "31"})
    assert "Enter the last day that is paid for" in none.text

    fields = {"doses_given": "paid"} if paid else {"doses_given": "not paid", **far}
    done = member.send(urgent, at, **WORDS, **fields)
    assert done.status_code == 303, done.text

    text = main_of(doctor, urgent)
    assert "Declined: urgent start overturned" in text
    assert text.count(WORDS["reason"]) == 1
    assert "ask the commissioner for individual funding" in text
    assert "Ask for individual funding" in text
    assert "decision of the clinician and the patient" in text
    if paid:
        assert f"{first} up to and including {last}" in text
        assert "Later doses No approval" in text
        reference = re.findall(r"PA[0-9A-Z]{8,}", text)[0]
        assert "What pays for doses given under the urgent start goes with it" in text
    else:
        assert "Not paid" in text
        assert not re.search(r"PA[0-9A-Z]{8,}", text)
    assert "What it covers" not in text
    treatment = re.findall(r'href="(/treatments/[0-9a-f-]{36})"', doctor.get(urgent).text)[0]
    shown = main_of(doctor, treatment)
    assert ("Doses given only" in shown) is paid
    assert "Live" not in shown
    assert "Record that it was stopped" in shown
    assert ("Switch to another product" in shown) is not paid
    assert ("Continue this treatment" in shown) is not paid
    for path in ("/", "/reminders"):
        assert treatment not in doctor.get(path).text

    sheets: list[str] = []
    monkeypatch.setattr(request_pages, "sets_pdfs", lambda: True)
    monkeypatch.setattr(request_pages, "as_pdf", lambda sheet: sheets.append(sheet) or b"%PDF-")
    assert doctor.get(f"{urgent}/decision.pdf").status_code == 200
    assert "Doses given under the urgent start" in sheets[0]
    assert ("Approval reference" in sheets[0]) is False
    if paid:
        assert reference in sheets[0]
        assert f"{first} up to and including {last}" in sheets[0]

    minutes = main_of(member, "/minutes")
    assert "1 urgent start overturned" in minutes
    words = f"Doses given from {first} " + (
        f"up to and including {last}: paid." if paid else "on: not paid."
    )
    assert words in minutes


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_words_in_any_field_are_refused_or_kept_and_never_run(
    enter: Enter, urgent: str, name: str
) -> None:
    member, at, words = enter("demp1-panel-member"), f"{urgent}/panel-overturn", HOSTILE[name]
    for field in ("doses_given", "paid_to-day", "paid_to-month", "paid_to-year", "no_interest"):
        reply = member.send(urgent, at, **{"doses_given": "paid", **WORDS, field: words})
        assert reply.status_code in (303, 400, 422), reply.text
        assert SCRIPT not in reply.text
        if reply.status_code == 303:
            pytest.fail(f"{field} took {name}")
    reply = member.send(urgent, at, doses_given="not paid", reason=words, no_interest="yes")
    assert reply.status_code in (303, 400, 422), reply.text
    for who in ("demp1-panel-member", "demo1-clinician"):
        assert SCRIPT not in enter(who).get(urgent).text


def test_it_is_the_commissioners_form_where_it_decides_in_a_panels_place(
    enter: Enter, application: FastAPI, urgent: str
) -> None:
    payer = enter("demq1-commissioner")
    assert "panel-overturn" not in payer.get(urgent).text
    doctor = enter("demo1-clinician")
    assert "panel-overturn" not in doctor.get(urgent).text
    refused = doctor.send(urgent, f"{urgent}/panel-overturn", doses_given="paid", **WORDS)
    assert refused.status_code == 403
