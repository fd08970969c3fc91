"""Sign-ins and refusals are security events: who, for whom, at which route, and no secret."""

import uuid

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.limits import Limits
from tests.functional.conftest import OTHER_TOKEN, TOKEN
from tests.security_events import Told, told

__all__ = ["told"]  # a fixture
NOBODY = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"


def call(client: TestClient, path: str = "/probe/notes", **headers: str) -> int:
    return int(client.get(path, headers=headers).status_code)


def test_a_call_without_a_valid_token_is_noted_without_the_token(
    client: TestClient, told: Told
) -> None:
    assert call(client, Authorization="Bearer stolen-perhaps") == 401
    (event,) = told()
    assert event["what"] == "credential of a call"
    assert (event["outcome"], event["why"]) == ("refused", "not valid")
    assert (event["method"], event["route"]) == ("GET", "/probe/notes")
    assert event["peer"]
    assert event["correlation_id"]
    assert event["timestamp"].endswith("Z")
    assert "who" not in event
    assert "stolen" not in str(event)


def test_a_refused_step_is_noted_with_who_was_refused(client: TestClient, told: Told) -> None:
    reply = client.post(
        "/v1/contract-terms/proposals", json={}, headers={"X-Request-ID": str(uuid.uuid4())}
    )
    assert reply.status_code in (403, 404, 405, 422)
    told()
    refused = client.get("/v1/administration/people")
    assert refused.status_code == 403, refused.text
    (event,) = told()
    assert (event["what"], event["outcome"]) == ("access", "refused")
    assert (event["role"], event["organisation"]) == ("clinician", "DEMO1")
    assert event["who"]
    assert event["client"]
    assert event["route"] == "/v1/administration/people"
    assert "the role 'clinician' may not do it" in event["why"]
    assert TOKEN not in str(event)


def test_what_was_not_found_or_is_anothers_is_noted_by_the_template_only(
    client: TestClient, told: Told
) -> None:
    assert call(client, f"/v1/requests/{NOBODY}") == 404
    (event,) = told()
    assert event["what"] == "object not found or another's"
    assert event["route"] == "/v1/requests/{id}"
    assert event["organisation"] == "DEMO1"
    assert NOBODY not in str(event)


def test_acting_for_another_organisation_is_noted(client: TestClient, told: Told) -> None:
    headers = {"NHSD-End-User-Organisation-ODS": "DEMO2"}
    assert client.get("/probe/notes", headers=headers).status_code == 403
    (event,) = told()
    assert (event["what"], event["organisation"]) == ("access", "DEMO1")
    assert event["action"] == "act for that organisation"


def test_a_limit_and_a_message_that_is_none_are_noted_with_who_sent_it(
    client: TestClient, application: FastAPI, told: Told
) -> None:
    sent = {"X-Request-ID": str(uuid.uuid4())}
    assert client.post("/probe/notes", json={"text": 7}, headers=sent).status_code == 422
    (wrong,) = told()
    assert (wrong["what"], wrong["code"]) == ("message not as described", "not-as-described")
    application.state.limits = Limits(per_minute=1)
    assert [call(client), call(client)] == [200, 429]
    (event,) = told()
    assert (event["what"], event["outcome"]) == ("limit", "refused")
    assert event["organisation"] == "DEMO1"


def test_what_is_let_through_is_no_security_event(client: TestClient, told: Told) -> None:
    assert call(client) == 200
    assert call(client, Authorization=f"Bearer {OTHER_TOKEN}") == 200
    assert told() == []


def test_events_are_counted_for_an_alarm(client: TestClient) -> None:
    call(client, Authorization="Bearer nobody")
    line = 'assent_security_events_total{outcome="refused",what="credential of a call"} 1.0'
    assert line in client.get("/metrics").text
