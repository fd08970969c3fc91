"""Every kind of reply, of every status, carries the same safe headers."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from app.api.limits import Limits
from tests.functional.conftest import BODY_LIMIT

SAFE = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
#: A page may load its own style sheet and send its forms; all else is as strict.
OF_PAGES = {"content-security-policy", "referrer-policy"}
AT = "/probe/notes"


def post(client: TestClient, body: bytes = b'{"text": "a"}', **headers: str) -> Response:
    sent = {"X-Request-ID": str(uuid.uuid4()), "Content-Type": "application/json", **headers}
    return client.post(AT, content=body, headers=sent)


def too_often(client: TestClient) -> Response:
    assert isinstance(client.app, FastAPI)
    client.app.state.limits = Limits(per_minute=1)
    client.get(AT)
    return client.get(AT)


def unavailable(client: TestClient) -> Response:
    assert isinstance(client.app, FastAPI)
    client.app.state.door.database.engine.dispose()

    def gone(*_: Any, **__: Any) -> Any:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("SELECT", {}, Exception("gone"))

    client.app.state.door.database.read = gone
    return client.get("/readyz")


REPLIES: dict[int, Callable[[TestClient], Response]] = {
    200: lambda c: c.get(AT),
    201: post,
    400: lambda c: post(c, b"{"),
    401: lambda c: c.get(AT, headers={"Authorization": "Bearer nobody"}),
    404: lambda c: c.get("/v1/nothing"),
    405: lambda c: c.delete(AT),
    412: lambda c: c.post(
        f"{AT}/1/close", headers={"If-Match": 'W/"1"', "X-Request-ID": str(uuid.uuid4())}
    ),
    413: lambda c: post(c, b" " * (BODY_LIMIT + 1)),
    415: lambda c: post(c, **{"Content-Type": "text/plain"}),
    422: lambda c: post(c, b"{}"),
    428: lambda c: c.post(f"{AT}/1/close", headers={"X-Request-ID": str(uuid.uuid4())}),
    429: too_often,
    500: lambda c: c.get("/probe/fault"),
    503: unavailable,
}


@pytest.mark.parametrize("status", REPLIES)
def test_every_kind_of_reply_carries_every_safe_header(client: TestClient, status: int) -> None:
    reply = REPLIES[status](client)

    assert reply.status_code == status, reply.text
    assert {name: reply.headers.get(name) for name in SAFE} == SAFE
    assert reply.headers["x-correlation-id"]
    if status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
    if status in (429, 503):
        assert int(reply.headers["retry-after"]) >= 1


@pytest.mark.parametrize("path", ["/sign-in", "/signed-out", "/", "/role", "/nothing"])
def test_a_page_loads_and_runs_nothing_of_others(client: TestClient, path: str) -> None:
    reply = client.get(path, headers={"Authorization": ""}, follow_redirects=False)

    for name in SAFE.keys() - OF_PAGES:
        assert reply.headers.get(name) == SAFE[name], name
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    for shut in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert shut in policy
    assert "script" not in policy.replace("script-src 'self';", "")
    assert "unsafe" not in policy


@pytest.mark.parametrize("status", [200, 404, 500])
def test_no_reply_opens_the_service_to_another_origin(client: TestClient, status: int) -> None:
    client.headers["Origin"] = "https://elsewhere.example"

    reply = REPLIES[status](client)
    asked = client.options(AT, headers={"Access-Control-Request-Method": "POST"})

    for each in (reply, asked):
        assert not [name for name in each.headers if name.startswith("access-control-")]
    assert asked.status_code == 405


@pytest.mark.parametrize("path", [AT, "/sign-in", "/", "/v1/policies"])
def test_trace_is_not_answered(client: TestClient, path: str) -> None:
    reply = client.request("TRACE", path, headers={"X-Secret": "sent along"})

    assert reply.status_code == 405
    assert "sent along" not in reply.text


def test_no_reply_says_what_serves_it(client: TestClient) -> None:
    for make in (REPLIES[200], REPLIES[404], REPLIES[500]):
        assert {"server", "x-powered-by"} & make(client).headers.keys() == set()


def test_a_client_that_calls_too_often_takes_nothing_from_another(
    client: TestClient, other: TestClient
) -> None:
    assert REPLIES[429](client).status_code == 429
    assert other.get(AT).status_code == 200
