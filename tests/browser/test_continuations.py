"""A continuation for a known patient: few interactions, and nothing typed that is on record.

The treatment is the test's own, begun by a first request of each family, so what is on record is
known. A field that the page tells an answer for, or whose dose it offers to confirm, may not be
filled in: `Visitor.on_record` makes that fail.
"""

import datetime as dt
import itertools
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.policy import Kind
from app.policy.cases import Case
from app.reference_data.nhs_number import test_number as invented_number
from tests.browser.cases import approved_case, folder_of, plain
from tests.browser.conftest import Visit
from tests.browser.journeys.asking import CLINICIAN, MOST_CONTINUATION, answer_all, begin
from tests.browser.journeys.care import days_on
from tests.browser.visitor import Visitor
from tests.policies.test_interactions import LISTED

_NUMBERS = itertools.count(
    60_000 + int(time.time() + 900) % 39_000 if "ASSENT_BROWSER_ADDRESS" in os.environ else 55_800
)


def _biologics(visitor: Visitor) -> None:
    visitor.fill("a.das28_now", "2.5")
    visitor.none_of_these()


def _cholangitis(visitor: Visitor) -> None:
    visitor.choose("a.clinical_benefit", "yes")
    visitor.fill("a.alp_now", "150")
    visitor.fill("a.bilirubin", "12")
    visitor.choose("a.child_pugh", "none")
    visitor.choose("a.biliary_obstruction", "no")


def _sclerosis(visitor: Visitor) -> None:
    visitor.tick("a.last_review_on.decided")  # the form is filled in at the review
    visitor.fill("a.edss", "3.5")
    visitor.choose("a.benefit_outweighs_pml_risk", "yes")
    visitor.choose("a.relapses_fewer", "yes")
    visitor.none_of_these()


def _immunoglobulin(visitor: Visitor) -> None:
    visitor.fill("a.doses_given", "1")
    visitor.choose("a.haemostatic_count_reached", "no")
    visitor.fill("a.repeat_day", "7")
    visitor.fill("a.platelets", "8")
    visitor.choose("a.serious_complication", "no")


def _arthritis(visitor: Visitor) -> None:
    for name in ("tender_joints", "swollen_joints"):
        visitor.fill(f"a.{name}_now", "4")
    for name in ("physician_global", "patient_global"):
        visitor.fill(f"a.{name}_now", "3")
    visitor.none_of_these()


def _anaemia(visitor: Visitor) -> None:
    visitor.choose("a.relapsed", "no")
    visitor.choose("a.part_of_first_course", "yes")
    visitor.fill("a.outcome_measures.0.score_after", "96")
    visitor.choose("a.serious_complication", "no")


def _polyneuropathy(visitor: Visitor) -> None:
    for row in range(3):
        visitor.fill(f"a.outcome_measures.{row}.score_after", "14")
    visitor.fill("a.weight_kg", "80")
    visitor.choose("a.serious_complication", "no")


#: What is new at each continuation: no measurement, response or complication is taken from before.
CASES: dict[str, Callable[[Visitor], None]] = {
    "biologics": _biologics,
    "obeticholic acid": _cholangitis,
    "multiple sclerosis": _sclerosis,
    "immunoglobulin": _immunoglobulin,
    "psoriatic arthritis": _arthritis,
    "haemolytic anaemia": _anaemia,
    "polyneuropathy": _polyneuropathy,
}
#: The shortest worked case of multiple sclerosis is a review before its response is asked for.
LONGER_THAN_COUNTED = {"multiple sclerosis": 1}
#: A repeat in the same episode: it began a week ago, and height and weight were measured then.
EPISODE = ("height_cm", "weight_kg")


def _begun(family: str) -> tuple[Case, dict[str, Any]]:
    """The first request of a family, with its answers as they are typed."""
    case = approved_case(family, Kind.INITIATION)
    answers: dict[str, Any] = plain(case.answers)
    if family == "polyneuropathy":
        return _given_a_course(case, answers)
    if "immunoglobulin" not in folder_of(family).name:
        return case, answers
    week_ago = days_on(-7)
    day = dt.date.fromisoformat(week_ago)
    case = replace(case, context=replace(case.context, decision_to_treat=day, first_dose=None))
    for name in EPISODE:
        answers[name] = {**answers[name], "measured_on": week_ago}
    return case, answers


def _given_a_course(case: Case, answers: dict[str, Any]) -> tuple[Case, dict[str, Any]]:
    """The first course of an adult, asked for and begun some weeks ago: the day is on record."""
    decided, given = (dt.date.fromisoformat(days_on(days)) for days in (-40, -38))
    context = replace(
        case.context,
        decision_to_treat=decided,
        first_dose=given,
        birth_date=dt.date(1970, 5, 5),
        sex="male",
    )
    height = {"value": "180", "measured_on": decided.isoformat()}
    answers |= {"height_cm": height, "weight_kg": "80", "dose_g": "150"}
    return replace(case, context=context), answers


def _continued(visit: Visit, family: str, *, scripts: bool) -> Visitor:
    """Somebody on the page of a continuation of a family, what is on record confirmed."""
    visitor = visit(CLINICIAN, scripts=scripts)
    (case, answers), number = _begun(family), invented_number(next(_NUMBERS))
    visitor.go("/start")
    begin(visitor, folder_of(family).name, case, number, "DEMQ1")
    answer_all(visitor, answers)
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text
    visitor.click("The treatment", role="link")

    visitor.interactions = 0
    visitor.click("Continue this treatment")
    assert f"NHS number {number[:3]} {number[3:6]} {number[6:]}" in visitor.text
    visitor.on_record = visitor.fields_on_record()
    assert visitor.on_record
    assert visitor.page.locator('[id="still"]').is_checked() is False
    visitor.choose("still", "yes")
    return visitor


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
@pytest.mark.parametrize("family", CASES)
def test_a_continuation_types_nothing_that_is_on_record(
    visit: Visit, family: str, scripts: bool
) -> None:
    visitor = _continued(visit, family, scripts=scripts)
    CASES[family](visitor)
    visitor.click("Send the request")
    assert "/requests/" in visitor.at, visitor.text
    assert visitor.heading == "Approved", visitor.text
    assert visitor.interactions <= MOST_CONTINUATION, visitor.interactions
    more = LONGER_THAN_COUNTED.get(family, 0)
    assert visitor.interactions == counted(folder_of(family).name) + more, "what the list says"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_visit_of_weeks_ago_is_one_day_for_all_that_was_measured_then(
    visit: Visit, scripts: bool
) -> None:
    family = "multiple sclerosis"
    visitor = _continued(visit, family, scripts=scripts)
    ago = dt.date.fromisoformat(days_on(-40))
    visitor.fill("shared_day", f"{ago:%d/%m/%Y}")
    visitor.fill("a.edss", "3.5")
    visitor.choose("a.benefit_outweighs_pml_risk", "yes")
    visitor.choose("a.relapses_fewer", "yes")
    visitor.none_of_these()
    visitor.click("Send the request")
    assert visitor.heading == "Approved", visitor.text
    assert visitor.interactions == counted(folder_of(family).name) + LONGER_THAN_COUNTED[family]
    said = f"{ago.day} {ago:%B %Y}"
    # Beside the review, beside the score, and in the finding that looks at the review.
    assert visitor.text.count(said) == 3, (said, visitor.text)


def counted(policy: str) -> int:
    """The interactions of the policy's continuation, as they are counted without a browser."""
    found = re.search(rf"^{policy}: (\d+)", LISTED.read_text(encoding="utf-8"), re.M)
    assert found is not None, policy
    return int(found.group(1))
