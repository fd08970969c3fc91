"""The same request sent twice is carried out once and answered the same both times."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.db.errors import AnswerForgotten, InvalidRequestId, RequestIdReused
from app.db.tables import idempotent_answer
from app.db.work import Work

LONGEST = {"client": 36, "organisation": 9, "route": 200, "request_id": 36}


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Who sent which request where. Raises InvalidRequestId for an empty or overlong part."""

    client: str
    organisation: str
    route: str
    request_id: str

    def __post_init__(self) -> None:
        for part, longest in LONGEST.items():
            if not 1 <= len(getattr(self, part)) <= longest:
                raise InvalidRequestId(
                    f"The {part} of this request is empty or longer than {longest} characters, "
                    "so a repeat could not be recognised. Send an X-Request-ID that is a UUID."
                )


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it went out, so that a repeat gets the very same."""

    status: int
    headers: dict[str, str]
    body: str


def answer_once(
    work: Work, key: IdempotencyKey, body_hash: str, make: Callable[[], StoredAnswer]
) -> StoredAnswer:
    """The stored answer to `key`, or the one that `make` gives now, stored with its effects.

    A concurrent duplicate waits until the first has committed. Raises RequestIdReused where the
    key was used with another body, and AnswerForgotten where its answer was erased for its age: the
    write is not done again. Whatever `make` raises undoes the key too: a refusal is not stored,
    and the same id may be sent again.
    """
    if _claim(work, key, body_hash):
        answer = make()
        work.connection.execute(
            sa.update(idempotent_answer)
            .where(*_is(key))
            .values(status=answer.status, headers=dict(answer.headers), body=answer.body)
        )
        return answer
    row = work.connection.execute(sa.select(idempotent_answer).where(*_is(key))).one()
    if row.body_hash != body_hash:
        raise RequestIdReused
    if row.body is None:
        raise AnswerForgotten
    return StoredAnswer(row.status, row.headers, row.body)


def forget_answers(work: Work, kept: dt.timedelta) -> int:
    """Erase the answers that were given longer ago than `kept`; returns how many.

    They may hold a patient's data. The key stays for ever, so that a late repeat is never carried
    out as a second write.
    """
    c = idempotent_answer.c
    past = work.moment.instant - kept
    return work.connection.execute(
        sa.update(idempotent_answer)
        .where(c.answered_at < past, c.body.is_not(None))
        .values(body=None, headers={})
    ).rowcount


def _claim(work: Work, key: IdempotencyKey, body_hash: str) -> bool:
    """Insert the key's row; False where it is there. Waits for a rival's open transaction."""
    insert = postgresql.insert if work.on_postgres else sqlite.insert
    statement = (
        insert(idempotent_answer)
        .values(
            client=key.client,
            organisation=key.organisation,
            route=key.route,
            request_id=key.request_id,
            body_hash=body_hash,
            answered_at=work.moment.instant,
        )
        .on_conflict_do_nothing()
        .returning(idempotent_answer.c.request_id)  # a row count is not kept for INSERT
    )
    return work.connection.execute(statement).first() is not None


def _is(key: IdempotencyKey) -> tuple[sa.ColumnElement[bool], ...]:
    c = idempotent_answer.c
    return (
        c.client == key.client,
        c.organisation == key.organisation,
        c.route == key.route,
        c.request_id == key.request_id,
    )
