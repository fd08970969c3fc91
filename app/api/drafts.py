"""Drafts: keep a half-filled form, change it, put it away, and submit it as a clinician."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError, WithJsonSchema

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import Answers, IdPath, ObjectId, PolicyField
from app.api.headers import IfMatch, etag, version_read
from app.api.reading import read_recorded
from app.api.request_bodies import EXAMPLE_INITIATION, FollowUpBody, InitiationBody, example
from app.api.requests_model import RequestDocument
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import CREATED, VERSIONED, ThisOffice, created, shown
from app.api.treatments import send
from app.api.writing import NAMED, Answer, write
from app.approvals import drafting, submitting
from app.approvals.drafting import DraftRecord
from app.approvals.model import FollowUpCommand, InitiationCommand, RequestView
from app.approvals.office import Office
from app.approvals.permissions import Action
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind

Body = TypeVar("Body", bound=BaseModel)
router = APIRouter(prefix="/v1/drafts", tags=["drafts"], route_class=StrictRoute)

DraftKind = Literal[
    "initiation", "continuation", "switch", "dose change", "transfer", "pause", "resume", "stop"
]
Typed = Annotated[Any, WithJsonSchema({"description": "As typed so far; not checked"})]
Form = Annotated[
    dict[Annotated[str, Field(max_length=40)], Typed],
    Field(
        max_length=20,
        description="The other fields of the request's body as typed so far, such as patient, "
        "commissioner, decision_to_treat and details. Nothing is checked before it is submitted",
    ),
]
_FORM: Final = {
    name: value for name, value in EXAMPLE_INITIATION.items() if name not in ("policy", "answers")
}
_ANSWERED: Final = {"ra_diagnosis": True}


class DraftBody(Document):
    """A form in preparation."""

    model_config = example(
        {
            "kind": "initiation",
            "policy": "adalimumab-ra-severe",
            "form": _FORM,
            "answers": _ANSWERED,
        }
    )

    kind: DraftKind
    policy: PolicyField | None = None
    treatment_id: ObjectId | None = Field(
        default=None, description="The treatment that a later request is for"
    )
    form: Form = Field(default_factory=dict)
    answers: Answers = Field(default_factory=dict)


class DraftContentBody(Document):
    """All that has been typed; it replaces what was kept."""

    model_config = example({"form": _FORM, "answers": _ANSWERED})

    form: Form
    answers: Answers


class DraftSummary(BaseModel):
    """A draft in a list: nothing of what was typed."""

    id: str
    kind: DraftKind
    policy: str | None
    treatment_id: str | None
    state: Literal["open", "submitted", "discarded"]
    prepared_by: str
    prepared_at: dt.datetime
    changed_by: str
    changed_at: dt.datetime
    submitted_request: str | None
    version: int


class DraftDocument(DraftSummary):
    """A draft with what has been typed so far."""

    form: dict[str, Any]
    answers: dict[str, Any]


class DraftList(BaseModel):
    """Open drafts, those changed last first."""

    drafts: list[DraftSummary]


@router.post(
    "",
    status_code=201,
    summary="Prepare a form",
    response_model=DraftDocument,
    responses={**CREATED, 404: {}},
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.PREPARE),
)
def prepare(request: Request, caller: SignedIn, body: DraftBody) -> Response:
    """Keeps a half-filled form, as it is. A delegate may prepare it, and a clinician submits it."""

    def run(work: Work) -> Answer:
        made = drafting.prepare(
            work,
            caller,
            kind=Kind(body.kind),
            policy=body.policy,
            treatment_id=body.treatment_id,
            form=body.form,
            answers=body.answers,
        )
        headers = {"Location": f"/v1/drafts/{made.id}", "ETag": etag(made.version)}
        return Answer(201, document_of(made), headers)

    return write(request, caller, run)


@router.get(
    "",
    summary="List open drafts",
    response_model=DraftList,
    openapi_extra=for_roles(Action.PREPARE),
)
def list_open(request: Request, caller: SignedIn) -> Response:
    """Your organisation's drafts that are neither submitted nor put away, 200 at most."""

    def read(work: Work) -> Response:
        found = drafting.open_drafts(work, caller)
        return shown(DraftList(drafts=[DraftSummary(**_summary(one)) for one in found]))

    return door_of(request).read(read)


@router.get(
    "/{id}",
    summary="Show a draft",
    response_model=DraftDocument,
    responses=VERSIONED,
    openapi_extra=for_roles(Action.PREPARE),
)
def show(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """A draft of your organisation with all that has been typed."""

    def read(work: Work) -> tuple[Response, Reading]:
        found = drafting.find_draft(work, caller, id)
        reply = shown(document_of(found), found.version)
        return reply, Reading("draft read", found.treatment_id, names={"draft": id})

    return read_recorded(request, caller, read)


@router.post(
    "/{id}/change",
    summary="Replace what a draft holds",
    response_model=DraftDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.PREPARE),
)
def change(
    request: Request,
    caller: SignedIn,
    id: IdPath,
    body: DraftContentBody,
    if_match: IfMatch = None,
) -> Response:
    """Replaces all that has been typed. If-Match keeps two people from undoing each other."""
    expected = version_read(if_match)
    return write(
        request,
        caller,
        lambda work: _answer(drafting.change(work, caller, id, body.form, body.answers, expected)),
    )


@router.post(
    "/{id}/discard",
    summary="Put a draft away",
    response_model=DraftDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.PREPARE),
)
def discard(request: Request, caller: SignedIn, id: IdPath, if_match: IfMatch = None) -> Response:
    """The draft stays on record, and can no longer be changed or submitted."""
    expected = version_read(if_match)
    return write(
        request, caller, lambda work: _answer(drafting.discard(work, caller, id, expected))
    )


@router.post(
    "/{id}/submit",
    status_code=201,
    summary="Submit a draft",
    response_model=RequestDocument,
    responses=CREATED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.SUBMIT),
)
def submit(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    if_match: IfMatch = None,
) -> Response:
    """Checks and decides the form as if it came now, whole. A draft is submitted once.

    What is refused leaves the draft open, to be mended.
    """
    expected = version_read(if_match)

    def run(work: Work) -> Answer:
        view = drafting.submit(
            work, caller, id, expected, lambda found: submit_as(work, office, caller, found)
        )
        return created(work, office, caller, view)

    return write(request, caller, run)


def submit_as(work: Work, office: Office, caller: Caller, found: DraftRecord) -> RequestView:
    """Read a draft as the request that it has become, and submit that.

    Raises RequestValidationError, with every fault, where it is not as the request's call
    describes; otherwise what the submission itself raises.
    """
    command = command_of(work, office, found)
    if isinstance(command, InitiationCommand):
        return submitting.submit_initiation(work, office, caller, command)
    return send(work, office, caller, command)


def command_of(
    work: Work, office: Office, found: DraftRecord
) -> InitiationCommand | FollowUpCommand:
    """What a draft asks for, read as the request's call describes.

    Raises RequestValidationError, with every fault, and DetailsNotAccepted.
    """
    today = work.moment.day
    whole: dict[str, Any] = {**found.form, "answers": found.answers}
    if found.policy is not None:
        whole["policy"] = found.policy
    if found.treatment_id is None:
        return _read(InitiationBody, whole).to_command(office.library_at(work), today)
    later = _read(FollowUpBody, whole | {"kind": found.kind.value})
    return later.to_command(found.treatment_id, today)


def document_of(found: DraftRecord) -> DraftDocument:
    """A draft as the API shows it."""
    return DraftDocument(**_summary(found), form=dict(found.form), answers=dict(found.answers))


def _summary(found: DraftRecord) -> Mapping[str, Any]:
    names = DraftSummary.model_fields
    return {name: getattr(found, name) for name in names} | {"kind": found.kind.value}


def _answer(found: DraftRecord) -> Answer:
    return Answer(200, document_of(found), {"ETag": etag(found.version)})


def _read(kind: type[Body], whole: Mapping[str, Any]) -> Body:
    try:
        return kind.model_validate(whole)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
