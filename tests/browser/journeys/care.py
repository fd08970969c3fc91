"""The care team's other journeys: steps of a treatment, corrections, checks, lists, the glass."""

import datetime as dt
import re

from app.policy import Kind
from app.reference_data.nhs_number import format_nhs_number
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case
from tests.browser.files import a_file
from tests.browser.journeys.asking import CLINICIAN, a_form, a_request, answer_review
from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep
from tests.browser.visitor import Visitor


def a_treatment(visitor: Visitor, number: int) -> str:
    """An approved treatment whose first dose is recorded: its path."""
    a_request(visitor, number)
    assert visitor.heading == "Approved", visitor.text
    visitor.click("The treatment", role="link")
    return visitor.at


def days_on(days: int) -> str:
    """A day from now, as the pages take it."""
    return (dt.date.today() + dt.timedelta(days)).isoformat()  # noqa: DTZ011


def change(visitor: Visitor, treatment: str, label: str, key: str, day: str) -> None:
    """Open the form of a change on the treatment's page and type its day."""
    visitor.go(treatment)
    visitor.interactions += 1
    visitor.hand.press(visitor.page.locator("summary").filter(has_text=label))
    visitor.fill_day(key, day)


def _steps(ground: Ground) -> None:
    visitor = ground.enter(CLINICIAN)
    treatment = a_treatment(visitor, ground.number())
    if visitor.page.locator("summary").filter(has_text="Record the first dose").count():
        change(visitor, treatment, "Record the first dose", "first_dose", days_on(0))
        visitor.click("Record")
        assert "Not recorded yet" not in visitor.text
    change(visitor, treatment, "Change the dose", "dose-change", days_on(7))
    visitor.fill("dose_amount", "40")
    visitor.fill("dose_unit", "mg")
    visitor.fill("dose_every_days", "7")
    visitor.click("Change the dose")
    assert "dose" in visitor.text
    change(visitor, treatment, "Pause it", "pause", days_on(20))
    visitor.click("Pause it")
    change(visitor, treatment, "Resume it after a pause", "resume", days_on(30))
    visitor.click("Resume it after a pause")
    change(visitor, treatment, "Record that it was stopped", "stop", days_on(0))
    visitor.choose("stop_reason", "adverse effect")
    visitor.click("Record that it was stopped")
    visitor.go(treatment)
    assert "Stopped" in visitor.text, visitor.text


def _switch(ground: Ground) -> None:
    """To another product of the drug: the days from then on are covered for that one."""
    visitor = ground.enter(CLINICIAN)
    treatment = a_treatment(visitor, ground.number())
    change(visitor, treatment, "Switch to another product", "switch", days_on(0))
    visitor.choose("product", "imraldi")
    visitor.click("Switch to another product")
    assert visitor.heading == "Approved", visitor.text
    visitor.go(treatment)
    covered = visitor.page.get_by_role("region", name="Covered days")
    assert "Imraldi" in covered.inner_text(), visitor.text


def _timeline(ground: Ground) -> None:
    """From the treatment and from a search: the scores as a course, what happened, the forms."""
    visitor = ground.enter(CLINICIAN)
    number = ground.number()
    treatment = a_treatment(visitor, number)
    visitor.click("Continue this treatment")
    answer_review(visitor)
    visitor.go(treatment)
    visitor.click("The patient's timeline", role="link")
    assert visitor.heading.endswith("Timeline")
    assert visitor.at == f"{treatment}/timeline"
    assert "DAS28" in visitor.text
    assert "6.0, then 2.5" in visitor.text, visitor.text
    assert visitor.page.locator("svg[role=img]").count() == 1
    assert "approved by the policy" in visitor.text, visitor.text
    keep(visitor, "timeline")
    visitor.press(visitor.page.locator("ol a").first)
    visitor.go(f"{treatment}/timeline").click("The treatment", role="link")
    assert visitor.at == treatment
    payer = ground.enter("demq1-commissioner").go(f"{treatment}/timeline")
    assert "Pseudonym" in payer.text
    assert format_nhs_number(invented_number(number)) not in payer.text


def _transfer(ground: Ground) -> None:
    visitor = ground.enter(CLINICIAN)
    treatment = a_treatment(visitor, ground.number())
    change(visitor, treatment, "Hand it over to another hospital", "transfer", days_on(7))
    visitor.choose("to_provider", "DEMO2")
    visitor.click("Hand it over to another hospital")
    at = visitor.at
    assert "Waiting for the receiving provider" in visitor.text, visitor.text
    receiver = ground.enter("demo2-clinician")
    receiver.press(receiver.page.locator(f'main a[href="{at}"]'))
    receiver.click("Take the treatment over")
    assert receiver.heading == "Approved", receiver.text


def _correction(ground: Ground) -> None:
    visitor = ground.enter(CLINICIAN)
    visitor.expected = {422}
    at, _ = a_request(visitor, ground.number(), das28_at_start="4.0")
    assert "Criteria not met" in visitor.heading
    visitor.go(f"{at}/correct")
    visitor.tick("q-das28_at_start")
    visitor.click("Continue")
    visitor.click("See what it would change")
    assert "Say why" in visitor.text
    visitor.fill("a.das28_at_start", "6.2")
    visitor.fill("reason", "The score was copied from another visit.")
    visitor.click("See what it would change")
    assert "Nothing is done yet" in visitor.text
    visitor.click("Go back and change it")
    assert visitor.page.locator('[id="a.das28_at_start"]').input_value() == "6.2"
    visitor.click("See what it would change")
    visitor.click("Send the new answers")
    assert visitor.heading == "Approved", visitor.text
    assert visitor.take("Take the decision as a PDF").startswith(b"%PDF-")


def _supply(ground: Ground) -> None:
    visitor = ground.enter("demo1-delegate")
    visitor.click("Check a supply", role="link")
    visitor.fill("nhs_number", format_nhs_number(invented_number(800)))
    visitor.fill_day("birth_date", "1970-01-01")
    visitor.fill("drug", "Humira 40mg pen")
    visitor.fill("quantity", "2")
    visitor.click("Check this supply")
    assert "It would be challenged" in visitor.text
    assert "Submit a request" in visitor.text
    visitor.attach(a_file(ground.folder, "120.50"))
    visitor.click("Check the file")
    assert "1 line of 1 would be challenged" in visitor.heading
    visitor.click("Check it again")
    assert "1 line of 1 would be challenged" in visitor.heading
    assert b"ASSENT REMEDY" in visitor.take("Take the file with outcome and remedy")
    visitor.click("Erase it here")
    assert visitor.heading == "Check a supply before it is invoiced"


def _break_glass(ground: Ground) -> None:
    number = ground.number()
    _, born = a_request(ground.enter(CLINICIAN), number)
    visitor = ground.enter("demo2-clinician")
    visitor.click("Find a patient", role="link")
    visitor.fill("number", invented_number(number))
    visitor.click("Find")
    assert "0 treatments found" in visitor.text
    visitor.click("For the patient's safety", role="link")
    visitor.fill("nhs_number", invented_number(number))
    visitor.fill_day("birth_date", born)
    visitor.choose("reason", "emergency")
    visitor.fill("words", "Unconscious in the emergency department.")
    visitor.click("Open the record")
    assert "What other hospitals hold" in visitor.heading
    assert re.search(r"Adalimumab, at DEMO1", visitor.text)
    visitor.go("/")
    banner = visitor.page.locator(".app-glass").last
    assert "Break-glass access is open until" in banner.inner_text()
    visitor.press(banner.get_by_role("link"))
    visitor.click("End the access")


def _already_there(ground: Ground) -> None:
    """A first request for a patient who has the treatment: it is said, and the way on taken."""
    visitor = ground.enter(CLINICIAN)
    number = ground.number()
    treatment = a_treatment(visitor, number)
    case = approved_case("biologics", Kind.INITIATION)
    assert case.context.birth_date is not None
    visitor.go("/start").fill("q", "adalimumab")
    visitor.click("Find the form")
    assert "Is approval needed?" in visitor.text
    visitor.press(visitor.page.locator('main a[href^="/start/adalimumab-ra-severe"]'))
    visitor.fill("patient.nhs_number", invented_number(number))
    visitor.fill_day("patient.birth_date", case.context.birth_date.isoformat())
    visitor.choose("patient.sex", case.context.sex or "female")
    visitor.click("Continue")
    assert visitor.heading.endswith("Before you go on"), visitor.text
    assert "This is a continuation" in visitor.text
    assert visitor.page.locator(f'main a[href="{treatment}"]').count() == 1
    keep(visitor, "already-there")
    visitor.click("Continue this treatment instead")
    assert visitor.at.startswith("/drafts/"), visitor.at
    assert "begun" not in visitor.at, visitor.text


def _lists(ground: Ground) -> None:
    """From the heading of a list to all of it, and back."""
    visitor = ground.enter(CLINICIAN)
    a_form(visitor, "biologics", ground.number())
    visitor.go("/")
    visitor.press(visitor.page.locator('main a[href="/worklists/drafts"]').first)
    assert visitor.heading.startswith("Drafts ("), visitor.text
    keep(visitor, "worklist")
    visitor.click("Home", role="link", last=False)
    headings = visitor.page.locator('main h2 a[href^="/worklists/"]')
    for path in headings.evaluate_all("links => links.map(a => a.pathname)"):
        assert re.search(r" \(\d+", visitor.go(path).heading), path
    panel = ground.enter("demp1-panel-member").go("/worklists/panel")
    assert panel.heading.startswith("Waiting for the panel"), panel.text


JOURNEYS = (
    Journey((CLINICIAN,), "asks for what there is already", "/", _already_there),
    Journey((CLINICIAN, "demp1-panel-member"), "reads a list to its end", "/", _lists),
    Journey((CLINICIAN,), "records what becomes of a treatment", "/", _steps),
    Journey((CLINICIAN,), "switches to another product", "/", _switch),
    Journey((CLINICIAN, "demq1-commissioner"), "reads a patient's timeline", "/", _timeline),
    Journey((CLINICIAN, "demo2-clinician"), "hands a treatment over", "/", _transfer),
    Journey((CLINICIAN,), "corrects an answer", "/", _correction),
    Journey(("demo1-delegate",), "checks a supply and a draft file", "/", _supply),
    Journey(("demo2-clinician", CLINICIAN), "breaks the glass", "/patients", _break_glass),
)
