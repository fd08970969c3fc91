"""The care team's other pages: check a supply, correct, attach, ask for money, break the glass."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.policy import Kind
from app.reference_data.nhs_number import format_nhs_number
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case, plain
from tests.browser.conftest import Visit
from tests.browser.test_asking import answer_all, begin
from tests.browser.test_desk import a_file
from tests.browser.visitor import Visitor
from tests.functional.web.test_attachments import PDF

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
_NUMBERS = {True: 55_060, False: 55_070}


def a_request(visitor: Visitor, number: int, **answers: Any) -> tuple[str, str]:
    """Send a form: the path of the request, and the patient's day of birth."""
    case = approved_case("biologics", Kind.INITIATION)
    visitor.go("/start")
    begin(visitor, "adalimumab-ra-severe", case, invented_number(number), "DEMQ1")
    answer_all(visitor, plain(case.answers) | answers)
    visitor.click("Send the request")
    assert case.context.birth_date is not None
    return visitor.page.url.removeprefix(visitor.address), case.context.birth_date.isoformat()


@SCRIPTS
def test_a_supply_and_a_draft_file_are_checked(visit: Visit, tmp_path: Path, scripts: bool) -> None:
    visitor = visit("demo1-delegate", scripts=scripts)
    visitor.click("Check a supply", role="link")
    visitor.fill("nhs_number", format_nhs_number(invented_number(800)))
    visitor.fill_day("birth_date", "1970-01-01")
    visitor.fill("drug", "Humira 40mg pen")
    visitor.fill("quantity", "2")
    visitor.click("Check this supply")
    assert "It would be challenged" in visitor.text
    assert "Submit a request" in visitor.text
    visitor.page.set_input_files("#file", a_file(tmp_path, "120.50"))
    visitor.click("Check the file")
    assert "1 line of 1 would be challenged" in visitor.heading
    with visitor.page.expect_download() as taken:
        visitor.page.get_by_role("link", name="Take the file").click()
    assert "ASSENT REMEDY" in taken.value.path().read_text()
    visitor.click("Erase it here")
    assert visitor.heading == "Check a supply before it is invoiced"


@SCRIPTS
def test_an_answer_is_corrected_after_seeing_what_it_changes(visit: Visit, scripts: bool) -> None:
    visitor = visit("demo1-clinician", scripts=scripts)
    visitor.expected = {422}
    at, _ = a_request(visitor, _NUMBERS[scripts], das28_at_start="4.0")
    assert "Criteria not met" in visitor.heading
    visitor.go(f"{at}/correct")
    visitor.page.locator("#q-das28_at_start").check()
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
    with visitor.page.expect_download() as taken:
        visitor.page.get_by_role("link", name="Take the decision as a PDF").click()
    assert taken.value.path().read_bytes().startswith(b"%PDF-")


@SCRIPTS
def test_a_refusal_becomes_an_individual_funding_request_with_its_evidence(
    visit: Visit, tmp_path: Path, scripts: bool
) -> None:
    visitor = visit("demo1-clinician", scripts=scripts)
    a_request(visitor, _NUMBERS[scripts] + 1, das28_at_start="4.0")
    visitor.page.locator("#individual-funding summary").click()
    visitor.fill("case", "Ultrasound shows disease that the score misses.")
    visitor.click("Prepare the request")
    assert visitor.heading.endswith("Check your answers"), visitor.text
    visitor.click("Send the request")
    assert "With people who decide" in visitor.heading
    at = visitor.page.url.removeprefix(visitor.address)
    visitor.click("Attach a file, or take one away", role="link")
    file = tmp_path / "report.pdf"
    file.write_bytes(PDF)
    visitor.page.set_input_files("#file", file)
    visitor.fill("title", "Ultrasound report")
    visitor.page.locator("#shared-yes").check()
    visitor.click("Attach it")
    assert "Ultrasound report" in visitor.text
    payer = visit("demq1-commissioner", scripts=scripts).go(at)
    assert "Ultrasound shows disease" in payer.text
    payer.fill("case_reference", "IFR-1")
    payer.fill_day("from_day", "2026-06-01")
    payer.fill("terms", "One year.")
    payer.fill("fund-reason", "Exceptional circumstances were shown.")
    payer.click("Fund it outside the policy")
    assert payer.heading == "Approved", payer.text
    assert "Individual funding" in payer.text


@SCRIPTS
def test_the_glass_is_broken_and_the_access_ended(visit: Visit, scripts: bool) -> None:
    number = _NUMBERS[scripts] + 2
    _, born = a_request(visit("demo1-clinician", scripts=scripts), number)
    visitor = visit("demo2-clinician", scripts=scripts).go("/patients")
    visitor.click("For the patient's safety", role="link")
    visitor.fill("nhs_number", invented_number(number))
    visitor.fill_day("birth_date", born)
    visitor.choose("reason", "emergency")
    visitor.fill("words", "Unconscious in the emergency department.")
    visitor.click("Open the record")
    assert "What other hospitals hold" in visitor.heading
    assert re.search(r"Adalimumab, at DEMO1", visitor.text)
    visitor.go("/")
    banner = visitor.page.locator(".app-glass")
    assert "Break-glass access is open until" in banner.inner_text()
    banner.get_by_role("link").click()
    visitor.look().click("End the access")
    assert visitor.page.locator(".app-glass").count() == 0
