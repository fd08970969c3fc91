"""A write happens once for its X-Request-ID, is committed before the reply, or not at all."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.db.tables import idempotent_answer
from app.db.transaction import Database
from app.db.work import Moment
from tests import commits

NOTE = {"text": "a note", "amount": "6.40"}


def named(request_id: str | None = None, **more: str) -> dict[str, str]:
    return {"X-Request-ID": request_id or str(uuid.uuid4()), **more}


def stored(database: Database, moment: Moment) -> int:
    query = sa.select(sa.func.count()).select_from(idempotent_answer)
    return database.read(lambda work: work.connection.execute(query).scalar_one(), moment=moment)


def test_a_write_answers_with_what_it_saved(client: TestClient, notes) -> None:
    headers = named()

    reply = client.post("/probe/notes", json=NOTE, headers=headers)

    assert reply.status_code == 201
    assert reply.headers["X-Request-ID"] == headers["X-Request-ID"]
    assert reply.json() == {"id": reply.json()["id"], "text": "a note", "amount": "6.40"}
    assert reply.headers["Location"] == f"/probe/notes/{reply.json()['id']}"
    assert reply.headers["ETag"] == 'W/"1"'
    assert notes() == ["a note"]


def test_a_repeat_with_the_same_id_gets_the_same_answer_and_saves_nothing_more(
    client: TestClient, notes
) -> None:
    headers = named()

    first = client.post("/probe/notes", json=NOTE, headers=headers)
    second = client.post("/probe/notes", json=NOTE, headers=headers)

    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert notes() == ["a note"]


def test_the_case_of_the_id_does_not_matter(client: TestClient, notes) -> None:
    request_id = "60e0b220-8136-4ca5-ae46-1d97ef59d068"

    first = client.post("/probe/notes", json=NOTE, headers=named(request_id))
    second = client.post("/probe/notes", json=NOTE, headers=named(request_id.upper()))

    assert second.content == first.content
    assert notes() == ["a note"]


def test_the_same_id_with_another_body_is_a_conflict(client: TestClient, notes) -> None:
    headers = named()

    client.post("/probe/notes", json=NOTE, headers=headers)
    reply = client.post("/probe/notes", json={"text": "another"}, headers=headers)

    assert reply.status_code == 409
    assert reply.json()["code"] == "request-id-reused"
    assert notes() == ["a note"]


def test_the_same_id_for_another_object_is_a_conflict(client: TestClient) -> None:
    headers = named(**{"If-Match": 'W/"3"'})

    assert client.post("/probe/notes/1/close", headers=headers).status_code == 200
    reply = client.post("/probe/notes/2/close", headers=headers)

    assert (reply.status_code, reply.json()["code"]) == (409, "request-id-reused")


def test_the_same_id_from_another_client_is_another_write(
    client: TestClient, other: TestClient, notes
) -> None:
    headers = named()

    mine = client.post("/probe/notes", json=NOTE, headers=headers)
    theirs = other.post("/probe/notes", json=NOTE, headers=headers)

    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine.json()["id"]
    assert notes() == ["a note", "a note"]


def test_a_refused_write_may_come_again_with_the_same_id(client: TestClient) -> None:
    headers = named()

    refused = client.post("/probe/notes/1/close", headers={**headers, "If-Match": 'W/"2"'})
    accepted = client.post("/probe/notes/1/close", headers={**headers, "If-Match": 'W/"3"'})

    assert (refused.status_code, accepted.status_code) == (412, 200)


def test_two_equal_writes_at_once_happen_once_and_answer_the_same(
    client: TestClient, notes
) -> None:
    headers = named()
    together = threading.Barrier(8)

    def send(_: int) -> tuple[int, bytes]:
        together.wait()
        reply = client.post("/probe/notes", json=NOTE, headers=headers)
        return reply.status_code, reply.content

    with ThreadPoolExecutor(8) as pool:
        replies = set(pool.map(send, range(8)))

    assert [status for status, _ in replies] == [201]
    assert notes() == ["a note"]


def test_a_commit_that_fails_gives_500_and_stores_no_answer(
    application: FastAPI, client: TestClient, database: Database, moment: Moment, notes
) -> None:
    headers = named()

    with commits.that_fail(database.engine):
        reply = client.post("/probe/notes", json=NOTE, headers=headers)

    assert reply.status_code == 500
    assert "id" not in reply.json()
    assert "disk" not in reply.text
    assert notes() == []
    assert stored(database, moment) == 0
    again = client.post("/probe/notes", json=NOTE, headers=headers)
    assert again.status_code == 201
    assert notes() == ["a note"]


@pytest.mark.parametrize(
    "request_id",
    [
        None,
        "",
        "1",
        "not-a-uuid",
        "60e0b220-8136-4ca5-ae46-1d97ef59d06",
        "60e0b220-8136-4ca5-ae46-1d97ef59d0689",
        "60e0b22081364ca5ae461d97ef59d068",
        "{60e0b220-8136-4ca5-ae46-1d97ef59d068}",
        "g0e0b220-8136-4ca5-ae46-1d97ef59d068",
    ],
)
def test_a_write_without_a_uuid_to_name_it_is_refused(
    client: TestClient, notes, request_id: str | None
) -> None:
    headers = {} if request_id is None else {"X-Request-ID": request_id}

    reply = client.post("/probe/notes", json=NOTE, headers=headers)

    assert reply.status_code == 400
    assert reply.json()["code"] == "header-not-accepted"
    assert "X-Request-ID" in reply.json()["detail"]
    assert notes() == []


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        (None, 428),
        ('W/"3"', 200),
        ('"3"', 200),
        ('W/"2"', 412),
        ("*", 412),
        ("3", 412),
        ('W/"3", W/"4"', 412),
        ('W/"-3"', 412),
    ],
)
def test_a_change_needs_the_version_that_was_read(
    client: TestClient, if_match: str | None, status: int
) -> None:
    given = {} if if_match is None else {"If-Match": if_match}

    reply = client.post("/probe/notes/1/close", headers=named(**given))

    assert reply.status_code == status


def test_a_caller_without_a_token_writes_nothing(
    application: FastAPI, notes: Callable[[], list[str]]
) -> None:
    with TestClient(application) as nobody:
        reply = nobody.post("/probe/notes", json=NOTE, headers=named())

    assert reply.status_code == 401
    assert notes() == []
