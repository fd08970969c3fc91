"""What is sent back, refused or withdrawn: an authorisation, a transfer, a request that waits."""

from tests.browser.journeys.asking import CLINICIAN, a_referral, a_request
from tests.browser.journeys.care import a_treatment, change, days_on
from tests.browser.journeys.model import Ground, Journey
from tests.browser.journeys.office import PANEL
from tests.browser.visitor import Visitor

PHARMACIST, DOCTOR, RECEIVER = "demo2-pharmacist", "demo2-clinician", "demo2-clinician"


def _returned_by_the_pharmacist(ground: Ground) -> None:
    doctor = ground.enter(DOCTOR)
    at, _ = a_request(doctor, ground.number())
    pharmacist = ground.enter(PHARMACIST)
    pharmacist.press(pharmacist.page.locator(f'main a[href="{at}"]'))
    pharmacist.unfold("#refuse-authorisation")
    pharmacist.click("Return it to the clinician")
    assert "Say why: nothing was done without it" in pharmacist.text
    pharmacist.fill("refuse-authorisation-reason", "Which product is meant?")
    pharmacist.click("Return it to the clinician")
    assert "Returned" in pharmacist.heading, pharmacist.text
    assert pharmacist.page.get_by_role("button", name="Authorise").count() == 0
    doctor.go("/")
    doctor.press(doctor.page.locator(f'main a[href="{at}"]').first)
    assert "Which product is meant?" in doctor.text, doctor.text
    doctor.click("Answer now", role="link")
    doctor.click("Send the answers")
    pharmacist.go(at).click("Authorise")
    assert doctor.go(at).heading == "Approved", doctor.text


def _hand_over(giver: Visitor, treatment: str) -> str:
    change(giver, treatment, "Hand it over to another hospital", "transfer", days_on(7))
    giver.choose("to_provider", "DEMO2")
    giver.click("Hand it over to another hospital")
    assert "Waiting for the receiving provider" in giver.text, giver.text
    return giver.at


def _transfer_refused(ground: Ground) -> None:
    """The receiving hospital refuses it; asked again, the giving one takes it back."""
    giver = ground.enter(CLINICIAN)
    treatment = a_treatment(giver, ground.number())
    at = _hand_over(giver, treatment)
    receiver = ground.enter(RECEIVER)
    receiver.press(receiver.page.locator(f'main a[href="{at}"]'))
    receiver.unfold("#refuse-consent")
    receiver.fill("refuse-consent-reason", "We do not know this patient.")
    receiver.click("Refuse")
    assert receiver.heading.startswith("Transfers to you that wait for your consent"), receiver.text
    assert receiver.page.locator(f'main a[href="{at}"]').count() == 0
    giver.go(at)
    assert "We do not know this patient." in giver.text
    giver.go(treatment)
    assert "Continue this treatment" in giver.text, "it stays where it is"

    at = _hand_over(giver, treatment)
    giver.press_in("Withdraw the request")
    assert "Say why: nothing was done without it" in giver.text
    giver.fill("withdraw-reason", "The patient stays with us after all.")
    giver.click("Withdraw the request")
    assert "Withdrawn" in giver.heading, giver.text
    receiver.go("/")
    assert receiver.page.locator(f'main a[href="{at}"]').count() == 0


def _withdrawn(ground: Ground) -> None:
    """A request that waits for the panel is withdrawn, and the panel's queue has it no more."""
    doctor = ground.enter(CLINICIAN)
    at = a_referral(doctor, ground.number())
    member = ground.enter(PANEL)
    assert member.page.locator(f'main a[href="{at}"]').count() == 1
    doctor.press_in("Withdraw the request")
    doctor.fill("withdraw-reason", "The bleeding stopped by itself.")
    doctor.click("Withdraw the request")
    assert "Withdrawn" in doctor.heading, doctor.text
    assert "stop treatment" not in doctor.text.lower()
    assert member.go("/").page.locator(f'main a[href="{at}"]').count() == 0


JOURNEYS = (
    Journey(
        (PHARMACIST, DOCTOR),
        "returns a request that it would not authorise",
        "/",
        _returned_by_the_pharmacist,
    ),
    Journey((RECEIVER, CLINICIAN), "refuses a transfer, or takes it back", "/", _transfer_refused),
    Journey((CLINICIAN, PANEL), "withdraws a request", "/", _withdrawn),
)
