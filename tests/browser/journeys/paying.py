"""A commissioner hands treatments to another, which is told."""

import datetime as dt

from tests.browser.journeys.model import Ground, Journey
from tests.browser.screens import keep

GIVER, SECOND, RECEIVER = "demq1-commissioner", "demq1-commissioner-2", "demq2-commissioner"
DRUG, NAME = "omalizumab", "Omalizumab"


def _hands_over(ground: Ground) -> None:
    """Each walk hands over from a day of its own, so that its row is known among the others'."""
    today = dt.datetime.now(dt.UTC).date()
    day = today - dt.timedelta(days=20 + ground.number() % 320)  # the last financial year is open
    giver = ground.enter(GIVER)
    giver.go("/").click("Hand-overs", role="link")
    giver.click("Hand treatments over", role="link")
    giver.expected = {422}
    giver.click("See what would go over")
    assert giver.page.locator("#drug-error").is_visible()
    giver.choose("drug", DRUG)
    giver.choose("receiver", "DEMQ2")
    giver.fill_day("from", day.isoformat())
    giver.fill("why", "Invented delegation.")
    giver.click("See what would go over")
    assert "Segments of coverage" in giver.text
    keep(giver, "hand-over-preview")
    giver.click("Propose hand-over")
    assert "Another commissioner of yours confirms it" in giver.text
    at = giver.at
    second = ground.enter(SECOND)
    assert "Hand-overs that wait for a second commissioner" in second.go("/").text
    second.go(at)
    keep(second, "hand-over")
    second.click("Confirm hand-over")
    assert second.heading == "Hand-overs"
    assert second.page.locator(f'main a[href="{at}"]').count() == 1
    second.page.go_back()  # what was confirmed is not confirmed again
    receiver = ground.enter(RECEIVER)
    receiver.go("/").click("Hand-overs", role="link")
    said = f"{day.day} {day:%B %Y}"
    row = receiver.page.get_by_role("row").filter(has_text=said).filter(has_text=NAME)
    assert row.count() == 1, receiver.text
    keep(receiver, "hand-overs")


JOURNEYS = (
    Journey((GIVER, SECOND, RECEIVER), "hands treatments over", "/hand-overs", _hands_over),
)
