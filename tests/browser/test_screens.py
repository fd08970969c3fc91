"""The main pages as pictures: looked at by people in `docs/screens`, and by axe here.

`ASSENT_WRITE_SCREENS=1 pytest tests/browser/test_screens.py` writes them anew.
"""

import os
from pathlib import Path

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case, plain
from tests.browser.conftest import ROOT, Visit
from tests.browser.test_asking import answer_all, begin
from tests.browser.visitor import Visitor

SCREENS = ROOT / "docs" / "screens"


def keep(visitor: Visitor, name: str) -> None:
    """The page as it stands, written where that is asked for."""
    if os.environ.get("ASSENT_WRITE_SCREENS"):
        SCREENS.mkdir(parents=True, exist_ok=True)
        path: Path = SCREENS / f"{name}.jpeg"
        visitor.page.screenshot(path=path, full_page=True, type="jpeg", quality=50)


def test_the_pages_of_a_request(visit: Visit) -> None:
    case = approved_case("biologics", Kind.INITIATION)
    visitor = visit("demo1-clinician")
    keep(visitor, "home")
    visitor.go("/start?q=adali")
    keep(visitor, "find-a-form")
    begin(visitor, "adalimumab-ra-severe", case, invented_number(55_030), "DEMQ1")
    keep(visitor, "questions")
    answer_all(visitor, plain(case.answers))
    keep(visitor, "check")
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text
    keep(visitor, "approved")
    visitor.click("The treatment", role="link")
    keep(visitor, "treatment")


def test_the_pages_of_a_commissioner(visit: Visit) -> None:
    visitor = visit("demq1-commissioner")
    visitor.go("/submissions")
    keep(visitor, "submissions")
    run = visitor.page.locator('main a[href*="/runs/"]').first.get_attribute("href")
    visitor.go(str(run))
    keep(visitor, "run")
    visitor.go(f"{run}/lines?outcome=no+approval")
    line = visitor.page.locator('main a[href*="/lines/"]').first.get_attribute("href")
    visitor.go(str(line))
    keep(visitor, "evidence")
    visitor.go("/overview")
    keep(visitor, "overview")


def test_pages_for_everybody_and_for_nobody(visit: Visit) -> None:
    visitor = visit()
    for path in ("/sign-in", "/about", "/help", "/accessibility", "/cookies", "/signed-out"):
        visitor.go(path)
    visitor.expected = {404}
    visitor.page.goto(f"{visitor.address}/requests/7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1")
    assert visitor.page.url.endswith("/sign-in")
    for who in ("demp1-panel-member", "demq1-commissioner", "demo2-pharmacist", "demo1-auditor"):
        visit(who)


def test_by_keyboard_alone_a_form_is_found_and_begun(visit: Visit) -> None:
    visitor = visit("demo1-clinician")
    keys = visitor.page.keyboard
    visitor.go("/")
    keys.press("Tab")
    assert visitor.page.evaluate("document.activeElement.textContent.trim()") == (
        "Skip to main content"
    )
    keys.press("Enter")
    keys.press("Tab")
    keys.type("obeti")
    keys.press("Enter")
    visitor.page.wait_for_url("**/start?q=obeti")
    visitor.look()
    for _ in range(30):
        keys.press("Tab")
        if visitor.page.evaluate("document.activeElement.matches('main a[href^=\"/start/\"]')"):
            break
    keys.press("Enter")
    visitor.page.wait_for_url("**/start/**")
    assert visitor.heading.endswith("Who is the patient?")
