"""Several obstacles in one list: a browser keeps "none of these" apart from each of them."""

import itertools
import os
import time

import pytest

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case, folder_of, plain
from tests.browser.conftest import Visit
from tests.browser.journeys.asking import CLINICIAN, answer_all, begin
from tests.browser.visitor import Visitor

_NUMBERS = itertools.count(
    60_100 + int(time.time() + 900) % 38_000 if "ASSENT_BROWSER_ADDRESS" in os.environ else 56_900
)
RISKS = ("long_term_smoker", "cardiovascular_risk", "malignancy_risk")
FAMILY = "psoriatic arthritis"


def review(visitor: Visitor) -> None:
    """A continuation of tofacitinib in psoriatic arthritis, with what is measured given."""
    case = approved_case(FAMILY, Kind.INITIATION)
    visitor.go("/start")
    begin(visitor, folder_of(FAMILY).name, case, invented_number(next(_NUMBERS)), "DEMQ1")
    answer_all(visitor, plain(case.answers))
    visitor.click("Send the request")
    visitor.click("The treatment", role="link")
    visitor.click("Continue this treatment")
    visitor.choose("still", "yes")
    for name in ("tender_joints", "swollen_joints", "physician_global", "patient_global"):
        visitor.fill(f"a.{name}_now", "3")


def ticked(visitor: Visitor) -> list[str]:
    boxes = visitor.page.locator(".app-none-of input:checked").all()
    return [each.get_attribute("name") or "" for each in boxes]


@pytest.mark.parametrize("phone", [False, True], ids=["at a desk", "on a phone"])
def test_with_scripts_none_takes_the_ticks_away_and_a_tick_takes_none_away(
    visit: Visit, phone: bool
) -> None:
    visitor = visit(CLINICIAN, phone=phone)
    review(visitor)
    assert visitor.boxes() == [*RISKS, "intolerable_effects"]
    assert ticked(visitor) == []
    visitor.tick("a.malignancy_risk")
    visitor.tick("none")
    assert ticked(visitor) == ["none"]
    visitor.tick("a.long_term_smoker")
    assert ticked(visitor) == ["a.long_term_smoker"]
    visitor.tick("none")
    visitor.look()
    visitor.click("Check the answers first")
    for label in ("Smokes, or has smoked for a long time", "Adverse effects are intolerable"):
        row = visitor.page.locator(".nhsuk-summary-list__row").filter(has_text=label)
        assert row.locator("dd").first.inner_text() == "No", "each is told by itself"
    visitor.page.go_back()
    assert ticked(visitor) == ["none"], "it comes again as it was"


@pytest.mark.parametrize("phone", [False, True], ids=["at a desk", "on a phone"])
def test_without_scripts_none_beside_a_tick_is_asked_about_at_the_list(
    visit: Visit, phone: bool
) -> None:
    visitor = visit(CLINICIAN, scripts=False, phone=phone)
    visitor.expected.add(422)
    review(visitor)
    visitor.tick("a.malignancy_risk")
    visitor.tick("none")
    visitor.click("Send the request")
    assert "You ticked one of these and “none of these”" in visitor.text
    assert ticked(visitor) == ["a.malignancy_risk", "none"], "both stand as they were"
    assert visitor.page.locator('[id="a.tender_joints_now"]').input_value() == "3"
    visitor.click("None of these: You ticked", role="link")
    assert visitor.page.url.endswith("#a.long_term_smoker"), "the first of its boxes"
    visitor.page.locator('[id="a.malignancy_risk"]').uncheck()
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text


def test_a_tick_leads_to_the_other_questions_one_by_one(visit: Visit) -> None:
    visitor = visit(CLINICIAN)
    review(visitor)
    visitor.tick("a.malignancy_risk")
    visitor.click("Send the request")
    assert "Still missing" in visitor.text
    visitor.click("There is no suitable alternative to a JAK inhibitor", role="link")
    assert visitor.boxes() == []
    assert visitor.unanswered() == ["a.no_suitable_alternative", "a.intolerable_effects"]
    visitor.choose("a.no_suitable_alternative", "yes")
    visitor.choose("a.intolerable_effects", "no")
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text
