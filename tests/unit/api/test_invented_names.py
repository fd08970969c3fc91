"""A key that a caller invented is shown where it is near one of ours, and hidden otherwise."""

import pytest
from fastapi.exceptions import RequestValidationError

from app.api.request_bodies import ReasonBody
from app.api.validation import as_problem
from app.policy.suggestions import HIDDEN, named


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("das28_at_start", "das28_at_start"),
        ("das28_at_strat", "das28_at_strat"),
        ("okonkwo", HIDDEN),
        ("smith", HIDDEN),
        ("9991234567", HIDDEN),
        ("Okonkwo", HIDDEN),
    ],
)
def test_a_name_is_shown_only_near_a_known_one(name: str, shown: str) -> None:
    assert named(name, ("das28_at_start", "screened")) == shown


@pytest.mark.parametrize(("key", "told"), [("okonkwo", False), ("resaon", True)])
def test_a_lone_surname_as_a_key_is_not_repeated(key: str, told: bool) -> None:
    assert ReasonBody.model_fields  # the bodies are known: else nothing could be near
    error = RequestValidationError([{"type": "extra_forbidden", "loc": ("body", key)}])
    problem = as_problem(error)
    assert (key in str(problem)) is told
    assert (key in problem.faults[0].where) is told
