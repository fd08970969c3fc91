"""An urgent start told in the browser's form, from its page to the panel that overturns it."""

import datetime as dt
from typing import Any

import pytest
from fastapi import FastAPI

from app.approvals import drafting
from app.db.work import Work
from app.policy import Kind, Outcome
from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.browser.cases import case_with, plain
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import begun as plain_draft
from tests.functional.web.test_overturning_pages import main_of
from tests.urgent import POLICY, first_dose
from tests.world import CLINICIAN

START = f"/start/{POLICY}"


def boxes(name: str, day: dt.date) -> dict[str, str]:
    return {
        f"{name}-day": str(day.day), f"{name}-month": str(day.month), f"{name}-year": str(day.year)
    }  # fmt: skip


def told(first: dt.date, **changes: str) -> dict[str, str]:
    return {
        **boxes("first_dose", first),
        **boxes("authorised", first),
        "authorised_time": "00:30",
        "retrospective_reason": "urgent",
        "details.emergency.role": "consultant haematologist on call",
        "details.emergency.office": "the panel's emergency line",
    } | changes


@pytest.fixture
def today(application: FastAPI) -> dt.date:
    day: dt.date = application.state.door.moment().day
    return day


def begun(person: Person, number: int) -> str:
    """A draft of the policy with its patient filled in: its address."""
    born = case_with("immunoglobulin", Kind.INITIATION, Outcome.REFERRED).context
    assert born.birth_date is not None
    assert born.sex is not None
    typed = {
        "patient.nhs_number": format_nhs_number(test_number(number)),
        "patient.sex": born.sex,
        **boxes("patient.birth_date", born.birth_date),
    }
    reply = person.send(START, START, **typed)
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"]).removesuffix("/begun")


def to_urgent(person: Person, draft: str, decided: dt.date) -> str:
    """From the page about the treatment to that of the urgent start: its address."""
    at = f"{draft}/treatment"
    assert "It began urgently, before this form" in person.get(at).text
    days = boxes("decision_to_treat", decided)
    reply = person.send(at, at, commissioner="DEMQ1", urgent="yes", **days)
    assert reply.headers["location"] == f"{draft}/urgent", reply.text
    return f"{draft}/urgent"


def answer(application: FastAPI, draft: str) -> None:
    """The answers of the policy's own case, which it refers."""
    answers = plain(case_with("immunoglobulin", Kind.INITIATION, Outcome.REFERRED).answers)

    def write(work: Work) -> Any:
        held = drafting.find_draft(work, CLINICIAN, draft.rsplit("/", 1)[1])
        return drafting.change(work, CLINICIAN, held.id, held.form, answers, held.version)

    application.state.door.transact(write)


def test_a_clinician_tells_of_an_urgent_start_and_a_panel_overturns_it(
    enter: Enter, application: FastAPI, today: dt.date
) -> None:
    person, first = enter("demo1-clinician"), first_dose(today)
    draft = begun(person, 64_001)
    at = to_urgent(person, draft, first)
    # Nothing is wrong with a page that nobody has filled in.
    assert "Error" not in main_of(person, at)
    went = person.send(at, at, **told(first))
    assert went.headers["location"].startswith(f"{draft}/part-"), went.text
    assert "first_dose-day" not in person.get(f"{draft}/treatment").text, "it is asked once"
    answer(application, draft)
    check = main_of(person, f"{draft}/check")
    for words in (
        "Urgent start",
        "consultant haematologist on call",
        "Bleeding or a procedure could not wait",
        "sent to people to decide",
    ):
        assert words in check, words
    reply = person.send(f"{draft}/check", f"{draft}/submit")
    assert reply.status_code == 303, reply.text
    request = str(reply.headers["location"])
    assert "Authorised before the form" in main_of(person, request)

    payer = enter("demq1-commissioner")
    ruled = payer.send(
        request, f"{request}/panel-overturn", reason="Not of a kind.", doses_given="paid"
    )
    assert ruled.headers["location"] == request, ruled.text
    assert "Declined: urgent start overturned" in main_of(person, request)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"details.emergency.role": ""}, "Role of whoever authorised it: Fill this in."),
        ({"details.emergency.office": ""}, "Office that authorised it: Fill this in."),
        ({"authorised_time": ""}, "Enter the time at which it was authorised"),
        ({"authorised_time": "25:00"}, "Enter the time at which it was authorised"),
        ({"authorised-day": "31", "authorised-month": "2"}, "Enter the day on which it was"),
        ({"retrospective_reason": ""}, "Give one of the policy&#39;s reasons"),
        ({"first_dose-day": "32"}, "Enter a real day"),
    ],
)
def test_what_is_missing_or_wrong_is_said_on_the_page_and_kept(
    enter: Enter, today: dt.date, changes: dict[str, str], said: str
) -> None:
    person, first = enter("demo1-clinician"), first_dose(today)
    draft = begun(person, 64_002)
    at = to_urgent(person, draft, first)
    assert person.send(at, at, **told(first, **changes)).headers["location"] == at
    page = person.get(at).text
    assert said in page.replace("&#x27;", "&#39;")
    assert "the panel" in page or "details.emergency.office" in changes


def test_a_fault_on_the_way_from_the_check_still_leads_back_to_it(
    enter: Enter, today: dt.date
) -> None:
    person, first = enter("demo1-clinician"), first_dose(today)
    draft = begun(person, 64_007)
    at = to_urgent(person, draft, first)
    wrong = {"authorised_time": "25:00", "from": "check"}
    assert person.send(at, at, **told(first, **wrong)).headers["location"] == f"{at}?from=check"
    went = person.send(f"{at}?from=check", at, **told(first, **{"from": "check"}))
    assert went.headers["location"] == f"{draft}/check"


def test_days_that_contradict_each_other_are_said_on_the_page(enter: Enter, today: dt.date) -> None:
    person, first = enter("demo1-clinician"), first_dose(today)
    draft = begun(person, 64_003)
    at = to_urgent(person, draft, first)
    later = boxes("authorised", first + dt.timedelta(days=1))
    person.send(at, at, **told(first, **later))
    assert "It was authorised after the first dose. Check both days." in person.get(at).text
    before = boxes("first_dose", first - dt.timedelta(days=1))
    days = boxes("authorised", first - dt.timedelta(days=2))
    person.send(at, at, **told(first, **before, **days))
    assert "The first dose is before the decision to treat" in person.get(at).text


def test_it_is_taken_back_and_the_day_of_the_first_dose_stays(enter: Enter, today: dt.date) -> None:
    person, first = enter("demo1-clinician"), first_dose(today)
    draft = begun(person, 64_004)
    at = to_urgent(person, draft, first)
    person.send(at, at, **told(first))
    back = person.send(at, at, not_urgent="yes")
    assert back.headers["location"].startswith(f"{draft}/part-")
    check = main_of(person, f"{draft}/check")
    assert "Role of whoever authorised it" not in check
    assert "an office let it begin before this form" in check
    assert 'name="first_dose-day"' in person.get(f"{draft}/treatment").text


def test_a_policy_that_permits_no_late_form_offers_none(enter: Enter) -> None:
    person = enter("demo1-clinician")
    draft = f"/drafts/{plain_draft(person, 'H064005', 64_005)}"
    assert "It began urgently" not in person.get(f"{draft}/treatment").text
    assert person.get(f"{draft}/urgent").status_code == 404
    assert person.send("/", f"{draft}/urgent", not_urgent="yes", version="1").status_code == 404


def test_another_hospital_has_no_part_in_it(enter: Enter, today: dt.date) -> None:
    person, other = enter("demo1-clinician"), enter("demo2-clinician")
    draft = begun(person, 64_006)
    assert other.get(f"{draft}/urgent").status_code == 404
    posted = {**told(first_dose(today)), "version": "1"}
    assert other.send("/", f"{draft}/urgent", **posted).status_code == 404
