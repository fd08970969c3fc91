"""A continuation for a known patient: few interactions, and nothing typed that is on record.

The treatment is the test's own, begun by a first request of each family, so what is on record is
known. A field that the page tells an answer for, or whose dose it offers to confirm, may not be
filled in: `Visitor.on_record` makes that fail.
"""

import itertools
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import FAMILIES, approved_case, plain
from tests.browser.conftest import Visit
from tests.browser.journeys.asking import CLINICIAN, MOST_CONTINUATION, answer_all, begin
from tests.browser.journeys.care import days_on
from tests.browser.visitor import Visitor

_NUMBERS = itertools.count(
    60_000 + int(time.time() + 900) % 39_000 if "ASSENT_BROWSER_ADDRESS" in os.environ else 55_800
)


def _biologics(visitor: Visitor) -> None:
    visitor.fill("a.das28_now", "2.5")
    visitor.choose("a.intolerable_effects", "no")


def _cholangitis(visitor: Visitor) -> None:
    visitor.fill("a.alp_now", "150")
    visitor.choose("a.clinical_benefit", "yes")


def _sclerosis(visitor: Visitor) -> None:
    visitor.fill_day("a.last_review_on", days_on(-30))
    visitor.choose("a.benefit_outweighs_pml_risk", "yes")
    visitor.click("Continue")  # more questions than stand on one page
    visitor.choose("a.relapses_fewer", "yes")
    visitor.choose("a.intolerable_effects", "no")


def _immunoglobulin(visitor: Visitor) -> None:
    visitor.fill("a.doses_given", "1")
    visitor.fill("a.repeat_day", "7")
    visitor.choose("a.haemostatic_count_reached", "no")
    visitor.choose("a.serious_complication", "no")


#: What is new at each continuation, and how many interactions it may take. Two of the policies ask
#: for four new facts, one of them for a day of three boxes and on two pages: 8 are not kept there.
CASES: dict[str, tuple[Callable[[Visitor], None], int]] = {
    "biologics": (_biologics, MOST_CONTINUATION),
    "obeticholic acid": (_cholangitis, MOST_CONTINUATION),
    "multiple sclerosis": (_sclerosis, 12),
    "immunoglobulin": (_immunoglobulin, 9),
}


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
@pytest.mark.parametrize("family", CASES)
def test_a_continuation_types_nothing_that_is_on_record(
    visit: Visit, family: str, scripts: bool
) -> None:
    visitor = visit(CLINICIAN, scripts=scripts)
    case, number = approved_case(family, Kind.INITIATION), invented_number(next(_NUMBERS))
    visitor.go("/start")
    begin(visitor, FAMILIES[family].split("/")[1], case, number, "DEMQ1")
    answers: dict[str, Any] = plain(case.answers)
    answer_all(visitor, answers)
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text
    visitor.click("The treatment", role="link")

    say, most = CASES[family]
    visitor.interactions = 0
    visitor.click("Continue this treatment")
    assert f"NHS number {number[:3]} {number[3:6]} {number[6:]}" in visitor.text
    visitor.on_record = visitor.fields_on_record()
    assert any("dose" in each for each in visitor.on_record), visitor.on_record
    visitor.click("Fill in all that is on record", role="link")
    assert visitor.page.locator('[id="still_dose"]').is_checked() is False
    visitor.choose("still_dose", "yes")
    say(visitor)
    visitor.click("Continue")
    assert visitor.heading.endswith("Check your answers"), visitor.text
    assert "Still missing" not in visitor.text, visitor.text
    assert f"NHS number {number[:3]} {number[3:6]} {number[6:]}" in visitor.text
    visitor.click("Send the request")
    assert "/requests/" in visitor.at
    assert "More information needed" not in visitor.heading
    assert visitor.interactions <= most, visitor.interactions
