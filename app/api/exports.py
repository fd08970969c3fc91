"""A run as a file to take away."""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field

from app.api.documents import Document
from app.api.linkage import QueuedDocument
from app.api.reading import read_recorded
from app.api.request_bodies import example
from app.api.returned_files import Recorded
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.submissions import Reconciler, ThisDesk, UuidPath
from app.api.writing import NAMED, Answer, write
from app.approvals.permissions import Action
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import exporting
from app.reconciliation.exports import MEDIA_TYPES, Export, ExportFormat, Written, export
from app.reconciliation.service import Desk

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
_JSON: Final = {"schema": {"type": "object"}}
_CONTENT: Final = {
    kind.partition(";")[0]: _JSON if format is ExportFormat.JSON else _FILE
    for format, kind in MEDIA_TYPES.items()
}


@router.get(
    "/runs/{run}/export",
    summary="Export a run as a workbook, CSV, Parquet or JSON",
    response_class=Response,
    responses={200: {"content": _CONTENT}},
    openapi_extra=for_roles(Action.RECONCILE),
)
def export_run(
    request: Request,
    caller: Reconciler,
    desk: ThisDesk,
    run: UuidPath,
    format: Annotated[ExportFormat, Query(description="The kind of file")] = ExportFormat.XLSX,
) -> Response:
    """Lines with outcome and evidence; workbook and JSON hold summary and challenges too.

    A trust reads its own patients' numbers, a payer pseudonyms. Numbers stay text in a workbook,
    and no cell of it, or of the CSV, is run as a formula. Each organisation exports its own only.
    Of a run that is too large to be held in memory it is what the worker has written.
    """
    return export_of(request, caller, desk, run, format, read_recorded)


class ExportBody(Document):
    """Which kind of file is to be written."""

    model_config = example({"format": "csv"})

    format: Annotated[
        Written,
        Field(strict=False, description="'returned' is the submission itself, for GET …/file"),
    ]


@router.post(
    "/runs/{run}/exports",
    status_code=202,
    summary="Have a run's export written",
    response_model=QueuedDocument,
    responses={404: {}},
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RECONCILE),
)
def write_export(request: Request, caller: Reconciler, run: UuidPath, body: ExportBody) -> Response:
    """By the worker, for a run of any size; it lies ready for a day once its job is done.

    Besides the kinds of an export there is the submission itself with each line's outcome, for the
    run's file. A workbook takes at most 2,000,000 lines. Each organisation has its own alone.
    """

    def queue(work: Work) -> Answer:
        job = exporting.queue(work, caller, run, body.format)
        return Answer(202, QueuedDocument(job=job), {"Location": f"/v1/jobs/{job}"})

    return write(request, caller, queue)


def export_of(
    request: Request, caller: Caller, desk: Desk, run: str, format: ExportFormat, read: Recorded
) -> Response:
    """A run as a file to take away: made at once, or as the worker has written it."""

    def look(work: Work) -> tuple[Export | Path, Reading]:
        reading = Reading("run exported", names={"run": run, "format": format.value})
        if exporting.must_be_written(work, desk, caller, run):
            return exporting.written(work, desk, caller, run, Written(format.value)), reading
        return exporting.content_of(work, desk, caller, run), reading

    found = read(request, caller, look)
    name = f"run-{run}.{format.value}"
    if isinstance(found, Path):
        return FileResponse(found, media_type=MEDIA_TYPES[format], filename=name)
    return Response(
        export(found, format),
        headers={
            "Content-Type": MEDIA_TYPES[format],
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )
