"""The route class of every API router: bodies are read once, checked, hashed and parsed strictly.

FastAPI's own reading turns malformed JSON, a wrong media type and an oversized body into three
different shapes, takes floats for decimals and never sees a duplicate key.
"""

import hashlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from app.api import strict_json
from app.auth.errors import NotSignedIn
from app.problems import MALFORMED_JSON, WRONG_MEDIA_TYPE, DoorProblem

#: Bodies above this many bytes are parsed off the event loop.
LARGE = 64 * 1024
#: Mark in `openapi_extra` of a route that takes files: its body may be as large as an upload.
UPLOAD = {"x-upload": True}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRequest(Request):
    """A request whose JSON is parsed by our own rules."""

    parsed: Any = None

    async def json(self) -> Any:
        return self.parsed


class StrictRoute(APIRoute):
    """A route that reads its body by our own rules before FastAPI sees it."""

    def get_route_handler(self) -> Handler:
        handle = self.ready(super().get_route_handler())
        #: What may stand behind the `?`; a caller's other names are refused (`app/api/callers.py`).
        self.query_names = frozenset(_query_names(self.dependant))
        takes_body = self.body_field is not None
        takes_files = bool((self.openapi_extra or {}).get("x-upload"))

        async def strictly(request: Request) -> Response:
            if takes_body and "authorization" not in request.headers:
                raise NotSignedIn  # before reading a body that we would throw away
            strict = StrictRequest(request.scope, request.receive)
            if not takes_files:
                body = await strict.body()
                request.state.body_hash = hashlib.sha256(body).hexdigest()
                if takes_body:
                    strict.parsed = await _parse(strict, body)
            return await handle(strict)

        return strictly

    def ready(self, handle: Handler) -> Handler:
        """What is done with a call once its body has been read: here what FastAPI does."""
        return handle


def _query_names(dependant: Any) -> Iterator[str]:
    """The parameters behind the `?` of a call and of what it depends on."""
    yield from (each.alias for each in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query_names(inner)


def is_upload(route: Any) -> bool:
    """Whether a matched route is marked as taking files."""
    return bool((getattr(route, "openapi_extra", None) or {}).get("x-upload"))


async def _parse(request: Request, body: bytes) -> Any:
    if not body:
        raise DoorProblem(
            MALFORMED_JSON, "The body is empty. Send the JSON object that this call describes."
        )
    if not _is_json(request.headers.get("content-type", "")):
        raise DoorProblem(
            WRONG_MEDIA_TYPE,
            "The body must be JSON. Send it as UTF-8 with 'Content-Type: application/json'.",
            headers={"Accept": "application/json"},
        )
    if len(body) > LARGE:
        return await run_in_threadpool(strict_json.parse, body)
    return strict_json.parse(body)


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    return media_type.strip().lower() == "application/json" and charset in ("", "charset=utf-8")
