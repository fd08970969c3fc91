"""What every reply gets, whatever answered it: correlation id, safe headers, log line, metric and
span.

The outermost layer also turns any exception that nothing else handled into a problem+json 500, so
that those replies carry the same headers. It logs the route's template, never the address that was
called, and an exception's type and place, never its message: both can hold patient data.
"""

import time
import traceback
from collections.abc import Callable
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import correlation
from app.api.headers import REQUEST_ID, UUID
from app.api.metrics import METHODS, Metrics
from app.api.replies import problem_reply
from app.api.routing import is_upload
from app.problems import BODY_TOO_LARGE, DoorProblem
from app.tracing import UNTRACED, Fact, Span, Tracer

log = structlog.stdlib.get_logger("assent.http")

UNMATCHED: Final = "(no route)"
CLIENT_WENT_AWAY: Final = 499  # no reply was sent; the number is only for the log and the metrics
#: Where a scope keeps how a body is received past the limit: for the words before a file.
WHOLE_BODY: Final = "assent.whole_body"
SAFE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def route_template(scope: Scope) -> str:
    """The matched route's template, such as /v1/policies/{policy}."""
    return str(getattr(scope.get("route"), "path", UNMATCHED))


class Outermost:
    """Correlation id, safe headers, log line, metric and span for every HTTP reply."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        new_id: Callable[[], str],
        metrics: Metrics,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self.app = app
        self.tracer = tracer
        self.new_id = new_id
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        correlation_id = correlation.correlation_id(Headers(scope=scope), self.new_id)
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        started = time.perf_counter()
        status = 0
        echoed = {correlation.HEADER: correlation_id} | _request_id(scope)

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in echoed.items():
                    headers[name] = value
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(correlation_id=correlation_id),
            self.tracer.span("HTTP") as span,
        ):
            span.tell(Fact.CORRELATION, correlation_id)
            try:
                await self.app(scope, receive, send_safely)
            except ClientDisconnect:
                status = CLIENT_WENT_AWAY
            except Exception as error:
                self.metrics.failed(type(error).__qualname__)
                span.tell(Fact.ERROR, type(error).__qualname__)
                log.error("fault", **place_of(error), route=route_template(scope))
                if status:  # part of a reply has gone: it can only be broken off
                    raise
                await problem_reply(Request(scope), error)(scope, receive, send_safely)
            finally:
                self._note(scope, status, time.perf_counter() - started, span)

    def _note(self, scope: Scope, status: int, seconds: float, span: Span) -> None:
        # A client can invent a method, with anything in it.
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = route_template(scope)
        self.metrics.answered(method, route, status, seconds)
        _tell(span, method, route, status)
        log.info("answered", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


class BodyLimit:
    """Refuses a body over the limit as it streams in, whatever length it announced."""

    def __init__(self, app: ASGIApp, *, limit: int, upload_limit: int) -> None:
        self.app = app
        self.limit = limit
        self.upload_limit = upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        seen = 0

        async def receive_some() -> Message:
            nonlocal seen
            # The route is known by the time that anything reads the body.
            limit = self.upload_limit if is_upload(scope.get("route")) else self.limit
            if announced.isascii() and announced.isdigit() and int(announced) > limit:
                scope[WHOLE_BODY] = receive  # of which nothing was taken yet
                raise _too_large(limit)
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise _too_large(limit)
            return message

        await self.app(scope, receive_some, send)


def place_of(error: BaseException) -> dict[str, Any]:
    """An exception's type and where it was raised, without its message or any value."""
    frames = traceback.extract_tb(error.__traceback__)
    cause = error.__cause__ or error.__context__
    return {
        "error": f"{type(error).__module__}.{type(error).__qualname__}",
        "cause": None if cause is None else type(cause).__qualname__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


def _tell(span: Span, method: str, route: str, status: int) -> None:
    span.rename(f"{method} {route}")
    span.tell(Fact.METHOD, method)
    span.tell(Fact.ROUTE, route)
    span.tell(Fact.STATUS, status)
    if status >= 500:
        span.fail()


def _request_id(scope: Scope) -> dict[str, str]:
    """X-Request-ID to send back, as NHS services do, when it is a UUID."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return {REQUEST_ID: given} if UUID.fullmatch(given) else {}


def _too_large(limit: int) -> DoorProblem:
    return DoorProblem(
        BODY_TOO_LARGE, f"The body is over {limit:,} bytes. Send less, or in several calls."
    )
