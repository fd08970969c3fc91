"""Requests of the fuzz run that take two members of a panel, under a text that asks for two."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.approvals.library import Library
from tests.functional.approvals.api import Api, good, initiation, without
from tests.pattern_policies import asking_for_two

#: In the run's library it asks for two members of a panel; the packaged text does not.
POLICY: Final = "etanercept-ra-severe"
_ANSWERS: Final = {
    "least_expensive": False,
    "other_product_reason": "no_reason",  # so that people decide it
    "dose_mg": {"value": "50", "unit": "mg"},
    "dose_interval_days": {"value": 7, "unit": "days"},
}


def of_two(library: Library) -> Library:
    """The run's library: the packaged one, with a policy that asks for two of a panel."""
    return asking_for_two(library, POLICY)


def referred_to_two(people: Mapping[str, Api], count: Iterator[int], word: str) -> None:
    """Requests that wait for two members, one of them with a vote."""
    made: dict[str, Any] = {}
    for _ in range(6):
        form = without(initiation(next(count), policy=POLICY), "screened", "active_infection")
        form["answers"] |= _ANSWERS
        made = good(people["clinician"].post("/v1/requests", form), 201)
        assert made["state"] == "referred", made
    sent = {"reason": f"{word} said so.", "declares_no_interest": True}
    at = f"/v1/requests/{made['id']}/panel-approve"
    good(people["panel member"].post(at, sent, version=made["version"]))
