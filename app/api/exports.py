"""A run as a file to take away."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.reading import read_recorded
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.submissions import Reconciler, ThisDesk, UuidPath
from app.approvals.permissions import Action
from app.audit import Reading
from app.db.work import Work
from app.reconciliation import exporting
from app.reconciliation.exports import MEDIA_TYPES, Export, ExportFormat, export

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

_FILE: Final = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/runs/{run}/export",
    summary="Export a run as a workbook, CSV, Parquet or JSON",
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: _FILE for kind in MEDIA_TYPES.values()}}},
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
    """

    def read(work: Work) -> tuple[Export, Reading]:
        content = exporting.content_of(work, desk, caller, run)
        return content, Reading("run exported", names={"run": run, "format": format.value})

    return export_reply(read_recorded(request, caller, read), run, format)


def export_reply(content: Export, run: str, format: ExportFormat) -> Response:
    """A run as a file to take away."""
    return Response(
        export(content, format),
        headers={
            "Content-Type": MEDIA_TYPES[format],
            "Content-Disposition": f'attachment; filename="run-{run}.{format.value}"',
        },
    )
