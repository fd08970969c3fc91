"""The current slices of an organisation, and what a submission would change before it is sent."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.api.callers import door_of
from app.api.openapi import refusals
from app.api.routing import UPLOAD, StrictRoute
from app.api.slices_model import PreviewDocument, SliceList, preview_document, slice_list
from app.api.submissions import (
    FILE_BODY,
    RECONCILERS,
    WHO,
    FileName,
    Reconciler,
    ThisDesk,
    Uploaded,
)
from app.db.work import Work
from app.reconciliation import service
from app.reconciliation.slice_months import challenged_by_month
from app.reconciliation.slice_report import current_slices

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

Code = Annotated[str | None, Query(pattern="^[A-Z0-9]{3,9}$", description="An ODS code")]
Month = Annotated[int | None, Query(ge=1, le=12, description="1 is April")]
Year = Annotated[str | None, Query(pattern="^20[0-9]{4}$", examples=["202627"])]


@router.get(
    "/slices",
    summary="List the current slices and their sums",
    description="Each provider, commissioner and month as its newest accepted submission states "
    "it, with corrections after the freeze, the contract's days, and how far it is from the "
    f"Aggregate Contract Monitoring figure; summed for each commissioner and month, with what is "
    f"challenged and waits. Superseded versions are never counted. {WHO}",
    openapi_extra=RECONCILERS,
)
def list_slices(
    request: Request,
    caller: Reconciler,
    financial_year: Year = None,
    provider: Code = None,
    commissioner: Code = None,
    financial_month: Month = None,
) -> SliceList:
    def ask(work: Work) -> SliceList:
        rows = current_slices(
            work,
            caller,
            financial_year=financial_year,
            provider=provider,
            commissioner=commissioner,
            financial_month=financial_month,
        )
        return slice_list(rows, challenged_by_month(work, caller, provider, commissioner))

    return door_of(request).read(ask)


@router.post(
    "/submission-previews",
    summary="See what a submission would change, and store nothing",
    description="Row by row against the current versions: added, removed and changed rows, slices "
    "that would be replaced, and closed months that would be corrected. It names rows, fields and "
    f"totals, and no patient. {WHO}",
    responses=refusals(400, 409, 413, 415, 422),
    openapi_extra={**UPLOAD, **RECONCILERS, **FILE_BODY},
)
def preview_submission(
    request: Request,
    caller: Reconciler,
    desk: ThisDesk,
    file_name: FileName,  # the ending says what the file should be
    data: Uploaded,
) -> PreviewDocument:
    submission = service.read_own(desk, caller, data, file_name)
    told = door_of(request).read(
        lambda work: service.preview_submission(work, desk, caller, submission)
    )
    return preview_document(told)
