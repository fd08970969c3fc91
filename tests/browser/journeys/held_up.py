"""What holds somebody up: a job that is not done yet, too many steps, a session that is over.

`test_own_service.py` serves it without a worker, so that a job waits as long as it is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.browser.files import a_file
from tests.browser.journeys.asking import CLINICIAN
from tests.browser.journeys.desk import PAYER, amount_of
from tests.browser.journeys.model import Ground, Journey

ALLOWED = 10  # steps a minute
ANYBODYS = 1_000_000
HOSPITAL_NUMBER = "H0429"


@dataclass(frozen=True)
class OwnGround(Ground):
    """`work` does every job that waits; `allow` sets how many steps a person may take a minute."""

    work: Callable[[], None]
    allow: Callable[[int], None]


def own(ground: Ground) -> OwnGround:
    assert isinstance(ground, OwnGround), "this walk needs a service of its own"
    return ground


def _waits_for_a_run(ground: Ground) -> None:
    payer = ground.enter(PAYER).go("/submissions")
    payer.attach(a_file(ground.folder, amount_of(ground)))
    payer.click("See what it would change")
    payer.click("Accept the file and reconcile it")
    assert payer.at.startswith("/submissions/jobs/"), payer.at
    assert payer.heading == "Reconciling"
    assert payer.page.locator("[data-follow]").inner_text() != ""
    own(ground).work()
    payer.wait_for("/submissions/runs/*")
    assert payer.page.locator("h1").inner_text().endswith("june.csv")


def _goes_too_fast(ground: Ground) -> None:
    """What was typed stands in the page, and is sent by one button once the minute is over."""
    doctor = ground.enter(CLINICIAN).go("/start/adalimumab-ra-severe")
    doctor.fill("patient.local_id", HOSPITAL_NUMBER)
    doctor.choose("patient.sex", "female")
    own(ground).allow(ALLOWED)
    try:
        for _ in range(ALLOWED + 2):  # in another window of theirs
            doctor.page.context.request.get(f"{doctor.address}/reminders")
        doctor.expected = {429}
        doctor.click("Continue")
        assert doctor.heading == "Wait a moment, then go on"
    finally:
        own(ground).allow(ANYBODYS)
    for _ in range(70):
        doctor.page.wait_for_timeout(1000)
        doctor.click("Send it again")
        if doctor.heading != "Wait a moment, then go on":
            break
    doctor.expected = set()
    assert doctor.heading.endswith("Who is the patient?"), doctor.text
    assert doctor.page.locator('[id="patient.local_id"]').input_value() == HOSPITAL_NUMBER


def _is_signed_out(ground: Ground) -> None:
    """The session ends while a form is filled in: the words are shown, and nothing is done."""
    doctor = ground.enter(CLINICIAN).go("/start/adalimumab-ra-severe")
    doctor.fill("patient.local_id", HOSPITAL_NUMBER)
    doctor.page.context.clear_cookies()
    doctor.expected = {401}
    doctor.click("Continue")
    assert doctor.heading == "You were signed out before this was sent"
    assert HOSPITAL_NUMBER in doctor.page.content()
    doctor.expected = set()
    doctor.sign_in(CLINICIAN)
    assert doctor.at == "/"


def _cannot_be_taken(ground: Ground) -> None:
    """What was copied from elsewhere holds a character that no text has: it is told, and shown."""
    doctor = ground.enter(CLINICIAN).go("/patients")
    doctor.fill("number", HOSPITAL_NUMBER)
    doctor.page.locator("#number").evaluate("e => { e.value += '\\u0007'; }")
    doctor.expected = {400}
    doctor.click("Find")
    assert doctor.heading == "Part of this could not be taken"
    assert "characters that cannot be kept" in doctor.text
    assert HOSPITAL_NUMBER in doctor.page.content()
    doctor.expected = set()
    doctor.click("open the page again", role="link")
    assert doctor.at == "/patients"


JOURNEYS = (
    Journey((PAYER,), "waits for a run and is led on to it", "/submissions", _waits_for_a_run),
    Journey((CLINICIAN,), "takes too many steps a minute", "/start", _goes_too_fast),
    Journey((CLINICIAN,), "is signed out while filling in", "/start", _is_signed_out),
    Journey((CLINICIAN,), "sends what cannot be taken", "/patients", _cannot_be_taken),
)
