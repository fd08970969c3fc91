"""Every packaged formula gives what its worked cases say, and policies can use it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from app.policy.work_out import rounded, work_out
from tests.policies.library import shelf

CASES = [
    pytest.param(formula, case, id=f"{name} {day}: {case['about']}")
    for (name, day), formula in shelf().formulas.items()
    for case in formula["cases"]
]


def typed(formula, name, value):
    kind = formula["parameters"][name]["type"]
    if kind == "date":
        return date.fromisoformat(value)
    return Decimal(value) if kind == "number" else value


@pytest.mark.parametrize(("formula", "case"), CASES)
def test_a_formula_gives_what_its_worked_cases_say(formula, case):
    given = {name: typed(formula, name, value) for name, value in case["with"].items()}
    found = work_out(formula, given)
    for step, value in case.get("steps", {}).items():
        assert found[step] == value, step
    assert rounded(found["result"], case.get("rounded")) == case["gives"]


def test_every_formula_has_a_case_and_says_that_it_proposes_nothing():
    assert len(shelf().formulas) >= 14
    for formula in shelf().formulas.values():
        assert formula["cases"]
        assert "proposes none" in formula["about"]
