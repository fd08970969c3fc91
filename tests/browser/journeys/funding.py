"""Individual funding: from a refusal to the invoice line that is paid by it, or declined."""

from tests.browser.files import supplied_today
from tests.browser.journeys.asking import CLINICIAN, a_request
from tests.browser.journeys.care import days_on
from tests.browser.journeys.desk import PAYER, a_run, amount_of
from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep
from tests.browser.visitor import Visitor
from tests.functional.web.test_attachments import PDF

CASE = "Ultrasound shows disease that the score misses."


def _asked(ground: Ground, visitor: Visitor, number: int) -> tuple[str, str]:
    """From a refused first request to one for individual funding: its path, the day of birth."""
    _, born = a_request(visitor, number, das28_at_start="4.0")
    assert "Criteria not met" in visitor.heading, visitor.text
    keep(visitor, "criteria-not-met")
    visitor.unfold("#individual-funding")
    visitor.fill("case", CASE)
    visitor.click("Prepare the request")
    assert visitor.heading.endswith("Check your answers"), visitor.text
    visitor.click("Send the request")
    assert "With people who decide" in visitor.heading
    at = visitor.at
    visitor.click("Attach a file, or take one away", role="link")
    file = ground.folder / "report.pdf"
    file.write_bytes(PDF)
    visitor.attach(file)
    visitor.fill("title", "Ultrasound report")
    visitor.choose("shared", visitor.page.locator("#shared-yes").get_attribute("value") or "")
    visitor.click("Attach it")
    assert "Ultrasound report" in visitor.text
    return at, born


def _funded_and_matched(ground: Ground) -> None:
    visitor, number = ground.enter(CLINICIAN), ground.number()
    at, born = _asked(ground, visitor, number)
    payer = ground.enter(PAYER)
    payer.press(payer.page.locator(f'main a[href="{at}"]').first)
    assert CASE in payer.text
    keep(payer, "individual-funding")
    assert payer.take("Ultrasound report") == PDF
    payer.fill("case_reference", f"IFR-{number}")
    payer.fill_day("from_day", days_on(0))
    payer.fill("terms", "One year.")
    payer.fill("fund-reason", "Exceptional circumstances were shown.")
    payer.click("Fund it outside the policy")
    assert payer.heading == "Approved", payer.text
    assert "Individual funding" in payer.text
    visitor.go(at)
    reference = visitor.page.locator(".app-reference").inner_text()
    assert reference.startswith("PA")
    # The supply of that day is invoiced, and its line rests on what was funded.
    a_run(ground, payer, amount_of(ground), **supplied_today(number, born))
    payer.click("See the lines", role="link").click("Row 1", role="link")
    assert reference in payer.text, payer.text
    assert "No approval" not in payer.page.locator(".nhsuk-tag").first.inner_text(), payer.text


def _declined(ground: Ground) -> None:
    visitor = ground.enter(CLINICIAN)
    at, _ = _asked(ground, visitor, ground.number())
    payer = ground.enter(PAYER).go(at)
    payer.unfold("#refuse-funding")
    payer.expected = {422}
    payer.click("Decline to fund it")
    assert "Say why" in payer.text, payer.text
    payer.fill("refuse-funding-reason", "Others like them are not funded either.")
    payer.click("Decline to fund it")
    assert payer.heading.endswith("Declined"), payer.text
    visitor.go(at)
    assert "Others like them are not funded either." in visitor.text
    assert "stop treatment" not in visitor.text.lower()
    assert visitor.page.locator("#individual-funding").count() == 1, "it may be asked again"


JOURNEYS = (
    Journey(
        (CLINICIAN, PAYER),
        "asks for individual funding, up to the line that it pays",
        "/",
        _funded_and_matched,
    ),
    Journey((CLINICIAN, PAYER), "is declined individual funding", "/", _declined),
)
