"""A dose that is stated with a request and one that its answers tell: the same, or not."""

from typing import Any

import pytest

from app.approvals.recorded_dose import _agrees

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
