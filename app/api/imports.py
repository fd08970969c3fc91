"""Taking over approvals of an old system: preview a file, then accept or discard it."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from app.api.callers import SignedIn
from app.api.documents import Document
from app.api.fields import EXAMPLE_ID, ID_PATTERN
from app.api.openapi import refusals
from app.api.reading import read_recorded
from app.api.roles import for_roles
from app.api.routing import UPLOAD, StrictRoute
from app.api.steps import LOCATED, ThisOffice, shown
from app.api.writing import NAMED, Answer, write
from app.approvals import importing
from app.approvals.import_model import ImportPreview, ImportResult, ImportState, RowVerdict, Verdict
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.problems import BAD_REQUEST, WRONG_MEDIA_TYPE, DoorProblem
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations

router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=StrictRoute)

MEDIA_TYPES = ("text/csv", "application/octet-stream")
FILE_BODY = {
    "required": True,
    "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES},
}
ImportPath = Annotated[
    str, Path(pattern=ID_PATTERN, description="The import's id", examples=[EXAMPLE_ID])
]
FileName = Annotated[
    str,
    Query(
        pattern="^[A-Za-z0-9][A-Za-z0-9._ -]{0,119}$",
        description="The file's name, without a folder. Put no patient data in it.",
        examples=["approvals.csv"],
    ),
]


class RowFaultDocument(Document):
    """Why a row is rejected: the column to mend, if it is one."""

    column: str | None
    why: str


class RowDocument(Document):
    """The verdict on one row. It holds no patient data."""

    row: int = Field(description="As a spreadsheet numbers it")
    verdict: Verdict
    faults: list[RowFaultDocument]
    notes: list[str]
    legacy_reference: str | None
    reference: str | None = Field(description="The approval reference, once accepted")
    treatment_id: str | None


class ImportDocument(Document):
    """An import, with a verdict on each row of its file."""

    id: str
    state: ImportState
    file_name: str
    new: int
    accepted: int
    already_imported: int
    rejected: int
    rows: list[RowDocument]


def may_import(caller: SignedIn) -> Caller:
    """The caller, if its role may import; NotAllowed otherwise."""
    check_can(caller, Action.IMPORT)
    return caller


Importer = Annotated[Caller, Depends(may_import)]


async def uploaded(request: Request, _caller: Importer) -> bytes:
    """The file as the body's bytes, read after the caller is known."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise DoorProblem(
            WRONG_MEDIA_TYPE,
            "Send the file itself as the body, with 'Content-Type: text/csv'.",
            headers={"Accept": ", ".join(MEDIA_TYPES)},
        )
    body = await request.body()
    if not body:
        raise DoorProblem(BAD_REQUEST, "The body is empty. Send the file itself as the body.")
    return body


@router.post(
    "",
    status_code=201,
    summary="Preview an import of existing approvals",
    response_model=ImportDocument,
    responses={**LOCATED, **refusals(400, 413, 415, 422)},
    dependencies=[NAMED],
    openapi_extra={**UPLOAD, **for_roles(Action.IMPORT), "requestBody": FILE_BODY},
)
def preview(
    request: Request,
    caller: Importer,
    office: ThisOffice,
    file_name: FileName,
    data: Annotated[bytes, Depends(uploaded)],
) -> Response:
    """Takes a CSV export and says what accepting it would do to each row; imports nothing yet.

    The same file leads to the same import.
    """

    def run(work: Work) -> Answer:
        found = importing.preview_import(
            work, office, load_drugs(), load_organisations(), caller, data, file_name
        )
        return Answer(201, import_document(found), {"Location": f"/v1/imports/{found.id}"})

    return write(request, caller, run, content_hash=hashlib.sha256(data).hexdigest())


@router.get(
    "/{id}",
    summary="Show an import",
    response_model=ImportDocument,
    openapi_extra=for_roles(Action.IMPORT),
)
def show(request: Request, caller: SignedIn, id: ImportPath) -> Response:
    """An import of your organisation, with a verdict on each row."""

    def read(work: Work) -> tuple[Response, Reading]:
        found = importing.find_import(work, caller, id)
        return shown(import_document(found)), Reading("import read", names={"import": id})

    return read_recorded(request, caller, read)


@router.post(
    "/{id}/accept",
    summary="Accept an import",
    response_model=ImportDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.IMPORT),
)
def accept(request: Request, caller: SignedIn, office: ThisOffice, id: ImportPath) -> Response:
    """Imports the rows that the preview called new; each is judged again as things stand now.

    Accepting twice imports once.
    """

    def run(work: Work) -> Answer:
        return Answer(200, import_document(importing.accept_import(work, office, caller, id)))

    return write(request, caller, run)


@router.post(
    "/{id}/discard",
    summary="Discard an import",
    response_model=ImportDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.IMPORT),
)
def discard(request: Request, caller: SignedIn, id: ImportPath) -> Response:
    """Forgets what the preview read of its patients; the verdicts stay."""

    def run(work: Work) -> Answer:
        return Answer(200, import_document(importing.discard_import(work, caller, id)))

    return write(request, caller, run)


def import_document(found: ImportPreview | ImportResult) -> ImportDocument:
    """An import, counted."""
    return ImportDocument(
        id=found.id,
        state=found.state,
        file_name=found.file_name,
        new=found.count(Verdict.NEW),
        accepted=found.count(Verdict.ACCEPTED),
        already_imported=found.already,
        rejected=found.rejected,
        rows=[row_document(row) for row in found.rows],
    )


def row_document(row: RowVerdict) -> RowDocument:
    """The verdict on one row."""
    return RowDocument(
        row=row.row,
        verdict=row.verdict,
        faults=[RowFaultDocument(column=fault.column, why=fault.why) for fault in row.faults],
        notes=list(row.notes),
        legacy_reference=row.legacy_reference,
        reference=row.reference,
        treatment_id=row.treatment_id,
    )
