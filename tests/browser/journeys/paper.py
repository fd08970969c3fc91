"""A form that was signed on paper while the service could not be reached, entered the day after."""

import datetime as dt
from zoneinfo import ZoneInfo

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import FAMILIES, approved_case, plain
from tests.browser.journeys.asking import CLINICIAN, a_form, answer_all, begin
from tests.browser.journeys.model import Ground, Journey
from tests.browser.visitor import Visitor

DELEGATE = "demo1-delegate"
SIGNED_BY, ON_THE_PAPER = "consultant rheumatologist", "W12-0043"


def yesterday() -> dt.date:
    return dt.datetime.now(ZoneInfo("Europe/London")).date() - dt.timedelta(days=1)


def sign(visitor: Visitor) -> None:
    """Type what stands beside the signature, with the time wrong at first."""
    visitor.fill_day("signed", yesterday().isoformat())
    visitor.fill("signed_time", "25:61")
    visitor.fill("signed_by", SIGNED_BY)
    visitor.fill("reference", ON_THE_PAPER)
    visitor.expected = {422}
    visitor.click("Continue")
    visitor.expected = set()
    assert "Enter the time that stands beside the signature" in visitor.text
    assert "Enter the day" not in visitor.text, "the day was right"
    kept = {
        id: visitor.page.locator(f'[id="{id}"]').input_value()
        for id in ("signed-day", "signed-month", "signed_by", "reference")
    }
    day = yesterday()
    assert kept == {
        "signed-day": str(day.day),
        "signed-month": str(day.month),
        "signed_by": SIGNED_BY,
        "reference": ON_THE_PAPER,
    }, "nothing has to be typed again"
    visitor.fill("signed_time", "14:20")
    visitor.click("Continue")


def sign_first(visitor: Visitor) -> None:
    """The same where no day was given yet on which treatment was decided."""
    sign(visitor)
    assert "If the paper names an earlier one, enter that" in visitor.text


def tells_both_times(visitor: Visitor) -> None:
    """The request's page has the signature's time, and that it was entered later."""
    day = yesterday()
    said = f"Signed by the {SIGNED_BY} on {day.day} {day:%B %Y}"
    assert said in visitor.text, visitor.text
    assert "2:20pm" in visitor.text
    assert f"entered later. Number on the paper: {ON_THE_PAPER}." in visitor.text


def _first_request(ground: Ground) -> None:
    case = approved_case("biologics", Kind.INITIATION)
    policy = FAMILIES["biologics"].split("/")[1]
    delegate = ground.enter(DELEGATE)
    delegate.click("Enter a form that was signed on paper", role="link")
    assert "which a clinician of your organisation looks through and sends" in delegate.text
    begin(delegate, policy, case, invented_number(ground.number()), "DEMQ1", then=sign_first)
    answer_all(delegate, plain(case.answers))
    for words in (SIGNED_BY, ON_THE_PAPER, "covers from the day of its entry"):
        assert words in delegate.text, delegate.text
    assert delegate.page.get_by_role("button", name="Send the request").count() == 0
    draft = delegate.at
    clinician = ground.enter(CLINICIAN)
    assert "Initiation, from paper" in clinician.text
    clinician.go(draft)
    clinician.click("Send the request")
    assert clinician.heading == "Approved", clinician.text
    tells_both_times(clinician)


def _remembered_at_the_check(ground: Ground) -> None:
    """Whoever began a form as one of today says at the check that it was on paper."""
    clinician = ground.enter(CLINICIAN)
    a_form(clinician, "biologics", ground.number())
    check = clinician.at
    clinician.click("This form was signed on paper", role="link")
    sign(clinician)
    assert clinician.heading.endswith("About the treatment"), "the day is looked at once more"
    clinician.go(check)
    assert ON_THE_PAPER in clinician.text
    clinician.click("Send the request")
    assert clinician.heading == "Approved", clinician.text
    tells_both_times(clinician)


JOURNEYS = (
    Journey(
        (DELEGATE, CLINICIAN), "enters a form from paper that another sends", "/", _first_request
    ),
    Journey((CLINICIAN,), "says at the check that it was on paper", "/", _remembered_at_the_check),
)
