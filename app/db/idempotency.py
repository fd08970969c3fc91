"""The same request sent twice is carried out once and answered the same both times."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.db.errors import AnswerForgotten, InvalidRequestId, RequestIdReused
from app.db.statements import Statement
from app.db.tables import idempotent_answer
from app.db.work import Work

LONGEST = {"client": 36, "organisation": 9, "route": 200, "request_id": 36}
# Each is made once: to build a statement costs more than to send it.
_IS = [idempotent_answer.c[part] == sa.bindparam(f"its_{part}") for part in LONGEST]
_FIND = Statement(sa.select(idempotent_answer).where(*_IS))
_ANSWER = Statement(
    sa.update(idempotent_answer)
    .where(*_IS)
    .values({name: sa.bindparam(name) for name in ("status", "headers", "body")})
)
_FIRST = ("client", "organisation", "route", "request_id", "body_hash", "answered_at")
#: On PostgreSQL or not → the claim. A row count is not kept for INSERT, so it returns the key.
_CLAIM = {
    on_postgres: Statement(
        insert(idempotent_answer)
        .values({name: sa.bindparam(name) for name in _FIRST})
        .on_conflict_do_nothing()
        .returning(idempotent_answer.c.request_id)
    )
    for on_postgres, insert in ((True, postgresql.insert), (False, sqlite.insert))
}


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
    work: Work,
    key: IdempotencyKey,
    body_hash: str,
    make: Callable[[], StoredAnswer],
    beside: Callable[[Work], None] = lambda _: None,
) -> StoredAnswer:
    """The stored answer to `key`, or the one that `make` gives now, stored with its effects.

    A concurrent duplicate waits until the first has committed. Raises RequestIdReused where the
    key was used with another body, and AnswerForgotten where its answer was erased for its age: the
    write is not done again. `beside` may expect answers that are asked once the key is claimed, in
    the same wait. Whatever `make` raises undoes the key too: a refusal is not stored,
    and the same id may be sent again.
    """
    if _claim(work, key, body_hash, beside):
        answer = make()
        work.write(
            _ANSWER,
            {
                "status": answer.status,
                "headers": dict(answer.headers),
                "body": answer.body,
                **_named(key),
            },
        )
        return answer
    (row,) = work.ask(_FIND, _named(key))
    return _stored(row, body_hash)


def answered(work: Work, key: IdempotencyKey, body_hash: str) -> StoredAnswer | None:
    """The stored answer to `key`, if there is one; raises as `answer_once` does."""
    for row in work.ask(_FIND, _named(key)):
        return _stored(row, body_hash)
    return None


def _stored(row: Mapping[str, Any], body_hash: str) -> StoredAnswer:
    if row["body_hash"] != body_hash:
        raise RequestIdReused
    if row["body"] is None:
        raise AnswerForgotten
    return StoredAnswer(row["status"], row["headers"], row["body"])


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


def _claim(work: Work, key: IdempotencyKey, body_hash: str, beside: Callable[[Work], None]) -> bool:
    """Insert the key's row; False where it is there. Waits for a rival's open transaction."""
    values = {
        "client": key.client,
        "organisation": key.organisation,
        "route": key.route,
        "request_id": key.request_id,
        "body_hash": body_hash,
        "answered_at": work.moment.instant,
    }
    claimed = work.wonder(_CLAIM[work.on_postgres], values)
    beside(work)
    return bool(work.answer(claimed))


def _named(key: IdempotencyKey) -> dict[str, str]:
    return {f"its_{part}": getattr(key, part) for part in LONGEST}
