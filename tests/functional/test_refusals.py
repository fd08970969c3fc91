"""Every refusal is problem+json with a correlation id, safe headers and nothing that was sent."""

import logging
import uuid
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

SECRET = "Zephaniah"


def post(client: TestClient, body: bytes | Iterator[bytes], **headers: str):
    sent = {"X-Request-ID": str(uuid.uuid4()), "Content-Type": "application/json", **headers}
    return client.post("/probe/notes", content=body, headers=sent)


def check_problem(reply, status: int, code: str) -> None:
    assert (reply.status_code, reply.json().get("code")) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    body = reply.json()
    assert body["status"] == status
    assert body["type"] == f"urn:assent:problem:{code}"
    assert body["correlation_id"] == reply.headers["X-Correlation-ID"] != ""
    assert body["title"]
    assert body["detail"]
    assert SECRET not in reply.text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"{", "line 1"),
        (b"{'text': 'Zephaniah'}", "line 1"),
        (b'{"text": "Zephaniah"} trailing', "line 1"),
        (b'{"text": "Zephaniah", "text": "b"}', "same key twice"),
        (b'{"text": "a", "amount": NaN}', "NaN"),
        (b'{"text": "a", "amount": -Infinity}', "NaN and Infinity"),
        (b'{"text": "a", "amount": ' + b"9" * 5000 + b"}", "over 40 characters"),
        (b'{"text": "a", "amount": 1e99999}', "exponent"),
        (b'{"text": "a", "amount": 1.' + b"0" * 5000 + b"}", "over 40 characters"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (b'\xef\xbb\xbf{"text": "a"}', "cannot be read"),
        ('{"text": "Zephaniah"}'.encode("utf-16"), "not UTF-8"),
        (b'{"text": "\\ud800"}', "surrogate"),
        (b'{"text": "\\u0000"}', "NUL"),
        (b'{"\\u0000": "Zephaniah"}', "NUL"),
        (b"[" * 40 + b"]" * 40, "deeper than 32"),
        (b"[" * 9000 + b"]" * 9000, "deeper than 32"),
        (b'{"text":' * 1000 + b"1" + b"}" * 1000, "deeper than 32"),
    ],
    ids=lambda value: value if isinstance(value, str) else "body",
)
def test_what_is_not_well_formed_json_is_400(client: TestClient, body: bytes, says: str) -> None:
    reply = post(client, body)

    check_problem(reply, 400, "malformed-json")
    assert says in reply.json()["detail"]


@pytest.mark.parametrize(
    ("body", "where", "message"),
    [
        (b"null", "body", "is not an object"),
        (b"[]", "body", "is not an object"),
        (b"{}", "body.text", "is missing"),
        (b'{"text": 1}', "body.text", "is not text"),
        (b'{"text": null}', "body.text", "is not text"),
        (b'{"text": "a", "onn": "Zephaniah"}', "body.onn", "is not known here"),
        (b'{"text": "a", "amount": true}', "body.amount", "is not a number"),
        (b'{"text": "a", "amount": "Zephaniah"}', "body.amount", "is not a number"),
        (b'{"text": "a", "amount": "\xd9\xa3"}', "body.amount", "is not a number"),
        (b'{"text": "a", "amount": "6.4\\n"}', "body.amount", "is not a number"),
        (b'{"text": "a", "amount": 1e15}', "body.amount", "is too large"),
        (b'{"text": "a", "on": "2024-02-30"}', "body.on", "is not a day of the calendar"),
        (b'{"text": "a", "on": "20240229"}', "body.on", "is not a day of the calendar"),
        (b'{"text": "a", "on": "2024-02-29T00:00:00"}', "body.on", "is not a day of the calendar"),
        (b'{"text": "a", "on": 1700000000}', "body.on", "is not a day of the calendar"),
    ],
)
def test_what_is_not_as_described_is_422_and_names_each_place(
    client: TestClient, body: bytes, where: str, message: str
) -> None:
    reply = post(client, body)

    check_problem(reply, 422, "not-as-described")
    assert [(e["where"], e["message"]) for e in reply.json()["errors"]] == [(where, message)]
    assert all(e["mend"] for e in reply.json()["errors"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"6.4", "6.4"),
        (b'"6.40"', "6.40"),
        (b"7", "7"),
        (b"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
    ],
)
def test_numbers_are_never_rounded(client: TestClient, sent: bytes, kept: str) -> None:
    reply = post(client, b'{"text": "a", "amount": ' + sent + b"}")

    assert reply.status_code == 201
    assert reply.json()["amount"] == kept


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/json; charset=latin-1", "multipart/form-data"],
)
def test_a_body_of_another_media_type_is_415(client: TestClient, content_type: str) -> None:
    reply = post(client, b'{"text": "a"}', **{"Content-Type": content_type})

    check_problem(reply, 415, "wrong-media-type")


def test_a_body_over_the_limit_is_413_by_its_announced_length(client: TestClient) -> None:
    check_problem(post(client, b" " * 30_000), 413, "body-too-large")


def test_a_body_over_the_limit_is_413_when_it_announces_no_length(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 1000

    check_problem(post(client, chunks()), 413, "body-too-large")


def test_a_body_just_under_the_limit_is_read(client: TestClient) -> None:
    body = b'{"text": "a"}'

    assert post(client, body + b" " * (20_000 - len(body))).status_code == 201


def test_an_unknown_address_is_404(client: TestClient) -> None:
    check_problem(client.get(f"/v1/{SECRET}"), 404, "no-such-address")
    check_problem(client.get("/v1/policies/"), 404, "no-such-address")
    check_problem(client.get("/docs"), 404, "no-such-address")


def test_a_method_that_an_address_does_not_take_is_405_and_says_which_it_takes(
    client: TestClient,
) -> None:
    reply = client.delete("/probe/notes")

    check_problem(reply, 405, "method-not-allowed")
    assert reply.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic dXNlcjpwdw==", "demo-clinician-token"],
)
def test_a_call_without_a_valid_token_is_401(
    application: FastAPI, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    with TestClient(application, headers=headers) as nobody:
        reply = nobody.get("/v1/policies")

    check_problem(reply, 401, "not-signed-in")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_a_fault_of_ours_is_500_and_hides_everything(
    client: TestClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        reply = client.get("/probe/fault")

    check_problem(reply, 500, "fault-of-ours")
    for text in (reply.text, "".join(capfd.readouterr()), caplog.text):
        assert "patient 999" not in text
        assert "secret" not in text


def test_a_database_that_does_not_answer_is_503(application: FastAPI, database) -> None:
    from app.db.engine import make_engine
    from app.db.transaction import Database
    from app.door import Door

    nowhere = Database(make_engine("postgresql://nobody@127.0.0.1:1/nothing"), b"k" * 32)
    application.state.door = Door(nowhere)

    with TestClient(application, headers={"Authorization": "Bearer any"}) as client:
        reply, ready, alive = (client.get(p) for p in ("/v1/policies", "/readyz", "/livez"))

    check_problem(reply, 503, "not-ready")
    assert reply.headers["Retry-After"] == "5"
    check_problem(ready, 503, "not-ready")
    assert alive.status_code == 200


@pytest.mark.parametrize("given", ["abc-1", "x" * 100, "6C1B:2/3+4=@y.z_0"])
def test_a_correlation_id_is_echoed(client: TestClient, given: str) -> None:
    for path in ("/v1/policies", "/v1/nothing", "/livez"):
        reply = client.get(path, headers={"X-Correlation-ID": given})
        assert reply.headers["X-Correlation-ID"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 101, "a b", "a\tb", "<script>", "caf\xe9"])
def test_a_correlation_id_that_cannot_be_used_is_replaced(
    client: TestClient, given: str | None
) -> None:
    headers = {} if given is None else {"X-Correlation-ID": given.encode("latin-1")}

    reply = client.get("/v1/policies", headers=headers)

    assert reply.status_code == 200
    assert uuid.UUID(reply.headers["X-Correlation-ID"])


def test_good_replies_carry_the_safe_headers_too(client: TestClient) -> None:
    reply = client.get("/v1/policies")

    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert reply.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("9990077002", False),
        ("ward/999-007-7002=a", False),
        ("4010232137", False),
        ("400.000.0004", False),
        ("1764340000", True),  # a time in seconds begins as no NHS number does
        ("99900770021", True),
        ("7f0c2c59-3c0c-4a57-9d55-999007700200", True),
        ("6C1B4f", True),
    ],
)
def test_a_correlation_id_that_may_hold_an_nhs_number_is_replaced(
    client: TestClient, given: str, used: bool
) -> None:
    reply = client.get("/v1/policies", headers={"X-Correlation-ID": given})

    assert (reply.headers["X-Correlation-ID"] == given) is used


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("amuont", True),
        ("zephaniah", False),
        ("9990077002", False),
        ("H000001", False),
        ("Zephaniah", False),
        ("a1931", False),
    ],
)
def test_a_key_that_may_be_of_a_patient_is_not_repeated(
    client: TestClient, key: str, shown: bool
) -> None:
    reply = post(client, b'{"text": "a", "%s": 1}' % key.encode())

    assert reply.status_code == 422
    assert (key in reply.text) is shown


def test_a_parameter_that_a_call_does_not_take_is_refused(client: TestClient) -> None:
    assert client.get("/v1/drafts").status_code == 200
    refused = client.get("/v1/drafts?limit=5")
    assert refused.status_code == 400
    assert refused.json()["code"] == "bad-request"
    assert "limit" not in refused.json()["detail"], "a name may hold anything"
    assert client.get("/v1/drafts?limit=5", headers={"Authorization": ""}).status_code == 401
