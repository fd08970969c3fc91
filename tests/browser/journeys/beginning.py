"""Where a form begins: found by two letters, worked out and left, and taken up elsewhere."""

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import FAMILIES, approved_case, plain
from tests.browser.journeys.asking import CLINICIAN, a_request, answer_all, begin
from tests.browser.journeys.model import Ground, Journey
from tests.browser.visitor import Visitor

#: Two letters of a drug, of a brand and of an indication; and what is found by them.
LETTERS = (
    ("na", "Natalizumab"),
    ("en", "Etanercept (Enbrel)"),
    ("cr", "Crohn"),
)
SCORE = "das28_at_start"
#: The parts of a DAS28 with the C-reactive protein, which gives 4.45, and of one that starts it.
PARTS = {"tender": "14", "swollen": "12", "crp": "30", "patient_global": "70"}


def _finds_it(ground: Ground) -> None:
    visitor = ground.enter(CLINICIAN)
    for letters, found in LETTERS:
        visitor.go("/")
        visitor.fill("q", letters)
        visitor.click("Find the form")
        assert "Is approval needed?" in visitor.text
        card = visitor.page.locator(".nhsuk-card").filter(has_text=found)
        assert card.count(), visitor.text
    visitor.press(card.first.locator("a"))
    assert visitor.heading.endswith("Who is the patient?")
    assert "crohns" in visitor.at, visitor.at


def _work_out(visitor: Visitor) -> str:
    """Work the score out in place and put it into its field: what stands there then."""
    visitor.press(visitor.page.locator(f'button[name="work_out"][value="{SCORE}"]'))
    visitor.click("DAS28 with the C-reactive protein", role="link")
    for name, value in PARTS.items():
        visitor.fill(name, value)
    visitor.click("Work it out")
    assert "The working" in visitor.text, visitor.text
    visitor.press(visitor.page.locator('button[name="use"]'))
    return visitor.page.locator(f'[id="a.{SCORE}"]').input_value()


def _comes_back(ground: Ground) -> None:
    """A score worked out in place, a form left half filled in, and sent from another computer."""
    case = approved_case("biologics", Kind.INITIATION)
    answers = plain(case.answers)
    number = ground.number()
    visitor = ground.enter(CLINICIAN)
    visitor.go("/start")
    begin(visitor, FAMILIES["biologics"].split("/")[1], case, invented_number(number), "DEMQ1")
    for _ in range(12):
        if visitor.page.locator(f'[name="a.{SCORE}"]').count():
            break
        visitor.answer_page(answers)
        visitor.click("Continue")
    says = visitor.page.locator(".nhsuk-inset-text").filter(has_text="The policy says:")
    assert says.count(), visitor.text
    score = _work_out(visitor)
    assert float(score) > 5.1, score
    visitor.answer_page({name: value for name, value in answers.items() if name != SCORE})
    visitor.click("Continue")
    visitor.click("See all answers", role="link")
    assert "Still missing" in visitor.text, visitor.text
    draft = visitor.draft_id()
    visitor.click("Sign out")

    elsewhere = ground.enter(CLINICIAN)
    elsewhere.press(elsewhere.page.locator(f'main a[href^="/drafts/{draft}"]').first)
    elsewhere.go(f"/drafts/{draft}/check")
    elsewhere.press(elsewhere.page.locator(".nhsuk-warning-callout a").first)
    answers.pop(SCORE)
    answer_all(elsewhere, answers)
    assert score in elsewhere.text, elsewhere.text
    elsewhere.click("Send the request")
    assert elsewhere.heading == "Approved", elsewhere.text


def _sends_what_is_missing(ground: Ground) -> None:
    """Sent without an answer: exactly what is missing is told, answered, and decided."""
    visitor = ground.enter(CLINICIAN)
    at, _ = a_request(visitor, ground.number(), screened=None)
    assert "Missing:" in visitor.text, visitor.text
    visitor.go("/")
    visitor.press(visitor.page.locator(f'main a[href="{at}"]').first)
    visitor.click("Answer now", role="link")
    for name in visitor.unanswered():
        visitor.choose(name, "yes")
    visitor.click("Send the answers")
    assert visitor.heading == "Approved", visitor.text
    assert visitor.take("Take the decision as a PDF").startswith(b"%PDF-")


JOURNEYS = (
    Journey((CLINICIAN,), "finds a form by two letters", "/", _finds_it),
    Journey((CLINICIAN,), "works out a score and goes on elsewhere", "/", _comes_back),
    Journey((CLINICIAN,), "sends the answer that was missing", "/", _sends_what_is_missing),
)
