"""A dose that is stated with a request and one that its answers tell: the same, or not."""

from typing import Any

import pytest

from app.approvals.recorded_dose import _agrees, is_of_the_dose

ANSWERS = (
    {"value": "40", "unit": "mg"},
    {"value": 14, "unit": "days"},
)


@pytest.mark.parametrize(
    ("stated", "same"),
    [
        (None, True),
        ({"amount": "40", "unit": "mg", "every_days": 14}, True),
        ({"amount": "40.0", "unit": "mg"}, True),
        ({"amount": "80", "unit": "mg", "every_days": 14}, False),
        ({"amount": "40", "unit": "mg", "every_days": 7}, False),
        ({"amount": "40", "unit": "g", "every_days": 14}, False),
        ({"amount": "forty", "unit": "mg"}, False),
    ],
)
def test_a_stated_dose_must_be_that_of_the_answers(
    stated: dict[str, Any] | None, same: bool
) -> None:
    assert _agrees(stated, ANSWERS) is same


@pytest.mark.parametrize(
    ("question", "is_one"),
    [
        ("dose_mg", True),
        ("dose_interval_days", True),
        ("dose_within_licence", True),
        ("monthly_dose_g", True),
        ("daily_dose_mg", True),
        ("course_dose_mg", True),
        # Given once, of another drug, counted, or how the patient was.
        ("loading_dose_mg", False),
        ("udca_dose_mg", False),
        ("doses_given", False),
        ("hours_since_last_dose", False),
        ("dose_raised_on_outcome", False),
    ],
)
def test_what_is_confirmed_as_the_dose_is_the_treatments_own(question: str, is_one: bool) -> None:
    assert is_of_the_dose(question) is is_one
