"""Help where a form is filled in: the steps of the EDSS, and a dose held against the weight."""

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case, plain
from tests.browser.conftest import Visit
from tests.browser.journeys.asking import answer_all, begin
from tests.browser.visitor import Visitor


def _to_page_with(visitor: Visitor, question: str, answers: dict[str, object]) -> None:
    for _ in range(12):
        if visitor.page.locator(f'[name="a.{question}"]').count():
            return
        visitor.answer_page(answers)
        visitor.click("Continue")
    raise AssertionError(f"no page asks for {question}")


def test_the_steps_of_the_edss_open_beside_the_question(visit: Visit) -> None:
    case = approved_case("multiple sclerosis", Kind.INITIATION)
    for scripts, phone in ((True, False), (True, True), (False, False)):
        visitor = visit("demo1-clinician", scripts=scripts, phone=phone)
        number = invented_number(55_700 + scripts * 2 + phone)
        visitor.go("/start")
        begin(visitor, "natalizumab-rrms-res", case, number, "DEMQ1")
        _to_page_with(visitor, "edss", plain(case.answers))
        visitor.page.locator("summary", has_text="The steps of the EDSS").click()
        visitor.look()
        assert "Walks about 500 metres without aid or rest" in visitor.text
        visitor.answer_page(plain(case.answers))
        visitor.fill("a.edss", "3.3")
        visitor.click("Continue")
        assert "It is no step of the EDSS. Enter 0" in visitor.text
        visitor.fill("a.edss", "3.5")
        visitor.click("Continue")
        assert "no step of the EDSS" not in visitor.text
    assert not visitor.complaints, visitor.complaints


def test_a_dose_over_the_policys_limit_shows_its_arithmetic(visit: Visit) -> None:
    case = approved_case("immunoglobulin", Kind.INITIATION)
    visitor = visit("demo1-clinician")
    visitor.go("/start")
    begin(visitor, "immunoglobulin-itp", case, invented_number(55_710), "DEMQ1")
    answer_all(visitor, plain(case.answers))
    assert "The dose for the weight" in visitor.text, visitor.text
    assert "Keeps to it" in visitor.text
    assert "no dose is proposed" in visitor.text
