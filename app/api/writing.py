"""The one way in which a REST call writes: idempotent, in one transaction, committed before reply.

The answer is serialised and stored inside the transaction that it tells of, so a repeat with the
same X-Request-ID gets the very same text, also when both arrive at once.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from app.api.callers import door_of
from app.api.headers import REQUEST_ID, UUID, RequestId
from app.auth.model import Caller
from app.db.idempotency import IdempotencyKey, StoredAnswer, answer_once, answered
from app.db.work import Work
from app.problems import HEADER_NOT_ACCEPTED, DoorProblem
from app.tracing import name_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a use case says to the outside: a status, a body and headers such as Location."""

    status: int
    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)


async def _named(request_id: RequestId) -> None:
    """Documents X-Request-ID, and refuses the call without it."""


#: Put it in the `dependencies` of every route that writes: it documents X-Request-ID.
NAMED = Depends(_named)


def write(
    request: Request,
    caller: Caller,
    fn: Callable[[Work], Answer],
    *,
    content_hash: str | None = None,
    shares_commit: bool = False,
    beside: Callable[[Work], None] = lambda _: None,
) -> Response:
    """Run a use case once for its X-Request-ID and reply with its stored answer.

    `fn` raises to refuse: nothing is stored then, and the same id may come again. `content_hash`
    stands for the body where its bytes differ at each repeat, as a multipart upload's do.
    `shares_commit` is for writes that are short and many (`Database.transact`); `beside` expects
    what `fn` will ask first. Raises
    DoorProblem 400 without a usable X-Request-ID and RequestIdReused when the id came before with
    another address, body or If-Match.
    """
    key = _key(request, caller)
    content = _fingerprint(request, content_hash or request.state.body_hash)
    stored = door_of(request).transact(
        lambda work: answer_once(work, key, content, lambda: _stored(fn(work)), beside),
        name=name_of(fn),
        shares_commit=shares_commit,
    )
    return _reply(stored)


def write_after(
    request: Request, caller: Caller, look: Callable[[], T], fn: Callable[[Work, T], Answer]
) -> Response:
    """`write` what takes long to look at beforehand, outside the transaction that writes.

    A repeat is answered without looking again: what was done may well have made it impossible.
    """
    key, content = _key(request, caller), _fingerprint(request, request.state.body_hash)
    before = door_of(request).read(lambda work: answered(work, key, content))
    if before is not None:
        return _reply(before)
    seen = look()
    return write(request, caller, lambda work: fn(work, seen))


def _key(request: Request, caller: Caller) -> IdempotencyKey:
    return IdempotencyKey(
        client=caller.client,
        organisation=caller.organisation,
        route=f"{request.method} {request.scope['route'].path}",
        request_id=_request_id(request),
    )


def _reply(stored: StoredAnswer) -> Response:
    return Response(
        stored.body, stored.status, headers=dict(stored.headers), media_type="application/json"
    )


def _stored(answer: Answer) -> StoredAnswer:
    body = answer.body.model_dump_json(by_alias=True)
    return StoredAnswer(answer.status, dict(answer.headers), body)


def _request_id(request: Request) -> str:
    given = request.headers.get(REQUEST_ID, "")
    if UUID.fullmatch(given) is None:
        raise DoorProblem(
            HEADER_NOT_ACCEPTED,
            "The header X-Request-ID is missing or is no UUID. Draw a new UUID for each new write, "
            "and send the same one again when you repeat it.",
        )
    return given.lower()


def _fingerprint(request: Request, content_hash: str) -> str:
    """Everything that makes two calls the same call, as one SHA-256."""
    parts: list[Any] = [
        request.method,
        request.url.path,
        request.url.query,
        request.headers.get("if-match", ""),
        content_hash,
    ]
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()
