"""Lint of picks, choices and arms."""

from __future__ import annotations

import pytest

from app.authoring.lint import lint_version
from tests.unit.policy.makers import BASE, make_policy

LAST = {"latest": "relapses", "value": "on"}
SAME = {"choose": [{"when": "flag", "value": 1}], "else": 1}
TWO = {"choose": [{"when": "flag", "value": 1}], "else": 2}
SOON = "last >= ADD_MONTHS(decision_to_treat, -12)"


def arms(*tests):
    return {"arms": [{"id": f"a{n}", "text": "x", "met_when": t} for n, t in enumerate(tests)]}


@pytest.mark.parametrize(
    ("start", "derive", "code", "remarked"),
    [
        (SOON, {"last": LAST}, "unguarded-pick", True),
        (f"recent = 0 OR {SOON}", {"last": LAST}, "unguarded-pick", False),
        ("grade > 1", {"grade": SAME}, "choice-of-one", True),
        ("grade > 1", {"grade": TWO}, "choice-of-one", False),
        (arms("flag", "flag AND other"), {}, "needless-arm", True),
        (arms("flag AND third", "flag AND other"), {}, "needless-arm", False),
    ],
)
def test_what_is_suspicious_in_language_2_is_remarked_on(start, derive, code, remarked):
    version = make_policy(language=2, derive={**BASE["derive"], **derive}, start=[start])
    found = [remark for remark in lint_version(version, prove=False) if remark.code == code]
    assert len(found) == remarked
    assert all(remark.level == "advice" for remark in found)


def test_days_that_stand_for_months_are_found_behind_a_choice():
    derive = {"limit": {"choose": [{"when": "flag", "value": 365}], "else": 182, "unit": "days"}}
    text = "Within 12 months"
    start = {"met_when": "DAYS_BETWEEN(tested_on, decision_to_treat) <= limit", "text": text}
    version = make_policy(language=2, derive=derive, start=[start])
    assert "days-for-months" in [each.code for each in lint_version(version, prove=False)]
