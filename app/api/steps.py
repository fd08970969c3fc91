"""What the routers about approvals share: the office, the reply with its ETag, one step each."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from app.api.callers import door_of
from app.api.headers import etag, version_read
from app.api.requests_model import RequestDocument, request_document
from app.api.writing import Answer, write
from app.approvals import patients, store
from app.approvals.model import FollowUpCommand, RequestView
from app.approvals.office import Office
from app.auth.model import Caller
from app.db.work import Work

_ETAG: Final = {
    "ETag": {
        "description": "The object's version. Send it as If-Match to change the object.",
        "schema": {"type": "string"},
    }
}
_LOCATION: Final = {
    "Location": {"description": "Where the new object is", "schema": {"type": "string"}}
}
#: `responses` of a route that answers with an object and its version.
VERSIONED: Final[dict[int | str, dict[str, Any]]] = {200: {"headers": _ETAG}}
#: `responses` of a route that creates an object.
CREATED: Final[dict[int | str, dict[str, Any]]] = {201: {"headers": {**_ETAG, **_LOCATION}}}
#: The same, for an object without a version.
LOCATED: Final[dict[int | str, dict[str, Any]]] = {201: {"headers": _LOCATION}}


async def office_of(request: Request) -> Office:
    """The application's office: the policy library and the mode.

    `async`, for it only looks: a plain function would be handed to a thread at every call.
    """
    office = request.app.state.office
    assert isinstance(office, Office)
    return office


ThisOffice = Annotated[Office, Depends(office_of)]


def shown(body: BaseModel, version: int | None = None) -> Response:
    """A reply with a document and, where the object has a version, its ETag."""
    headers = {} if version is None else {"ETag": etag(version)}
    return Response(
        body.model_dump_json(by_alias=True), media_type="application/json", headers=headers
    )


def ask(request: Request, fn: Callable[[Work], BaseModel]) -> Response:
    """Answer a question that leaves an audit entry: in a write transaction, its answer not kept."""
    return shown(door_of(request).transact(fn))


def created(work: Work, office: Office, caller: Caller, view: RequestView) -> Answer:
    """201 for a new request."""
    made = view.request
    headers = {"Location": f"/v1/requests/{made.id}", "ETag": etag(made.version)}
    return Answer(201, request_document(work, office, caller, view), headers)


def step(
    request: Request,
    office: Office,
    caller: Caller,
    if_match: str | None,
    take: Callable[[Work, int | None], RequestView],
) -> Response:
    """One step on a request that the caller has read: `take` gets the version it read."""
    expected = version_read(if_match)

    def run(work: Work) -> Answer:
        view = take(work, expected)
        body: RequestDocument = request_document(work, office, caller, view)
        return Answer(200, body, {"ETag": etag(view.request.version)})

    return write(request, caller, run)


def check_birth_date(work: Work, caller: Caller, command: FollowUpCommand) -> None:
    """Raise PatientContradiction when a birth date is given and is not the record's."""
    if command.birth_date is None:
        return
    treatment = store.find_treatment(work, caller, command.treatment_id)
    if patients.patient(work, treatment.patient_id).birth_date != command.birth_date:
        raise patients.contradiction()
