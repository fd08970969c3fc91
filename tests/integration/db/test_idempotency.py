"""A request sent twice is carried out once and answered the same both times."""

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from app.db.errors import AnswerForgotten, InvalidRequestId, RequestIdReused
from app.db.idempotency import IdempotencyKey, StoredAnswer, answer_once, forget_answers
from app.db.tables import idempotent_answer, patient
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.conftest import Transact
from tests.integration.db.rows import add_patient, count
from tests.integration.db.run import Run
from tests.integration.db.together import SECONDS, together

KEY = IdempotencyKey("client-1", "DEMO1", "POST /requests", "6f1f0f3e-0000-4000-8000-000000000001")


class Refused(Exception):
    """A refusal of the domain."""


def register(work: Work, key: IdempotencyKey = KEY, body_hash: str = "a" * 64) -> StoredAnswer:
    """A write behind an idempotency key; its answer names the row, so each run's differs."""

    def make() -> StoredAnswer:
        id_ = add_patient(work)
        return StoredAnswer(201, {"Location": f"/patients/{id_}"}, f'{{"id": "{id_}", "é": "1.0"}}')

    return answer_once(work, key, body_hash, make)


def test_the_same_id_and_body_get_the_same_answer_and_one_effect(
    transact: Transact, read: Transact
) -> None:
    first = transact(register)
    assert first.status == 201
    assert transact(register) == first
    assert read(lambda work: count(work, patient)) == 1


def test_the_same_id_with_another_body_is_refused_and_changes_nothing(
    transact: Transact, read: Transact
) -> None:
    first = transact(register)
    with pytest.raises(RequestIdReused, match="Send the new request with a new X-Request-ID"):
        transact(lambda work: register(work, body_hash="b" * 64))
    assert read(lambda work: count(work, patient)) == 1
    assert transact(register) == first


@pytest.mark.parametrize("part", ["client", "organisation", "route", "request_id"])
def test_a_key_that_differs_in_one_part_is_another_request(
    transact: Transact, read: Transact, part: str
) -> None:
    first = transact(register)
    other = dataclasses.replace(KEY, **{part: "other"})
    assert transact(lambda work: register(work, other, "b" * 64)) != first
    assert read(lambda work: count(work, patient)) == 2


def test_a_refusal_is_not_stored_so_the_same_id_may_be_sent_again(
    transact: Transact, read: Transact
) -> None:
    def refuse() -> StoredAnswer:
        raise Refused

    with pytest.raises(Refused):
        transact(lambda work: answer_once(work, KEY, "a" * 64, refuse))
    assert read(lambda work: count(work, idempotent_answer)) == 0
    assert transact(lambda work: register(work, body_hash="b" * 64)).status == 201


@pytest.mark.parametrize("part", ["client", "organisation", "route", "request_id"])
@pytest.mark.parametrize("text", ["", "x" * 201])
def test_a_key_that_could_not_be_stored_whole_is_refused(part: str, text: str) -> None:
    with pytest.raises(InvalidRequestId, match=f"The {part} of this request"):
        dataclasses.replace(KEY, **{part: text})


@pytest.mark.parametrize("first_is_refused", [False, True], ids=["saved", "refused"])
def test_a_concurrent_duplicate_waits_for_the_first_and_then_follows_it(
    database: Database, run: Run, first_is_refused: bool
) -> None:
    first_is_inside = threading.Event()
    order: list[str] = []

    def slow(work: Work) -> StoredAnswer:
        def make() -> StoredAnswer:
            first_is_inside.set()
            # Nothing tells that the other waits but that it does not get past within this time.
            assert not second_is_through.wait(0.3)
            order.append("first")
            if first_is_refused:
                raise Refused
            return StoredAnswer(201, {}, add_patient(work))

        return answer_once(work, KEY, "a" * 64, make)

    second_is_through = threading.Event()

    def send(number: int) -> StoredAnswer | None:
        if number == 0:
            try:
                return run.on(database, slow)
            except Refused:
                return None
        assert first_is_inside.wait(SECONDS)
        answer = run.on(database, register)
        second_is_through.set()
        order.append("second")
        return answer

    first, second = together(2, send)
    assert order == ["first", "second"]
    assert run.on(database, lambda work: count(work, patient)) == 1
    assert second is not None
    assert first == (None if first_is_refused else second)


def test_eight_duplicates_at_once_have_one_effect_and_one_answer(
    database: Database, run: Run
) -> None:
    answers = together(8, lambda _: run.on(database, register))
    assert len({answer.body for answer in answers}) == 1
    assert run.on(database, lambda work: count(work, patient)) == 1


# --- answers past their days --------------------------------------------------------------------

DAYS_30 = dt.timedelta(days=30)


def later(moment: Moment, kept: dt.timedelta) -> Moment:
    instant = moment.instant + kept
    return Moment(instant, instant.date())


def test_an_answer_past_its_days_is_erased_and_its_request_never_carried_out_again(
    database: Database,
    transact: Transact,
    read: Transact,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> None:
    transact(register)
    just_after = later(moment, DAYS_30 + dt.timedelta(seconds=1))

    def forget(work: Work) -> int:
        return forget_answers(work, DAYS_30)

    def at(when: Moment, fn: Callable[[Work], Any]) -> Any:
        return database.transact(fn, moment=when, new_id=ids, random_bytes=random_bytes)

    assert at(later(moment, DAYS_30), forget) == 0
    assert at(just_after, forget) == 1
    assert at(just_after, forget) == 0
    with pytest.raises(AnswerForgotten, match="Nothing was done again"):
        at(just_after, register)
    with pytest.raises(RequestIdReused):
        at(just_after, lambda work: register(work, body_hash="b" * 64))
    assert read(lambda work: count(work, patient)) == 1
    (row,) = read(lambda work: work.connection.execute(sa.select(idempotent_answer)).all())
    assert (row.body, row.headers, row.status) == (None, {}, 201)
    assert row.request_id == KEY.request_id


def test_a_newer_answer_stays(database: Database, transact: Transact) -> None:
    first = transact(register)
    assert transact(lambda work: forget_answers(work, dt.timedelta(days=1))) == 0
    assert transact(register) == first
