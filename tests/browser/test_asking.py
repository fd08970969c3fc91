"""A clinician asks for a drug, with scripts and without, at a desk and on a phone."""

from typing import Any

import pytest

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import FAMILIES, approved_case, plain
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor

MOST_INITIATION = 40
MOST_CONTINUATION = 8


def begin(visitor: Visitor, policy: str, case: Any, number: str, commissioner: str) -> None:
    """Find the form, say who the patient is, and what the treatment is."""
    title_words = policy.split("-")[0]
    visitor.fill("q", title_words)
    visitor.click("Find the form")
    visitor.interactions += 1
    visitor.page.locator(f'a[href="/start/{policy}"]').click()
    visitor.look()
    visitor.fill("patient.nhs_number", number)
    visitor.fill_day("patient.birth_date", case.context.birth_date.isoformat())
    visitor.choose("patient.sex", case.context.sex or "female")
    visitor.click("Continue")
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
        before = visitor.page.url
        visitor.answer_page(answers)
        visitor.click("Continue")
        assert visitor.page.url != before, visitor.text
    raise AssertionError("the form has no end")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_first_request_of_each_family_takes_at_most_forty_interactions(
    visit: Visit, family: str
) -> None:
    case = approved_case(family, Kind.INITIATION)
    policy = FAMILIES[family].split("/")[1]
    number = invented_number(55_000 + list(FAMILIES).index(family))
    visitor = visit("demo1-clinician")
    visitor.interactions = 0
    begin(visitor, policy, case, number, "DEMQ1")
    answer_all(visitor, plain(case.answers))
    assert "If you send it now: approved" in visitor.text, visitor.text
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text
    assert visitor.page.locator(".app-reference").inner_text().startswith("PA")
    assert "Quote the reference on each invoice line" in visitor.text
    assert visitor.interactions <= MOST_INITIATION, visitor.interactions


def test_without_scripts_and_on_a_phone_it_goes_as_well(visit: Visit) -> None:
    case = approved_case("biologics", Kind.INITIATION)
    for place, (scripts, phone) in enumerate([(False, False), (True, True), (False, True)]):
        visitor = visit("demo1-clinician", scripts=scripts, phone=phone)
        visitor.go("/start")
        begin(visitor, "adalimumab-ra-severe", case, invented_number(55_010 + place), "DEMQ1")
        answer_all(visitor, plain(case.answers))
        visitor.click("Send the request")
        assert visitor.heading == "Approved", visitor.text
        # Back, and once more: what was sent is shown, and nothing is sent twice.
        sent = visitor.page.url
        visitor.page.go_back()
        visitor.page.reload()
        assert visitor.page.url == sent


def test_a_continuation_takes_at_most_eight_interactions_and_no_typing_of_what_is_known(
    visit: Visit,
) -> None:
    visitor = visit("demo1-clinician")
    row = visitor.page.get_by_role("row").filter(has_text="Adalimumab").last
    visitor.interactions = 1
    row.get_by_role("button").click()
    visitor.look()
    assert "Filled in from" in visitor.text, "the baseline of the first request"
    before = visitor.page.locator('[id="a.das28_at_start"]')
    if before.count():
        assert before.input_value() != ""
    visitor.click("Fill in all that is on record", role="link")
    visitor.fill("a.das28_now", "2.5")
    for name, value in (("dose_mg", "40"), ("dose_interval_days", "14")):
        if not visitor.page.locator(f'[id="a.{name}"]').input_value():
            visitor.fill(f"a.{name}", value)
    for name in visitor.unanswered():
        visitor.choose(name, "yes" if name == "a.with_methotrexate" else "no")
    visitor.click("Continue")
    assert visitor.heading.endswith("Check your answers"), visitor.text
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text
    assert visitor.interactions <= MOST_CONTINUATION, visitor.interactions
