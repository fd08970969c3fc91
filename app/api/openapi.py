"""The API's own description: FastAPI's, with every refusal documented as problem+json.

Which refusals an operation can give follows from its shape (a token, a body, X-Request-ID,
If-Match, the roles that may call it, values in its path), so no route can forget one; only a 409
that another thing than X-Request-ID brings is named by the route.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from app import problems
from app.api.correlation import HEADER as CORRELATION
from app.api.headers import REQUEST_ID
from app.api.roles import ROLES_KEY

TITLE: Final = "Assent"
VERSION: Final = "1"
METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "options", "trace"})
PROBLEM_REF: Final = {"$ref": "#/components/schemas/Problem"}

SUMMARY: Final = "An open prior-approval service for the NHS's high-cost drugs"
DESCRIPTION: Final = """\
Every call but the health checks needs `Authorization: Bearer <token>`. Every call that writes needs
an `X-Request-ID` (a UUID): repeat a call that timed out with the same id, and it happens once and
answers the same. Days are Europe/London calendar days (`YYYY-MM-DD`), instants are UTC. Exact
numbers are decimals in strings. JSON is read strictly: UTF-8, no duplicate keys, no NaN. Errors are
`application/problem+json` (RFC 9457) and never repeat what was sent.
"""

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "description": "What was refused, why, and what to do next (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "correlation_id"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "The kind of problem"},
        "title": {"type": "string", "description": "The kind of problem, in words"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What, why, and what to do next"},
        "code": {"type": "string", "description": "Stable name of the kind of problem"},
        "correlation_id": {"type": "string", "description": "Quote it to the service's support"},
        "errors": {
            "type": "array",
            "description": "Every fault found, where there are several",
            "items": {
                "type": "object",
                "required": ["where", "message", "mend"],
                "additionalProperties": False,
                "properties": {
                    "where": {"type": "string"},
                    "message": {"type": "string"},
                    "mend": {"type": "string"},
                },
            },
        },
    },
}

ECHOED: Final = {
    CORRELATION: "The call's own, or a fresh one where it had none that can be used",
    REQUEST_ID: "The call's own",
}

CORRELATION_PARAMETER: Final[dict[str, Any]] = {
    "name": CORRELATION,
    "in": "header",
    "required": False,
    "description": "Names the conversation that this call belongs to; it comes back in the reply "
    "and stands in the logs and the audit trail. Never put patient data in it. A value over 100 "
    "characters, or with other characters than letters, digits and . _ : / + = @ -, is replaced by "
    "a fresh one.",
    "schema": {"type": "string"},
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for refusals that its shape does not tell, such as 403 and 409."""
    return {status: {} for status in statuses}


def describe(app: FastAPI, known: Callable[[], dict[str, Any]]) -> None:
    """Let the application describe itself: as is `known` of the routes that it has by now.

    If it is given more, with `description_of` all of them.
    """
    by_now = len(app.routes)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            more = len(app.routes) > by_now
            app.openapi_schema = description_of(app.routes) if more else known()
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def openapi_text(app: FastAPI) -> str:
    """The description as the file openapi/openapi.json holds it: the same text at every run."""
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def description_of(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The OpenAPI 3.1 description of every route."""
    found = get_openapi(
        title=TITLE,
        version=VERSION,
        summary=SUMMARY,
        description=DESCRIPTION,
        routes=routes,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for operation in _operations(found):
        operation.setdefault("parameters", []).append(CORRELATION_PARAMETER)
        _document_roles(operation)
        _document_refusals(operation)
        named = any(parameter["name"] == REQUEST_ID for parameter in operation["parameters"])
        for response in operation["responses"].values():
            headers = response.setdefault("headers", {})
            for name in (CORRELATION, REQUEST_ID)[: 1 + named]:
                headers[name] = {"schema": {"type": "string"}, "description": ECHOED[name]}
    return found


def _operations(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in description["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                yield operation


def _document_roles(operation: dict[str, Any]) -> None:
    """Say who may call an operation that needs a token."""
    roles = operation.get(ROLES_KEY)
    if not operation.get("security") or (roles is None and "403" in operation["responses"]):
        return  # open to all, or the route itself says whom it refuses
    who = f"For these roles: {', '.join(roles)}." if roles else "For every role."
    operation["description"] = f"{operation.get('description', '').rstrip()}\n\n{who}"


def _document_refusals(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    named = {int(status) for status in responses if int(status) >= 400}
    for status in sorted(named | _from_shape(operation)):
        responses[str(status)] = _problem_response(status, responses.get(str(status), {}))


def _from_shape(operation: dict[str, Any]) -> set[int]:
    """The refusals that follow from what an operation takes."""
    places = {(p["in"], p["name"].lower()) for p in operation.get("parameters", ())}
    statuses = {500}
    if operation.get("security"):
        statuses |= {400, 401, 403, 429, 503}
    if ROLES_KEY in operation:
        statuses |= {403}
    if "requestBody" in operation:
        statuses |= {400, 413, 415, 422}
    if ("header", "x-request-id") in places:
        statuses |= {400, 409, 410}
    if ("header", "if-match") in places:
        statuses |= {412, 428}
    if any(place == "path" for place, _ in places):
        statuses |= {404, 422}
    if any(place == "query" for place, _ in places):
        statuses |= {422}
    return statuses


def _problem_response(status: int, given: dict[str, Any]) -> dict[str, Any]:
    kind = problems.BY_STATUS.get(status) or problems.Kind(status, "conflict", "Not possible now")
    example = problems.document(kind, "What is wrong, why, and what to do next.", "example-1")
    described = given.get("description", "")
    generic = {"", "Validation Error", "Bad Request", "Forbidden", "Conflict", "Not Found"}
    return {
        "description": kind.title if described in generic else described,
        "content": {problems.MEDIA_TYPE: {"schema": PROBLEM_REF, "example": example}},
    }
