"""The short way to a submission is taken only by well-formed calls, and changes no answer.

A token under `bearer` goes FastAPI's way, under `Bearer` the short one: both must say the same.
"""

import json
import uuid
from typing import Any

import pytest

from app.api import direct
from app.api.limits import Limits
from tests.functional.approvals.api import Api, good, initiation

ID = "60e0b220-8136-4ca5-ae46-1d97ef59d068"
OTHERS = "NHSD-End-User-Organisation-ODS"


def form(**changes: Any) -> bytes:
    return json.dumps(initiation() | changes).encode()


CALLS: dict[str, tuple[dict[str, str], bytes]] = {
    "no id": ({"X-Request-ID": ""}, form()),
    "an id that is none": ({"X-Request-ID": "1"}, form()),
    "no id, and a wrong body": ({"X-Request-ID": "1"}, form(route="nobody")),
    "an unknown field": ({}, form(unknown=1)),
    "a wrong type": ({}, form(decision_to_treat=20260610)),
    "several faults": ({}, form(commissioner=1, patient={"sex": "x"}, overrides=[{}])),
    "a list": ({}, b"[]"),
    "no JSON": ({}, b"{"),
    "no policy of that key": ({}, form(policy="unheard-of")),
    "answers that do not fit": ({}, form(answers={"das28_at_start": True})),
    "another's organisation": ({OTHERS: "DEMO2"}, form()),
    "another's, and a wrong body": ({OTHERS: "DEMO2"}, form(unknown=1)),
    "a parameter": ({"query": "?x=1"}, form()),
    "a parameter, and a wrong body": ({"query": "?x=1"}, form(unknown=1)),
    "a wrong token": ({"token": "nobody's"}, form()),
    "a wrong token, and a wrong body": ({"token": "nobody's"}, form(unknown=1)),
}


def answered(api: Api, scheme: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    """The status and the document of a call, without its correlation id."""
    headers = {"X-Request-ID": ID, "Content-Type": "application/json"} | headers
    query, token = headers.pop("query", ""), headers.pop("token", api.token)
    headers["Authorization"] = f"{scheme} {token}"
    reply = api.client.post(f"/v1/requests{query}", content=body, headers=headers)
    document = reply.json()
    document.pop("correlation_id")
    return reply.status_code, document


@pytest.mark.parametrize("name", CALLS)
def test_what_is_refused_is_refused_in_the_same_words_either_way(clinician: Api, name: str) -> None:
    short = answered(clinician, "Bearer", *CALLS[name])
    assert short == answered(clinician, "bearer", *CALLS[name])
    assert short[0] >= 400


def test_a_repeat_gets_the_same_answer_whichever_way_it_goes(clinician: Api) -> None:
    first = clinician.post("/v1/requests", form(), request_id=ID)
    headers = {"X-Request-ID": ID, "Authorization": f"bearer {clinician.token}"}
    headers["Content-Type"] = "application/json"
    second = clinician.client.post("/v1/requests", content=form(), headers=headers)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["etag"] == first.headers["etag"]


def test_a_wellformed_call_goes_the_short_way(
    clinician: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    answer = direct._answer

    def note(*given: Any) -> Any:
        found = answer(*given)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(direct, "_answer", note)
    good(clinician.post("/v1/requests", initiation()), 201)
    clinician.post("/v1/requests", initiation(2, unknown=1))
    assert seen == [True, False]


@pytest.mark.parametrize("changes", [{}, {"unknown": 1}])
def test_each_call_is_counted_once(
    clinician: Api, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(Limits, "check", lambda _self, who, *_: counted.append(who))
    clinician.post("/v1/requests", initiation(1, **changes), request_id=str(uuid.uuid4()))
    assert len(counted) == 1
