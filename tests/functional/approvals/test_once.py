"""A form is carried out once, whatever happens on the way, and no reference is lost or doubled."""

import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.db.transaction import Database
from tests import commits
from tests.functional.approvals.api import Api, good, initiation

Rows = Callable[[], dict[str, int]]


def test_a_repeat_gets_the_same_reference_and_adds_nothing(clinician: Api, rows: Rows) -> None:
    request_id = str(uuid.uuid4())
    first = clinician.post("/v1/requests", initiation(), request_id=request_id)
    reference = good(first, 201)["approval"]["reference"]
    before = rows()

    second = clinician.post("/v1/requests", initiation(), request_id=request_id)

    assert good(second, 201)["approval"]["reference"] == reference
    assert second.content == first.content
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert rows() == before


def test_equal_forms_at_once_get_one_reference(clinician: Api, rows: Rows) -> None:
    request_id = str(uuid.uuid4())
    together = threading.Barrier(6)

    def send(_: int) -> tuple[int, bytes]:
        together.wait()
        reply = clinician.post("/v1/requests", initiation(), request_id=request_id)
        return reply.status_code, reply.content

    with ThreadPoolExecutor(6) as pool:
        replies = set(pool.map(send, range(6)))

    assert [status for status, _ in replies] == [201]
    counted = rows()
    assert (counted["approval"], counted["request"], counted["patient"]) == (1, 1, 1)


def test_different_calls_for_one_patient_at_once_give_one_approval(
    people: Mapping[str, Api], rows: Rows
) -> None:
    together = threading.Barrier(6)
    senders = ["clinician", "other clinician"] * 3

    def send(who: str) -> int:
        form = initiation()
        form["patient"].pop("local_id")
        together.wait()
        return people[who].post("/v1/requests", form).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(send, senders))

    assert statuses == [201, 409, 409, 409, 409, 409]
    assert rows()["approval"] == 1


def test_two_amendments_at_once_do_not_overwrite_each_other(clinician: Api) -> None:
    form = initiation()
    form["answers"].pop("das28_at_start")
    body = good(clinician.post("/v1/requests", form), 201)
    together = threading.Barrier(2)

    def send(score: str) -> int:
        together.wait()
        return clinician.post(
            f"/v1/requests/{body['id']}/amend",
            {"answers": {"das28_at_start": score}},
            version=body["version"],
        ).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(send, ["5.8", "2.0"]))

    assert statuses == [200, 412]


@pytest.mark.parametrize("path", ["/v1/requests", "amend"])
def test_a_commit_that_fails_gives_500_and_no_reference(
    clinician: Api, database: Database, rows: Rows, path: str
) -> None:
    form, version, wanted = initiation(), None, 201
    if path == "amend":
        form["answers"].pop("das28_at_start")
        body = good(clinician.post("/v1/requests", form), 201)
        path, form = f"/v1/requests/{body['id']}/amend", {"answers": {"das28_at_start": "5.8"}}
        version, wanted = body["version"], 200
    before = rows()
    request_id = str(uuid.uuid4())

    with commits.that_fail(database.engine):
        reply = clinician.post(path, form, request_id=request_id, version=version)

    assert (reply.status_code, reply.json()["code"]) == (500, "fault-of-ours")
    assert "PA" not in reply.text
    assert "reference" not in reply.text
    assert rows() == before
    again = clinician.post(path, form, request_id=request_id, version=version)
    assert good(again, wanted)["approval"]["reference"].startswith("PA")
    assert rows()["approval"] == 1


def test_a_refused_form_may_be_mended_under_the_same_id(clinician: Api) -> None:
    request_id = str(uuid.uuid4())
    wrong = initiation(decision_to_treat="2026-06-16")

    assert clinician.post("/v1/requests", wrong, request_id=request_id).status_code == 422
    assert clinician.post("/v1/requests", initiation(), request_id=request_id).status_code == 201
