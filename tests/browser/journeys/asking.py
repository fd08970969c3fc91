"""A clinician asks for a drug, and for more of it."""

from collections.abc import Callable
from typing import Any

from app.policy import Kind, Outcome
from app.policy.cases import Case
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import FAMILIES, approved_case, case_with, plain
from tests.browser.journeys.model import Ground, Journey
from tests.browser.variants import EACH
from tests.browser.visitor import Visitor

CLINICIAN = "demo1-clinician"
SCRIPTS, PLAIN, KEYS, PHONE = EACH
MOST_INITIATION = 40
MOST_CONTINUATION = 8


def begin(
    visitor: Visitor,
    policy: str,
    case: Any,
    number: str,
    commissioner: str,
    then: Callable[[Visitor], None] = lambda _: None,
) -> None:
    """Find the form, say who the patient is, `then` what comes in between, and what the treatment
    is."""
    visitor.fill("q", policy.split("-")[0])
    visitor.click("Find the form")
    visitor.press(visitor.page.locator(f'main a[href^="/start/{policy}"]'))
    visitor.fill("patient.nhs_number", number)
    visitor.fill_day("patient.birth_date", case.context.birth_date.isoformat())
    visitor.choose("patient.sex", case.context.sex or "female")
    visitor.click("Continue")
    then(visitor)
    assert visitor.heading.endswith("About the treatment"), visitor.text
    visitor.fill_day("decision_to_treat", case.context.decision_to_treat.isoformat())
    chosen = visitor.page.locator('input[name="commissioner"]:checked, select[name="commissioner"]')
    if not (chosen.count() and chosen.input_value()):  # it knows who usually pays
        visitor.choose("commissioner", commissioner)
    if case.context.first_dose is not None:
        visitor.fill_day("first_dose", case.context.first_dose.isoformat())
    visitor.click("Continue")


def answer_all(visitor: Visitor, answers: dict[str, Any]) -> None:
    """Fill in each page of questions and continue, until the check."""
    for _ in range(20):
        if visitor.heading.endswith("Check your answers"):
            return
        before = visitor.at
        visitor.answer_page(answers)
        visitor.click("Continue")
        assert visitor.at != before, visitor.text
    raise AssertionError("the form has no end")


def a_form(
    visitor: Visitor, family: str, number: int, case: Case | None = None, **answers: Any
) -> str:
    """Fill in a whole form, up to the check; the patient's day of birth."""
    case = case or approved_case(family, Kind.INITIATION)
    visitor.go("/start")
    begin(visitor, FAMILIES[family].split("/")[1], case, invented_number(number), "DEMQ1")
    answer_all(visitor, plain(case.answers) | answers)
    assert case.context.birth_date is not None
    return case.context.birth_date.isoformat()


def a_referral(visitor: Visitor, number: int) -> str:
    """Send a form that people have to decide, at the panel for immunoglobulin: its path."""
    case = case_with("immunoglobulin", Kind.INITIATION, Outcome.REFERRED)
    visitor.go("/start")
    begin(visitor, "immunoglobulin-itp", case, invented_number(number), "DEMQ2")
    answer_all(visitor, plain(case.answers))
    visitor.click("Send the request")
    assert "With people who decide" in visitor.heading, visitor.text
    return visitor.at


def a_request(
    visitor: Visitor, number: int, case: Case | None = None, **answers: Any
) -> tuple[str, str]:
    """Send a form: the path of the request, and the patient's day of birth."""
    born = a_form(visitor, "biologics", number, case, **answers)
    visitor.click("Send the request")
    return visitor.at, born


def _first_request(family: str) -> Callable[[Ground], None]:
    def walk(ground: Ground) -> None:
        case = approved_case(family, Kind.INITIATION)
        visitor = ground.enter(CLINICIAN)
        visitor.interactions = 0
        policy = FAMILIES[family].split("/")[1]
        begin(visitor, policy, case, invented_number(ground.number()), "DEMQ1")
        answer_all(visitor, plain(case.answers))
        assert "If you send it now: approved" in visitor.text, visitor.text
        visitor.click("Send the request")
        assert visitor.heading == "Approved", visitor.text
        assert visitor.page.locator(".app-reference").inner_text().startswith("PA")
        assert "Quote the reference on each invoice line" in visitor.text
        assert visitor.interactions <= MOST_INITIATION, visitor.interactions
        # Back, and once more: what was sent is shown, and nothing is sent twice.
        sent = visitor.at
        visitor.page.go_back()
        visitor.page.reload()
        assert visitor.at == sent

    return walk


def _continuation(ground: Ground) -> None:
    visitor = ground.enter(CLINICIAN)
    rows = visitor.page.get_by_role("row").filter(has=visitor.page.get_by_role("button"))
    # One that was given: on some days the last of the list came from another system, formless.
    row = rows.filter(has_text="Adalimumab").filter(has_text="given").last
    visitor.interactions = 0
    visitor.press(row.get_by_role("button"))
    assert "Filled in from" in visitor.text, "the baseline of the first request"
    before = visitor.page.locator('[id="a.das28_at_start"]')
    if before.count():
        assert before.input_value() != ""
    answer_review(visitor)
    assert visitor.heading == "Approved", visitor.text
    assert visitor.interactions <= MOST_CONTINUATION, visitor.interactions


def answer_review(visitor: Visitor) -> None:
    """Answer a continuation of adalimumab whose form is open, and send it."""
    visitor.fill("a.das28_now", "2.5")
    if visitor.page.locator('[id="still"]').count():
        visitor.choose("still", "yes")
    if (
        visitor.page.locator('[name="shown.dose_mg"]').count()
        and not visitor.page.locator('.app-still [name="shown.dose_mg"]').count()
    ):  # no dose that was approved is on record
        visitor.fill("a.dose_mg", "40")
        visitor.fill("a.dose_interval_days", "14")
    visitor.none_of_these()
    for name in visitor.unanswered():
        visitor.choose(name, "yes" if name == "a.with_methotrexate" else "no")
    visitor.click("Send the request")


def _delegate(ground: Ground) -> None:
    delegate = ground.enter("demo1-delegate")
    a_form(delegate, "biologics", ground.number())
    assert delegate.page.get_by_role("button", name="Send the request").count() == 0
    draft = delegate.at
    delegate.go(f"/drafts/{delegate.draft_id()}/work-out/das28_at_start")
    clinician = ground.enter(CLINICIAN)
    clinician.press(clinician.page.locator(f'main a[href^="/drafts/{draft.split("/")[2]}"]').first)
    clinician.go(draft)
    clinician.click("Send the request")
    assert clinician.heading == "Approved", clinician.text


def _pharmacist(ground: Ground) -> None:
    clinician = ground.enter("demo2-clinician")
    at, _ = a_request(clinician, ground.number())
    assert "pharmacist" in clinician.text
    pharmacist = ground.enter("demo2-pharmacist")
    pharmacist.press(pharmacist.page.locator(f'main a[href="{at}"]'))
    pharmacist.click("Authorise")
    assert pharmacist.heading == "Approved", pharmacist.text


JOURNEYS = (
    *(  # each variant in another family: the way through the pages is the same
        Journey((CLINICIAN,), f"asks for {each}", "/", _first_request(each), (variant,))
        for each, variant in zip(FAMILIES, (KEYS, PLAIN, PHONE, SCRIPTS), strict=True)
    ),
    Journey((CLINICIAN,), "continues a treatment", "/", _continuation),
    Journey(("demo1-delegate", CLINICIAN), "prepares a form that another sends", "/", _delegate),
    Journey(("demo2-pharmacist", "demo2-clinician"), "authorises a request", "/", _pharmacist),
)
