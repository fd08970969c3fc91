"""The four worked doses of the immunoglobulin dose engine, by formulas used in one policy."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from app.policy import Answer, Context, Kind, decide, from_resolved, load_policy, readable
from tests.policies.library import shelf
from tests.unit.policy.makers import BASE, policy_text

DAY = "2026-11-22"
QUESTIONS = {
    "height_cm": {"type": "number", "label": "Height", "unit": "cm"},
    "weight_kg": {"type": "number", "label": "Weight", "unit": "kg"},
    "grams_per_kg": {"type": "number", "label": "Grams per kilogram", "unit": "g/kg"},
    "dose_g": {"type": "number", "label": "Dose", "unit": "g"},
}


def policy(ideal):
    derive = {
        "ibw": {
            "formula": f"ideal-body-weight-{ideal}",
            "version": DAY,
            "with": {"height": "height_cm", "patient_sex": "sex"},
        },
        "dosing_weight": {
            "formula": "corrected-body-weight",
            "version": DAY,
            "with": {"actual": "weight_kg", "ideal": "ibw"},
        },
        "most": {
            "formula": "whole-vials-5g",
            "version": DAY,
            "with": {"total": "grams_per_kg * dosing_weight"},
        },
        "plain": {
            "formula": "whole-vials-5g",
            "version": DAY,
            "with": {"total": "grams_per_kg * ibw"},
        },
    }
    text = policy_text(
        language=2,
        questions={**BASE["questions"], **QUESTIONS},
        derive=derive,
        start=["dose_g <= most", "dose_g <= plain"],
    )
    return load_policy(text, "a.yaml", shelf=shelf())


@pytest.mark.parametrize(
    ("ideal", "sex", "height", "weight", "ibw", "dosing", "most", "plain"),
    [
        ("robinson", "male", 180, 110, "73.0", "87.8", 175, 145),
        ("devine", "male", 180, 110, "75.0", "89.0", 175, 145),
        ("robinson", "female", 160, 90, "54.4", "68.6", 135, 105),
        ("devine", "female", 160, 90, "52.4", "67.4", 130, 100),
        ("robinson", "female", 165, 60, "57.7", "60.0", 120, 115),
    ],
)
def test_the_worked_doses_come_out_with_their_working(
    ideal, sex, height, weight, ibw, dosing, most, plain
):
    given = {
        "height_cm": Answer(Decimal(height)),
        "weight_kg": Answer(Decimal(weight)),
        "grams_per_kg": Answer(Decimal(2)),
        "dose_g": Answer(Decimal(most)),
    }
    context = Context(date(2026, 11, 22), sex=sex)
    decision = decide(policy(ideal), Kind.INITIATION, given, context)
    seen = dict(decision.findings[0].part.looked_at) | dict(decision.findings[1].part.looked_at)
    assert (str(round(seen["ibw"], 1)), str(round(seen["dosing_weight"], 1))) == (ibw, dosing)
    assert (seen["most"], seen["plain"]) == (most, plain)
    assert round(seen["dosing_weight_threshold"], 8) == round(Decimal("1.2") * seen["ibw"], 8)
    assert decision.findings[0].result.value == "met"


def test_a_policy_that_uses_formulas_holds_them_in_full_and_can_be_rebuilt_without_them():
    version = policy("robinson")
    assert from_resolved(version.resolved) == version
    assert "cm_over" in version.resolved
    assert version.unverified  # a formula that was not verified makes a draft of the policy
    assert "(formula: Corrected body weight, 2026-11-22" in readable(version)
