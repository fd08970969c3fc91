"""The short way to an endpoint that is called most: well-formed calls, in one thread, at once.

FastAPI solves a call's dependencies one by one, the caller's in a thread of its own. A call that
has all that the endpoint asks for needs none of that; any other goes FastAPI's way, so that it is
refused in the same words and the same order, and the description of the call is FastAPI's.
"""

from collections.abc import Callable
from typing import Any, Final

from fastapi import Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from app.api.callers import signed_in
from app.api.headers import REQUEST_ID, UUID
from app.api.routing import Handler, StrictRequest, StrictRoute

_BEARER: Final = "Bearer "
_ON_BEHALF: Final = "NHSD-End-User-Organisation-ODS"


class DirectRoute(StrictRoute):
    """A route whose endpoint takes the request, its caller, the office and a body, no more."""

    def ready(self, handle: Handler) -> Handler:
        """Call the endpoint directly where the call is well-formed; otherwise `handle` it."""
        endpoint: Callable[..., Response] = self.endpoint
        assert self.body_field is not None
        model = self.body_field.field_info.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)

        async def directly(request: Request) -> Response:
            given = request.headers.get("authorization", "")
            token = given.removeprefix(_BEARER)
            named = UUID.fullmatch(request.headers.get(REQUEST_ID, "")) is not None
            if not named or token == given or not token.strip() == token != "":
                return await handle(request)
            found = await run_in_threadpool(_answer, request, token, model, endpoint)
            return await handle(request) if found is None else found

        return directly


def _answer(
    request: Request, token: str, model: type[BaseModel], endpoint: Callable[..., Response]
) -> Response | None:
    """The endpoint's own answer; None where the body is not as the call describes it."""
    assert isinstance(request, StrictRequest)
    credentials = HTTPAuthorizationCredentials(scheme="Bearer", credentials=token)
    caller = signed_in(request, credentials, request.headers.get(_ON_BEHALF))
    try:
        body: Any = model.model_validate(request.parsed)
    except ValidationError:
        request.state.caller = caller  # so that the same call is not counted twice
        return None
    return endpoint(request, caller, request.app.state.office, body)
