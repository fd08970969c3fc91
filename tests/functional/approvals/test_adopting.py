"""Adopting over the API: one commissioner proposes, another confirms, and then it decides."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.functional.approvals.api import Api, good
from tests.functional.approvals.scene import ADOPTING, ENDING

AT = "/v1/adoption-proposals"
POLICY = ADOPTING["policy"]
ADOPTED = {
    "commissioner": "DEMQ1",
    "version": ADOPTING["version"],
    "from_day": ADOPTING["from_day"],
    "to_day": None,
    "adopted_by": "commissioner",
    "seconded_by": "second commissioner",
}


@pytest.fixture
def second(people: Mapping[str, Api]) -> Api:
    """Another commissioner of DEMQ1."""
    return people["second commissioner"]


def adoptions(api: Api) -> list[Any]:
    found: list[Any] = good(api.get(f"/v1/policies/{POLICY}/adoptions"))["adoptions"]
    return found


def test_what_one_proposes_another_confirms_and_all_see_the_version_that_decides(
    people: Mapping[str, Api], second: Api, rows: Callable[[], dict[str, int]]
) -> None:
    payer = people["commissioner"]
    reply = payer.post(AT, ADOPTING)
    proposal = good(reply, 201)
    assert reply.headers["Location"] == f"{AT}/{proposal['id']}"
    assert (proposal["state"], proposal["proposed_by"]) == ("waiting", "commissioner")
    before = rows()
    own = payer.post(f"{AT}/{proposal['id']}/confirm")
    assert own.status_code == 403, own.text
    assert adoptions(payer) == []
    assert rows() == before

    confirmed = good(second.post(f"{AT}/{proposal['id']}/confirm"))

    assert (confirmed["state"], confirmed["decided_by"]) == ("confirmed", "second commissioner")
    assert good(payer.get(f"{AT}/{proposal['id']}")) == confirmed
    assert good(payer.get(AT))["proposals"] == [confirmed]
    assert adoptions(payer) == [ADOPTED]
    nameless = {**ADOPTED, "adopted_by": None, "seconded_by": None}
    assert adoptions(people["other commissioner"]) == [nameless]
    assert adoptions(people["clinician"]) == [nameless]
    again = second.post(f"{AT}/{proposal['id']}/confirm")
    assert again.status_code == 409
    assert "was confirmed before" in again.json()["detail"]


def test_an_adoption_is_ended_by_two_as_well(people: Mapping[str, Api], second: Api) -> None:
    payer = people["commissioner"]
    none = payer.post(AT, ENDING)
    assert none.status_code == 409
    assert "there is none to end" in none.json()["detail"]
    id_ = good(payer.post(AT, ADOPTING), 201)["id"]
    good(second.post(f"{AT}/{id_}/confirm"))

    ending = good(second.post(AT, ENDING | {"from_day": "2026-09-01"}), 201)["id"]
    assert adoptions(payer) == [ADOPTED]
    good(payer.post(f"{AT}/{ending}/confirm"))

    assert adoptions(payer) == [{**ADOPTED, "to_day": "2026-08-31"}]


def test_a_repeat_proposes_once_and_a_declined_one_adopts_nothing(
    people: Mapping[str, Api], second: Api
) -> None:
    payer = people["commissioner"]
    name = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e2"
    first, repeat = (payer.post(AT, ADOPTING, request_id=name) for _ in range(2))
    assert first.text == repeat.text
    twice = payer.post(AT, ADOPTING)
    assert twice.status_code == 409
    assert "waits for a second person already" in twice.json()["detail"]

    id_ = first.json()["id"]
    assert good(second.post(f"{AT}/{id_}/decline"))["state"] == "declined"

    assert second.post(f"{AT}/{id_}/confirm").status_code == 409
    assert adoptions(payer) == []


@pytest.mark.parametrize(
    ("changed", "status", "why"),
    [
        ({"from_day": "2026-06-14"}, 422, "today or a later day"),
        ({"version": "1999-01-01"}, 404, "1999-01-01"),
        ({"policy": "no-such-policy"}, 404, "no-such-policy"),
        ({"version": "newest"}, 422, "version"),
        ({"act": "adapt"}, 422, "act"),
    ],
)
def test_what_cannot_be_adopted_is_refused(
    people: Mapping[str, Api], changed: dict[str, str], status: int, why: str
) -> None:
    reply = people["commissioner"].post(AT, ADOPTING | changed)
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    if status != 404:
        assert why in reply.text
    assert good(people["commissioner"].get(AT))["proposals"] == []


def test_a_policy_that_there_is_not_has_no_adoptions(people: Mapping[str, Api]) -> None:
    assert people["clinician"].get("/v1/policies/no-such-policy/adoptions").status_code == 404
