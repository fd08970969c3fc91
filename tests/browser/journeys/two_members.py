"""Two members of a panel, under an invented text that asks for two and lets a criterion be waived.

The demonstration has no such text: `test_own_service.py` serves one.
"""

from tests.browser.journeys.asking import CLINICIAN, a_request
from tests.browser.journeys.model import Ground, Journey
from tests.browser.journeys.office import OTHER_MEMBER, PANEL, YEAR
from tests.browser.screens import keep
from tests.browser.visitor import Visitor


def _referred(ground: Ground) -> str:
    """A request that goes to the panel, since nobody screened for infection: its path."""
    clinician = ground.enter(CLINICIAN)
    at, _ = a_request(clinician, ground.number(), screened=False)
    assert "With people who decide" in clinician.heading, clinician.text
    return at


def _vote(member: Visitor, step: str, reason: str, button: str) -> None:
    """Fill in a step of the panel on the page that is open, waive what it offers, and press."""
    if not member.page.locator(f"#{step}-reason").is_visible():
        member.unfold(f"#{step}")
    for box in member.page.locator(f'#{step} input[name^="waive."]').all():
        member.tick(box.get_attribute("id") or "")
    member.fill(f"{step}-reason", reason)
    member.tick(f"{step}-interest")
    member.click(button)


def _one_votes_and_the_other_confirms(ground: Ground) -> None:
    at = _referred(ground)
    ann, bea = ground.enter(PANEL), ground.enter(OTHER_MEMBER)
    ann.go(at)
    _vote(ann, "panel-approve", "The screening was done at another hospital.", "Approve")
    assert "Another member is needed: you cannot vote twice." in ann.text
    assert "Waiting for a second member: you voted to approve" in ann.go("/").text

    assert "Waiting for a second member: Panel member of DEMP1" in bea.go("/").text
    bea.press(bea.page.locator(f'main a[href="{at}"]'))
    assert "The screening was done at another hospital." in bea.text
    assert bea.page.locator('#panel-approve input[name^="waive."]').first.is_checked()
    keep(bea, "first-vote")
    _vote(bea, "panel-approve", "I looked at the letter, and agree.", "Confirm the approval")
    assert bea.heading == "Approved", bea.text
    assert "Decided, together with another member." in bea.text
    bea.go(f"/minutes?{YEAR}")
    assert "had voted the same" in bea.text


def _two_who_differ(ground: Ground) -> None:
    at = _referred(ground)
    ann, bea = ground.enter(PANEL), ground.enter(OTHER_MEMBER)
    ann.go(at)
    _vote(ann, "panel-decline", "Nobody screened for infection.", "Decline")
    bea.go(at)
    _vote(bea, "panel-approve", "The screening can follow.", "Approve")
    assert "Members have voted differently" in bea.text
    keep(bea, "votes-that-differ")


def _refused_and_waived(ground: Ground) -> None:
    """The clinician sends what the policy refused to the panel, which waives the criterion."""
    clinician = ground.enter(CLINICIAN)
    at, _ = a_request(clinician, ground.number(), das28_at_start="4.0")
    assert "Criteria not met" in clinician.heading, clinician.text
    clinician.press_in("Send it to the panel")
    assert "Say why: nothing was done without it" in clinician.text
    clinician.fill("escalate-reason", "Ultrasound shows disease that the score misses.")
    clinician.click("Send it to the panel")
    assert "With people who decide" in clinician.heading, clinician.text
    for who, button in ((PANEL, "Approve"), (OTHER_MEMBER, "Confirm the approval")):
        member = ground.enter(who)
        member.press(member.page.locator(f'main a[href="{at}"]'))
        assert "sent it to the panel: Ultrasound shows disease" in member.text
        _vote(member, "panel-approve", "The score misses it here.", button)
    assert clinician.go(at).heading == "Approved", clinician.text


JOURNEYS = (
    Journey(
        (PANEL, OTHER_MEMBER, CLINICIAN),
        "votes, and a second member confirms it",
        "/",
        _one_votes_and_the_other_confirms,
    ),
    Journey(
        (PANEL, OTHER_MEMBER, CLINICIAN), "votes, and a second member differs", "/", _two_who_differ
    ),
    Journey(
        (CLINICIAN, PANEL, OTHER_MEMBER),
        "sends what was refused to the panel, which waives",
        "/",
        _refused_and_waived,
    ),
)
