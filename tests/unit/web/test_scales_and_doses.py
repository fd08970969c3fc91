"""The steps of the EDSS, and the arithmetic of a dose for the weight."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from app.policy import Context, Kind, parse_answers
from app.web.form.doses import DoseCheck, dose_checks
from app.web.form.scales import EDSS, SCALES, scale_faults
from tests.policies.library import packaged_library

DAY = dt.date(2026, 6, 1)


def test_the_edss_has_its_twenty_steps_and_no_half() -> None:
    grades = [Decimal(step.grade) for step in EDSS.steps]
    halves = [Decimal(n) / 2 for n in range(21) if n != 1]
    assert grades == halves
    assert {step.grade for step in EDSS.steps if step.verified} == {
        "5.5", "6.0", "6.5", "7.0", "7.5", "8.0", "8.5", "9.0", "9.5", "10",
    }  # fmt: skip


@pytest.mark.parametrize("grade", ["0", "0.0", "1", "1.5", "3.50", "6.5", "10", 4, Decimal("9.5")])
def test_a_step_is_taken(grade: object) -> None:
    assert not list(scale_faults({"edss": grade}))
    assert not list(scale_faults({"edss": {"value": grade, "measured_on": "2026-06-01"}}))


@pytest.mark.parametrize("grade", ["0.5", "2.3", "6.25", "10.5", "-1", 11, "1e9"])
def test_what_is_no_step_is_told(grade: object) -> None:
    (fault,) = scale_faults({"edss": {"value": grade}})
    assert (fault.question, fault.message) == ("edss", "it is no step of the EDSS")


@pytest.mark.parametrize("typed", [None, "", "four", "NaN", "Infinity", True, [], {}])
def test_what_is_no_number_is_left_to_the_reader_of_answers(typed: object) -> None:
    assert not list(scale_faults({"edss": typed}))


def test_every_question_on_a_scale_is_asked_by_some_policy() -> None:
    library = packaged_library()
    asked = {
        name
        for policy in library.policies()
        for version in library.versions(policy)
        for name in version.questions
    }
    assert set(SCALES) <= asked


def _checked(
    typed: dict[str, Any], born: dt.date | None, policy: str = "immunoglobulin-gbs"
) -> tuple[DoseCheck, ...]:
    version = packaged_library().versions(policy)[-1]
    answers = parse_answers(version, Kind.INITIATION, typed, decision_to_treat=DAY, today=DAY)
    context = Context(decision_to_treat=DAY, first_dose=None, birth_date=born, sex="male")
    return dose_checks(version, Kind.INITIATION, answers, context)


def _of(dose: str, weight: str = "70") -> dict[str, Any]:
    return {
        "dose_g": {"value": dose, "unit": "g"},
        "weight_kg": {"value": weight, "unit": "kg"},
        "height_cm": {"value": "170", "unit": "cm"},
    }


ADULT, CHILD = dt.date(1980, 1, 1), dt.date(2016, 1, 1)


def test_a_dose_over_the_limit_is_flagged_with_its_working() -> None:
    # Robinson: 52 + 0.75 × (170 - 152) = 65.5; 1.2 × that = 78.6, so the 70 kg count as they are.
    found = _checked(_of("160"), ADULT)
    assert {each.criterion for each in found} == {"GBS-D2"}
    assert not any(each.within for each in found)
    steps = {step.label: (step.working, step.value) for step in found[0].steps}
    assert steps["dose per kg"] == ("dose g ÷ dosing weight", "2.2857 g/kg")
    assert steps["ideal weight"][1] == "65.5 kg"
    assert steps["dosing weight"][1] == "70 kg"
    assert "dose_g" in found[0].asked
    assert found[0].figures == "Dose per kg: 2.2857 g/kg"
    assert "Largest dose: 140 g" in found[-1].figures
    names = [step.label for step in found[0].steps]
    assert names.index("dosing weight") < names.index("dose per kg"), "inputs come first"


def test_a_heavy_patient_s_dose_counts_by_the_corrected_weight() -> None:
    # 65.5 + 0.4 × (120 - 65.5) = 87.3 kg, so 2 g/kg are 174.6 g: 175 g is over it.
    (first, *_) = _checked(_of("175", "120"), ADULT)
    steps = {step.label: step.value for step in first.steps}
    assert (steps["dosing weight"], first.within) == ("87.3 kg", False)


def test_a_dose_within_the_limit_is_said_to_keep_to_it() -> None:
    found = _checked(_of("140"), ADULT)
    assert found
    assert all(each.within for each in found)


def test_a_child_s_limb_is_not_shown_of_an_adult_nor_the_reverse() -> None:
    assert {each.criterion for each in _checked(_of("20"), CHILD)} == {"GBS-D3"}
    assert {each.criterion for each in _checked(_of("20"), ADULT)} == {"GBS-D2"}


def test_nothing_is_said_while_a_figure_is_missing() -> None:
    assert _checked({"dose_g": {"value": "160", "unit": "g"}}, ADULT) == ()
    assert _checked({}, ADULT) == ()


def test_a_policy_without_a_weight_has_no_check() -> None:
    assert _checked({"dose_mg": {"value": "40", "unit": "mg"}}, ADULT, "adalimumab-ra-severe") == ()
