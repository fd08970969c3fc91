"""Every exception → one problem+json reply, through the table in `app/problems.py`."""

import http

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from app import problems
from app.api import correlation, security
from app.api.validation import as_problem

log = structlog.stdlib.get_logger("assent.http")

HTTP_DETAILS = {
    404: "Nothing is served at this address. Check it against /openapi.json.",
    405: "This address exists but does not take that method. See the Allow header.",
}


class ProblemReply(JSONResponse):
    media_type = problems.MEDIA_TYPE


def problem_reply(request: Request, error: Exception) -> ProblemReply:
    """The reply to any exception; what the table does not know is a 500 without details."""
    kind = problems.kind_of(error)
    correlation_id = correlation.of(request.scope)
    return ProblemReply(
        problems.document(
            kind, problems.detail_of(error), correlation_id, problems.faults_of(error)
        ),
        status_code=kind.status,
        headers=problems.headers_of(error),
    )


async def on_known(request: Request, error: Exception) -> ProblemReply:
    """An exception of the table."""
    kind = problems.kind_of(error)
    if kind.status >= 500:
        log.warning("unavailable", error=type(error).__qualname__)
    security.note_refusal(request, error)
    return problem_reply(request, error)


async def on_http(request: Request, error: Exception) -> ProblemReply:
    """An HTTPException of the framework: no such route, no such method."""
    assert isinstance(error, HTTPException)
    status = error.status_code
    kind = problems.BY_STATUS.get(status)
    if kind is None:
        title = http.HTTPStatus(status).phrase
        kind = problems.Kind(status, f"http-{status}", title)
    detail = HTTP_DETAILS.get(status, f"{kind.title}.")
    headers = {"Allow": allowed(request, error)} if status == 405 else error.headers
    found = problems.DoorProblem(kind, detail, headers=headers)
    return problem_reply(request, found)


def allowed(request: Request, error: HTTPException) -> str:
    """The methods that an address takes. The framework names only those of one of its routes."""
    template = getattr(request.scope.get("route"), "path", "")
    described = request.app.openapi()["paths"].get(template, {})
    named = (error.headers or {}).get("Allow", "").split(", ")
    return ", ".join(sorted({method.upper() for method in (*described, *named)} - {""}))


async def on_validation(request: Request, error: Exception) -> ProblemReply:
    """A message that is not as the API describes: each fault, without the value."""
    assert isinstance(error, RequestValidationError)
    found = as_problem(error)
    security.note_refusal(request, found)
    return problem_reply(request, found)


def install(app: FastAPI) -> None:
    """Register the handlers. What is left goes to the outermost middleware, as a 500."""
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(problems.DoorProblem, on_known)
    for kind in (*problems.TABLE, *problems.UNAVAILABLE):
        app.add_exception_handler(kind, on_known)
