"""An urgent start that an office authorised beforehand, told in the form and decided by a panel."""

import datetime as dt
from zoneinfo import ZoneInfo

from app.policy import Kind, Outcome
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import case_with, plain
from tests.browser.journeys.asking import CLINICIAN, answer_all
from tests.browser.journeys.model import Ground, Journey
from tests.browser.journeys.office import PANEL
from tests.browser.screens import keep
from tests.browser.visitor import Visitor
from tests.urgent import POLICY, first_dose

BY, FROM = "consultant haematologist on call", "the panel's emergency line"
CASE = case_with("immunoglobulin", Kind.INITIATION, Outcome.REFERRED)


def given() -> dt.date:
    """The day of the first dose, before the form of today."""
    return first_dose(dt.datetime.now(ZoneInfo("Europe/London")).date())


def for_a_patient(visitor: Visitor, number: int) -> None:
    """Begin a form of immunoglobulin, up to its page about the treatment."""
    visitor.go(f"/start/{POLICY}")
    visitor.fill("patient.nhs_number", invented_number(number))
    assert CASE.context.birth_date is not None
    visitor.fill_day("patient.birth_date", CASE.context.birth_date.isoformat())
    visitor.choose("patient.sex", CASE.context.sex or "female")
    visitor.click("Continue")
    visitor.fill_day("decision_to_treat", given().isoformat())
    chosen = visitor.page.locator('input[name="commissioner"]:checked, select[name="commissioner"]')
    if not (chosen.count() and chosen.input_value()):
        visitor.choose("commissioner", "DEMQ2")


def tell(visitor: Visitor) -> None:
    """Fill in the page of the urgent start, with its time wrong at first."""
    assert visitor.heading.endswith("An urgent start"), visitor.text
    assert visitor.page.locator(".nhsuk-error-summary").count() == 0, "nobody filled it in yet"
    if not visitor.page.locator('[id="first_dose-year"]').input_value():
        visitor.fill_day("first_dose", given().isoformat())
    visitor.choose("retrospective_reason", "urgent")
    visitor.fill("details.emergency.role", BY)
    visitor.fill("details.emergency.office", FROM)
    visitor.fill_day("authorised", given().isoformat())
    visitor.fill("authorised_time", "24:30")
    visitor.click("Continue")
    assert "Enter the time at which it was authorised" in visitor.text
    kept = visitor.page.locator('[id="details.emergency.office"]').input_value()
    assert kept == FROM, "nothing has to be typed again"
    keep(visitor, "urgent-start")
    visitor.fill("authorised_time", "00:30")
    visitor.click("Continue")


def _told_with_the_treatment(ground: Ground) -> None:
    doctor = ground.enter(CLINICIAN)
    for_a_patient(doctor, ground.number())
    doctor.click("It began urgently, before this form")
    tell(doctor)
    answer_all(doctor, plain(CASE.answers))
    for words in ("Urgent start", BY, FROM, "12:30am", "Bleeding or a procedure could not wait"):
        assert words in doctor.text, doctor.text
    assert "sent to people to decide" in doctor.text, doctor.text
    doctor.click("Send the request")
    assert "With people who decide" in doctor.heading, doctor.text
    sent = doctor.at
    assert f"Authorised before the form, on {given().day} {given():%B %Y}" in doctor.text
    doctor.page.go_back()  # what was sent is shown, and nothing is sent twice
    doctor.page.reload()
    assert doctor.at == sent
    member = ground.enter(PANEL)
    member.press(member.page.locator(f'main a[href="{sent}"]'))
    assert f"by the {BY} ({FROM})" in member.text, member.text
    member.unfold("#panel-overturn")
    assert member.page.locator("#panel-overturn-reason").is_visible()


def _remembered_at_the_check(ground: Ground) -> None:
    """Told at the check, taken back, and told once more: the draft is the same all along."""
    doctor = ground.enter(CLINICIAN)
    for_a_patient(doctor, ground.number())
    doctor.click("Continue")
    answer_all(doctor, plain(CASE.answers))
    check = doctor.at
    doctor.click("The treatment began urgently", role="link")
    tell(doctor)
    assert doctor.at == check
    assert BY in doctor.text
    doctor.press(doctor.page.locator(f'main a[href*="/urgent?from=check#{CSS_ROLE}"]'))
    assert doctor.page.locator('[id="details.emergency.role"]').input_value() == BY
    doctor.click("It was no urgent start")
    assert doctor.at == check
    assert BY not in doctor.text, doctor.text
    assert "The treatment began urgently" in doctor.text


CSS_ROLE = "details.emergency.role"
JOURNEYS = (
    Journey((CLINICIAN, PANEL), "tells of an urgent start", "/", _told_with_the_treatment),
    Journey((CLINICIAN,), "says at the check that it was urgent", "/", _remembered_at_the_check),
)
