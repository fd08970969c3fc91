"""The one course on record is counted for the form of the next, where there is no doubt."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from app.approvals import store
from app.approvals.lifecycle import RequestState
from app.approvals.model import RequestView
from app.approvals.recorded_course import LONGEST
from app.approvals.recorded_facts import recorded_answers
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind
from tests.world import CLINICIAN, OTHER_CLINICIAN, World, patient

POLICY = "immunoglobulin-cidp-short"
ASKED, GIVEN = dt.date(2026, 6, 15), dt.date(2026, 6, 17)
AGAIN = GIVEN + dt.timedelta(days=30)
MEASURES = [
    {"measure": each, "fixed_beforehand": True, "score_before": "10"}
    for each in ("mrc_sum", "incat_sensory", "onls")
]
ANSWERS: dict[str, Any] = {
    "neurologist_diagnosis": True,
    "efns_pns": "probable",
    "functional_impairment": True,
    "plasma_exchange_considered": True,
    "steroids_considered": True,
    "height_cm": {"value": "180", "unit": "cm"},
    "weight_kg": {"value": "80", "unit": "kg"},
    "dose_g": {"value": "160", "unit": "g"},
    "outcome_measures": MEASURES,
}
REVIEW: dict[str, Any] = {
    **{name: ANSWERS[name] for name in ("height_cm", "weight_kg", "dose_g")},
    "relapsed": False,
    "courses_so_far": 1,
    "days_to_next_course": {"value": 30, "unit": "days"},
    "serious_complication": False,
    "outcome_measures": [{**each, "score_after": "14", "meaningful": True} for each in MEASURES],
}


def asked(world: World, **changes: Any) -> RequestView:
    """A first request that is approved, asked for on its day."""
    given = {"policy": POLICY, "decision_to_treat": ASKED, "answers": ANSWERS, **changes}
    made = world.submit(**given)
    assert made.request.state is RequestState.APPROVED, made.decision
    return made


def begun(world: World, **changes: Any) -> str:
    """A treatment whose first dose was recorded on its day; it is a month later now."""
    treatment = asked(world, **changes).request.treatment_id
    world.on(GIVEN)
    world.first_dose(treatment, GIVEN)
    world.on(AGAIN)
    return treatment


def told(
    world: World, treatment: str, day: dt.date = AGAIN, caller: Caller = CLINICIAN
) -> dict[str, Any]:
    """What the form of a continuation may confirm of the course, with the day it counts from."""

    def read(work: Work) -> dict[str, Any]:
        held = store.find_treatment(work, caller, treatment)
        version = world.office.library_at(work).deciding(POLICY, Kind.CONTINUATION, day)
        found = recorded_answers(work, world.office, caller, held, version, day)
        assert found.course.keys() <= found.answers.keys()
        return {name: (each.answer["value"], each.since) for name, each in found.course.items()}

    return world.do(read)


def test_the_course_is_counted_from_its_recorded_first_dose(world: World) -> None:
    treatment = begun(world)
    expected = {"courses_so_far": (1, GIVEN), "days_to_next_course": (30, GIVEN)}
    assert told(world, treatment) == expected
    later = AGAIN + dt.timedelta(days=1)
    assert told(world, treatment, later)["days_to_next_course"] == (31, GIVEN)


def test_nothing_is_counted_without_a_recorded_first_dose_or_during_the_course(
    world: World,
) -> None:
    treatment = asked(world).request.treatment_id
    assert told(world, treatment) == {}
    world.on(GIVEN)
    world.first_dose(treatment, GIVEN)
    assert told(world, treatment, GIVEN + LONGEST) == {}
    assert told(world, treatment, GIVEN + LONGEST + dt.timedelta(days=1)) != {}


def test_a_day_that_was_only_planned_is_none(world: World) -> None:
    treatment = asked(world, first_dose=GIVEN).request.treatment_id
    world.on(AGAIN)
    assert told(world, treatment) == {}


@pytest.mark.parametrize(("stage", "counts"), [("established", False), ("new", True)])
def test_a_treatment_that_was_established_before_it_was_asked_for_is_not_counted(
    world: World, stage: str, counts: bool
) -> None:
    treatment = begun(world, answers={**ANSWERS, "treatment_stage": stage})
    assert bool(told(world, treatment)) is counts


def another_course(world: World, treatment: str) -> None:
    made = world.carry_on(treatment, answers=REVIEW)
    assert made.request.state is RequestState.APPROVED, made.decision


def supplied(
    days: int, organisation: str = "DEMO1", pays: bool = False
) -> Callable[[World, str], None]:
    """A supply that the organisation's newest run matched, so many days after the first dose."""
    row = {"organisation": organisation, "pays": pays, "run_id": "run", "row": 1}
    row |= {"provider": "DEMO1", "outcome": "matched", "day": GIVEN + dt.timedelta(days=days)}

    def keep(world: World, treatment: str) -> None:
        kept = insert(tables.listed_supply).values(**row, treatment_id=treatment)
        world.do(lambda work: work.connection.execute(kept))

    return keep


@pytest.mark.parametrize(
    ("happens", "counts"),
    [
        (another_course, False),
        (supplied(LONGEST.days + 1), False),
        (supplied(LONGEST.days), True),
        (supplied(LONGEST.days + 1, "DEMO2"), True),
        (supplied(LONGEST.days + 1, "DEMQ1", pays=True), True),
    ],
)
def test_whatever_may_be_another_course_leaves_it_to_the_clinician(
    world: World, happens: Callable[[World, str], None], counts: bool
) -> None:
    treatment = begun(world)
    happens(world, treatment)
    assert bool(told(world, treatment)) is counts


@pytest.mark.parametrize(
    ("whose", "counts"),
    [
        ({}, False),
        ({"caller": OTHER_CLINICIAN}, True),  # nobody here is told of it, and the page says so
        ({"patient": patient(2)}, True),
    ],
    ids=["the hospital's own", "another hospital's", "another patient's"],
)
def test_an_earlier_treatment_of_the_patient_for_the_illness_may_have_been_a_course(
    world: World, whose: dict[str, Any], counts: bool
) -> None:
    earlier = ASKED - dt.timedelta(days=200)
    world.on(earlier)
    asked(world, decision_to_treat=earlier, **whose)
    world.on(ASKED)
    assert bool(told(world, begun(world))) is counts


def test_a_question_that_is_worded_otherwise_is_asked(world: World) -> None:
    treatment = begun(world)
    day, weeks = AGAIN, "Courses given in the last eight weeks"

    def read(work: Work) -> set[str]:
        held = store.find_treatment(work, CLINICIAN, treatment)
        version = world.office.library_at(work).deciding(POLICY, Kind.CONTINUATION, day)
        other = replace(version.questions["courses_so_far"], label=weeks)
        version = replace(version, questions={**version.questions, "courses_so_far": other})
        return set(recorded_answers(work, world.office, CLINICIAN, held, version, day).course)

    assert world.do(read) == {"days_to_next_course"}
