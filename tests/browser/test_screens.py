"""The main pages as pictures: looked at by people in `docs/screens`, and by axe here.

`ASSENT_WRITE_SCREENS=1 pytest tests/browser` writes them anew, with those of the journeys.
"""

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case, plain
from tests.browser.conftest import Visit
from tests.browser.hands import Keys
from tests.browser.journeys.asking import answer_all, begin
from tests.browser.journeys.desk import a_line_without_approval
from tests.browser.screens import keep
from tests.browser.variants import Variant


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
    visitor.click("Continue this treatment")
    keep(visitor, "continuation")


def test_a_form_on_a_phone(visit: Visit) -> None:
    case = approved_case("biologics", Kind.INITIATION)
    visitor = visit("demo1-clinician", phone=True)
    visitor.go("/start")
    begin(visitor, "adalimumab-ra-severe", case, invented_number(55_031), "DEMQ1")
    assert visitor.unanswered(), "its questions stand there"
    keep(visitor, "questions-on-a-phone", phone=True)


def test_the_pages_of_a_commissioner(visit: Visit) -> None:
    visitor = visit("demq1-commissioner")
    visitor.go("/submissions")
    keep(visitor, "submissions")
    run, line = a_line_without_approval(visitor)
    visitor.go(run)
    keep(visitor, "run")
    visitor.go(line)
    keep(visitor, "evidence")
    visitor.go("/overview")
    keep(visitor, "overview")


def test_the_library_on_a_phone(visit: Visit) -> None:
    visitor = visit("demo1-clinician", phone=True)
    at = "/library/adalimumab-ra-severe/2016-01-26.1"
    for path in ("/library", at, f"{at}/changes", f"{at}/cases", f"{at}/form"):
        visitor.go(path)


def test_the_home_of_every_role(visit: Visit) -> None:
    for who in ("demp1-panel-member", "demq1-commissioner", "demo2-pharmacist", "demo1-auditor"):
        visit(who)


def test_a_mouse_is_noticed_where_only_keys_may_be_used(visit: Visit) -> None:
    """The walk by keyboard would be worth nothing if a click went unseen."""
    visitor = visit("", variant=Variant.KEYS).go("/sign-in")
    visitor.page.locator("h1").click()
    assert any("a mouse was used" in each for each in visitor.complaints)
    visitor.complaints.clear()


def test_focus_that_is_not_seen_or_held_fast_is_noticed(visit: Visit) -> None:
    visitor = visit("", variant=Variant.KEYS).go("/sign-in")
    visitor.page.evaluate(
        "document.querySelector('.nhsuk-footer a').addEventListener('keydown',"
        " e => e.preventDefault())"
    )
    assert isinstance(visitor.hand, Keys)
    visitor.hand.sweep()
    assert any("Tab stops at" in each for each in visitor.complaints), visitor.complaints
    visitor.complaints.clear()
    visitor.go("/about")
    visitor.page.evaluate(
        "() => { const plain = new CSSStyleSheet();"
        " plain.replaceSync('a, a:focus { all: unset !important; }');"
        " document.adoptedStyleSheets = [plain]; }"
    )
    visitor.hand.sweep()
    assert any("focus is not seen" in each for each in visitor.complaints), visitor.complaints
    visitor.complaints.clear()
