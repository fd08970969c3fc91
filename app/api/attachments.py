"""A request's attachments over the API: the same services as the pages (`app/web/attachments.py`).

A file goes up as base64 in JSON, as FHIR's Attachment carries it: its title is free text about a
patient, which must stand in no URL.
"""

import base64
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field

from app.api.callers import SignedIn
from app.api.documents import Document
from app.api.fields import WORDS_PATTERN, IdPath, ObjectId
from app.api.openapi import refusals
from app.api.reading import read_recorded
from app.api.request_bodies import ReasonBody, example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.scanning import check_file
from app.api.steps import LOCATED
from app.api.writing import NAMED, Answer, write
from app.approvals import attaching, store
from app.approvals.attaching import LONGEST_TITLE, Attachment
from app.approvals.attachment_kinds import ENDINGS, LARGEST
from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work

router = APIRouter(prefix="/v1/requests", tags=["requests"], route_class=StrictRoute)

#: Base64 takes four characters for three bytes; one group more, so that too large a file is told
#: as such and not as a text that is too long.
#: Whole and padded. What a schema can tell is told before an object is looked for, so that nobody
#: learns from the order of refusals whether a request is there.
_BASE64: Final = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$"
_LONGEST_BASE64: Final = 4 * (LARGEST // 3 + 2)
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media_type: _FILE for media_type in ENDINGS}}
}


class AttachmentBody(Document):
    """A file with its title, and who may read it."""

    model_config = example(
        {
            "title": "Clinic letter",
            "shared": False,
            "content": base64.b64encode(b"%PDF-1.7\nstartxref\n0\n%%EOF\n").decode(),
        }
    )

    title: Annotated[str, Field(max_length=LONGEST_TITLE, pattern=WORDS_PATTERN)]
    shared: bool = Field(
        description="Whether payer and panel may read it too: then it must name no patient"
    )
    content: Annotated[
        str,
        Field(
            max_length=_LONGEST_BASE64,
            pattern=_BASE64,
            description=f"A PDF, PNG or JPEG of at most {LARGEST // 2**20} MB, in padded base64",
        ),
    ]


class AttachmentDocument(Document):
    """What is known of an attached file beside its content."""

    id: ObjectId
    number: int = Field(description="Counts the request's files from 1; a number is never reused")
    title: str
    media_type: str
    size: int = Field(description="Bytes")
    sha256: str
    shared: bool
    added_at: AwareDatetime


class AttachmentList(Document):
    """The files of a request that you may read, in their order."""

    attachments: list[AttachmentDocument]


class TakenAway(Document):
    """That a file was erased; that it was there, and why it went, stays on record."""

    taken_away: ObjectId


@router.get(
    "/{id}/attachments",
    summary="List a request's attachments",
    openapi_extra=for_roles(Action.READ),
)
def list_attachments(request: Request, caller: SignedIn, id: IdPath) -> AttachmentList:
    """The provider's care team sees all; others who see the request, what is shared with them."""

    def read(work: Work) -> tuple[AttachmentList, Reading]:
        found = attaching.attachments_of(work, caller, id)
        listed = AttachmentList(attachments=[attachment_document(each) for each in found])
        return listed, _reading(work, caller, id, "attachments listed")

    return read_recorded(request, caller, read)


@router.post(
    "/{id}/attachments",
    status_code=201,
    summary="Attach a file to a request",
    response_model=AttachmentDocument,
    responses={**LOCATED, **refusals(409)},
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.ATTACH),
)
def attach(request: Request, caller: SignedIn, id: IdPath, body: AttachmentBody) -> Response:
    """To a request of your own organisation that is not closed. At most ten stand at once."""
    check_can(caller, Action.ATTACH)
    data = base64.b64decode(body.content, validate=True)
    try:
        check_file(request, data)
    except DetailsNotAccepted as error:
        raise DetailsNotAccepted("content", str(error)) from error

    def run(work: Work) -> Answer:
        try:
            made = attaching.attach(work, caller, id, body.title.strip(), data, shared=body.shared)
        except DetailsNotAccepted as error:  # named as on the form
            where = "content" if error.field == "file" else error.field
            raise DetailsNotAccepted(where, str(error)) from error
        headers = {"Location": f"/v1/requests/{id}/attachments/{made.id}"}
        return Answer(201, attachment_document(made), headers)

    return write(request, caller, run)


@router.get(
    "/{id}/attachments/{attachment}",
    summary="Read an attachment",
    response_class=Response,
    responses=_FILES,
    openapi_extra=for_roles(Action.READ),
)
def read_attachment(request: Request, caller: SignedIn, id: IdPath, attachment: IdPath) -> Response:
    """The file itself, as it was attached. Nobody looked into it: open it with care."""

    def read(work: Work) -> tuple[tuple[Attachment, bytes], Reading]:
        found = attaching.content_of(work, caller, id, attachment)
        return found, _reading(work, caller, id, "attachment read", {"attachment": attachment})

    known, content = read_recorded(request, caller, read)
    name = f"attachment-{known.number}.{ENDINGS[known.media_type]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=known.media_type, headers=headers)


@router.post(
    "/{id}/attachments/{attachment}/remove",
    summary="Erase an attachment that should not be there",
    response_model=TakenAway,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.ATTACH),
)
def take_away(
    request: Request, caller: SignedIn, id: IdPath, attachment: IdPath, body: ReasonBody
) -> Response:
    """Its content is gone for good; that it was there, and why it went, stays on record."""

    def run(work: Work) -> Answer:
        attaching.take_away(work, caller, id, attachment, body.reason)
        return Answer(200, TakenAway(taken_away=attachment))

    return write(request, caller, run)


def attachment_document(found: Attachment) -> AttachmentDocument:
    """An attachment as the API shows it."""
    names = AttachmentDocument.model_fields
    return AttachmentDocument(**{name: getattr(found, name) for name in names})


def _reading(
    work: Work, caller: Caller, id: str, action: str, names: dict[str, str] | None = None
) -> Reading:
    treatment = store.find_request(work, caller, id).treatment_id
    return Reading(action, treatment, id, names=names or {})
