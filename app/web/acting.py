"""How a page's form acts once: checked, named, carried out one time, and shown by another page.

A page gives its form a name that is drawn anew each time it is shown. The same form sent twice, by
a double click or by going back, is carried out once and leads to the same page both times.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from app.api import security
from app.api.headers import UUID
from app.auth.sessions import Session
from app.db.errors import AnswerForgotten, RequestIdReused
from app.db.idempotency import IdempotencyKey, StoredAnswer, answer_once
from app.db.work import Work
from app.problems import BAD_REQUEST, BODY_TOO_LARGE, CHANGED_SINCE, NOT_ALLOWED, DoorProblem
from app.web.callers import caller_of
from app.web.not_sent import LONGEST_SHOWN
from app.web.oversize import words_before_file
from app.web.pages import Unfit, check_csrf, door_of, go, may_be_typed, signed_in, unfit

B = TypeVar("B", bound=BaseModel)
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._ -]")


def fresh_name(request: Request) -> str:
    """A name for the form of the page that is about to be shown."""
    return door_of(request).new_id()


def act_once(
    request: Request, session: Session, form: Mapping[str, str], act: Callable[[Work], str]
) -> Response:
    """Carry out `act` once for the form's name, then see the page whose address it returns.

    Raises as `once` does.
    """
    return go(once(request, session, form, act))


def once(
    request: Request, session: Session, form: Mapping[str, str], act: Callable[[Work], str]
) -> str:
    """Carry out `act` once for the form's name: what it said, at each repeat the same.

    Raises DoorProblem 403 for a form of another session, 400 for one without a name, and 412 where
    the name was used with other values: it was sent before, then gone back to and changed.
    """
    check_csrf(session, dict(form))
    caller = caller_of(request, session)
    name = form.get("once", "")
    if UUID.fullmatch(name) is None:
        raise DoorProblem(BAD_REQUEST, "Part of the form cannot be read. Load the page again.")
    key = IdempotencyKey(
        client=caller.client,
        organisation=caller.organisation,
        route=f"{request.method} {request.scope['route'].path}",
        request_id=name.lower(),
    )
    said = json.dumps([request.url.path, sorted(form.items())])
    content = hashlib.sha256(said.encode()).hexdigest()
    try:
        done = door_of(request).transact(
            lambda work: answer_once(work, key, content, lambda: StoredAnswer(303, {}, act(work)))
        )
    except (RequestIdReused, AnswerForgotten):
        raise DoorProblem(
            CHANGED_SINCE,
            "This form was sent before, and what it asked for was done. Load the page again to see "
            "how it stands, then send the change.",
        ) from None
    return done.body


def body_of(model: type[B], values: Mapping[str, Any]) -> tuple[B | None, frozenset[str]]:
    """What the API takes for the same step, or the names of the fields that it would refuse."""
    try:
        return model.model_validate_json(json.dumps(values)), frozenset()
    except ValidationError as error:
        return None, frozenset(str(each["loc"][0]) for each in error.errors() if each["loc"])


class SentFile(NamedTuple):
    """A form's fields, and the bytes and name of the one file in it.

    `over`: of a file over the limit nothing is read, only the fields.
    """

    form: dict[str, str]
    data: bytes
    file_name: str
    over: bool = False


async def uploaded_form(
    request: Request, _session: Annotated[Session, Depends(signed_in)]
) -> SentFile:
    """A form with a file; read once we know who asks.

    Raises DoorProblem for a form of another site, or anything that is no form of ours.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin != request.app.state.settings.origin():
        raise DoorProblem(NOT_ALLOWED, "The form came from another site, so it was not taken.")
    fields: dict[str, str] = {}
    data, file_name = b"", ""
    try:
        form = await request.form(max_fields=20, max_files=1, max_part_size=LONGEST_SHOWN)
    except HTTPException:  # of the framework: no form, or one of its fields is too long
        raise DoorProblem(BAD_REQUEST, "Part of the form cannot be read. Fill it again.") from None
    except DoorProblem as error:
        return await _without_file(request, error)
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                data, file_name = await value.read(), plain_name(value.filename or "")
            elif not may_be_typed(name, "") or name in fields:
                raise DoorProblem(BAD_REQUEST, "Part of the form cannot be read. Fill it again.")
            else:
                fields[name] = value
    finally:
        await form.close()
    if wrong := unfit(fields):
        raise Unfit(wrong, fields, file=True)
    return SentFile(fields, data, file_name)


async def _without_file(request: Request, error: DoorProblem) -> SentFile:
    """The words of a form whose file is over the limit, for its page to show again.

    Raises the refusal itself where the form is another one, or its words cannot be told.
    """
    words = dict(await words_before_file(request)) if error.kind is BODY_TOO_LARGE else {}
    if "csrf" not in words:
        raise error
    security.note_refusal(request, error)
    if wrong := unfit(words):
        raise Unfit(wrong, words, file=True)
    return SentFile(words, b"", "", over=True)


def plain_name(given: str) -> str:
    """A file's name as the API takes one: no folder, no odd letters, at most 120 of them."""
    base = re.split(r"[/\\]", given)[-1]
    plain = _NOT_IN_NAMES.sub("_", base).lstrip("._ -")
    return (plain if len(plain) <= 120 else plain[:60] + plain[-60:]) or "submission"


UploadedForm = Annotated[SentFile, Depends(uploaded_form)]
