"""Attachments over the API: by the provider's care team, read by others only where shared."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from app.approvals.attaching import MOST
from app.approvals.attachment_kinds import LARGEST
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import ATTACHED

PNG = b"\x89PNG\r\n\x1a\nIEND\xaeB`\x82"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def at(people: Mapping[str, Api]) -> str:
    """The attachments of an approved request of DEMO1."""
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    return f"/v1/requests/{made['id']}/attachments"


def titles(api: Api, at: str) -> list[str]:
    return [each["title"] for each in good(api.get(at))["attachments"]]


def test_a_file_comes_back_as_it_went_and_others_read_what_is_shared(
    people: Mapping[str, Api], at: str
) -> None:
    reply = people["clinician"].post(at, ATTACHED)
    letter = good(reply, 201)
    assert reply.headers["Location"] == f"{at}/{letter['id']}"
    assert (letter["media_type"], letter["number"]) == ("application/pdf", 1)
    picture = {"title": "X-ray report", "shared": True, "content": encoded(PNG)}
    shared = good(people["delegate"].post(at, picture), 201)

    got = people["pharmacist"].get(f"{at}/{letter['id']}")
    assert got.status_code == 200, got.text
    assert got.content == base64.b64decode(ATTACHED["content"])
    assert got.headers["Content-Type"] == "application/pdf"
    assert got.headers["Content-Disposition"] == 'attachment; filename="attachment-1.pdf"'
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert titles(people["clinician"], at) == [ATTACHED["title"], "X-ray report"]
    assert titles(people["commissioner"], at) == ["X-ray report"]
    assert people["commissioner"].get(f"{at}/{letter['id']}").status_code == 404
    assert people["commissioner"].get(f"{at}/{shared['id']}").content == PNG
    assert people["other clinician"].get(at).status_code == 404
    assert people["other clinician"].get(f"{at}/{shared['id']}").status_code == 404


def test_a_file_is_erased_with_its_reason_on_record(people: Mapping[str, Api], at: str) -> None:
    clinician = people["clinician"]
    id_ = good(clinician.post(at, ATTACHED), 201)["id"]
    refused = people["commissioner"].post(f"{at}/{id_}/remove", {"reason": "Not mine."})
    assert refused.status_code == 403, refused.text
    assert clinician.post(f"{at}/{id_}/remove", {"reason": " "}).status_code == 422
    assert titles(clinician, at) == [ATTACHED["title"]]

    gone = good(clinician.post(f"{at}/{id_}/remove", {"reason": "Of another patient."}))

    assert gone == {"taken_away": id_}
    assert titles(clinician, at) == []
    assert clinician.get(f"{at}/{id_}").status_code == 404
    assert clinician.post(f"{at}/{id_}/remove", {"reason": "Again."}).status_code == 404
    trail = good(people["auditor"].get(at.replace("attachments", "audit")))
    assert "Of another patient." in str(trail)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"content": encoded(b"MZ an executable")}, "not a whole PDF, PNG or JPEG"),
        ({"content": encoded(b"%PDF-1.7 cut in the mid")}, "not a whole PDF, PNG or JPEG"),
        ({"content": encoded(b"%PDF-" + bytes(LARGEST - 4))}, "larger than 5 MB"),
        ({"content": ATTACHED["content"][:-3]}, "is not in the form expected"),
        ({"content": ATTACHED["content"] + "="}, "is not in the form expected"),
        ({"content": "<script>"}, "content"),
        ({"content": ""}, "content"),
        ({"title": "x" * 81}, "title"),
        ({"title": "  "}, "title"),
        ({"shared": "yes"}, "shared"),
    ],
)
def test_what_is_no_attachment_is_refused_and_nothing_is_kept(
    people: Mapping[str, Api],
    at: str,
    rows: Callable[[], dict[str, int]],
    changed: dict[str, Any],
    why: str,
) -> None:
    before = rows()
    reply = people["clinician"].post(at, ATTACHED | changed)
    assert reply.status_code == 422, reply.text
    assert why in reply.text
    assert [fault["where"].removeprefix("body.") for fault in reply.json()["errors"]] == [*changed]
    assert rows() == before


def test_a_repeat_attaches_once_and_ten_are_the_most(people: Mapping[str, Api], at: str) -> None:
    clinician = people["clinician"]
    name = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e2"
    first, repeat = (clinician.post(at, ATTACHED, request_id=name) for _ in range(2))
    assert first.text == repeat.text
    for _ in range(MOST - 1):
        good(clinician.post(at, ATTACHED), 201)

    full = clinician.post(at, ATTACHED)

    assert full.status_code == 409
    assert "Take one away first" in full.json()["detail"]
    assert len(titles(clinician, at)) == MOST
