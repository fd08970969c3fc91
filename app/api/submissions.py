"""Uploading submissions, following their reconciliation, and reading where every pound went."""

import hashlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import Reason
from app.api.openapi import refusals
from app.api.reading import read_recorded
from app.api.request_bodies import example
from app.api.returned_files import file_of, identified_file_of
from app.api.roles import for_roles
from app.api.routing import UPLOAD, StrictRoute
from app.api.slices_model import StatedDocument, stated_document
from app.api.submissions_model import (
    JobDocument,
    LinePage,
    ReceivedDocument,
    RunDocument,
    SubmissionDetail,
    SubmissionList,
    job_document,
    line_document,
    run_document,
    submission_document,
)
from app.api.writing import NAMED, Answer, write
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.db import jobs
from app.db.work import Work
from app.problems import BAD_REQUEST, WRONG_MEDIA_TYPE, DoorProblem
from app.reconciliation import (
    LineOutcome,
    as_csv,
    as_text,
    service,
    slice_store,
    store,
)
from app.reconciliation.errors import RunNotFound
from app.reconciliation.line_choice import LinesChosen, Order, choose_lines
from app.reconciliation.line_filter import LineFilter
from app.reconciliation.report import summary_told
from app.reconciliation.run_lines import open_run
from app.reconciliation.service import Desk
from app.reconciliation.summary import Summary

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

WHO = "Each organisation sees its own only."
NEWEST = 100
RECONCILERS = for_roles(Action.RECONCILE)
MEDIA_TYPES = (
    "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.apache.parquet",
    "application/octet-stream",
)
#: The file itself is the body.
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES
        },
    },
}

SummaryKey = Annotated[
    str | None,
    Query(max_length=80, description="Only lines with this key in the run's summary"),
]
UuidPath = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        examples=["7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"],
    ),
]
FileName = Annotated[
    str,
    Query(
        pattern="^[A-Za-z0-9][A-Za-z0-9._ -]{0,119}$",
        description="The file's name, without a folder. Put no patient data in it.",
        examples=["submission.csv"],
    ),
]


def desk_of(request: Request) -> Desk:
    """The application's desk: library, dictionary, organisations and files."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


ThisDesk = Annotated[Desk, Depends(desk_of)]


def may_reconcile(caller: SignedIn) -> Caller:
    """The caller, if its role may reconcile; NotAllowed otherwise."""
    check_can(caller, Action.RECONCILE)
    return caller


Reconciler = Annotated[Caller, Depends(may_reconcile)]


async def uploaded(request: Request, _caller: Reconciler) -> bytes:
    """The file as the body's bytes, read after the caller is known."""
    return await read_upload(request)


async def read_upload(request: Request) -> bytes:
    """The body's bytes; DoorProblem for another media type or none."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise DoorProblem(
            WRONG_MEDIA_TYPE,
            "Send the file itself as the body, with 'Content-Type: text/csv' or that of an XLSX "
            "workbook or a Parquet file.",
            headers={"Accept": ", ".join(MEDIA_TYPES)},
        )
    body = await request.body()
    if not body:
        raise DoorProblem(BAD_REQUEST, "The body is empty. Send the file itself as the body.")
    return body


Uploaded = Annotated[bytes, Depends(uploaded)]


@router.post(
    "/submissions",
    status_code=202,
    summary="Upload a submission",
    description="CSV, XLSX or Parquet. Stores the file, unless the same file was stored before, "
    "and queues its reconciliation. Each month that it states replaces what stood; a closed month "
    f"is corrected by signed lines instead. {WHO}",
    response_model=ReceivedDocument,
    responses=refusals(400, 409, 413, 415, 422),
    dependencies=[NAMED],
    openapi_extra={
        **UPLOAD,
        **RECONCILERS,
        **FILE_BODY,
    },
)
def upload(
    request: Request, caller: Reconciler, desk: ThisDesk, file_name: FileName, data: Uploaded
) -> Response:
    submission = service.read_own(desk, caller, data, file_name)

    def receive(work: Work) -> Answer:
        record = service.receive(work, desk, caller, data, submission)
        job = service.queue(work, caller, record.id)
        body = ReceivedDocument(
            submission=submission_document(record), job=job, slices=_slices(work, caller, record.id)
        )
        return Answer(202, body, {"Location": f"/v1/jobs/{job}"})

    return write(request, caller, receive, content_hash=hashlib.sha256(data).hexdigest())


def _slices(work: Work, caller: Caller, submission: str) -> list[StatedDocument]:
    stated = slice_store.versions_of_submission(work, caller.organisation, submission)
    return [stated_document(*each) for each in stated]


@router.get("/submissions", summary="List submissions", description=WHO, openapi_extra=RECONCILERS)
def list_submissions(request: Request, caller: Reconciler) -> SubmissionList:
    found = door_of(request).read(
        lambda work: store.submissions_of(work, caller.organisation, NEWEST)
    )
    return SubmissionList(submissions=[submission_document(record) for record in found])


@router.get(
    "/submissions/{submission}",
    summary="Show a submission and its runs",
    description=WHO,
    openapi_extra=RECONCILERS,
)
def show_submission(request: Request, caller: Reconciler, submission: UuidPath) -> SubmissionDetail:
    def read(work: Work) -> SubmissionDetail:
        record = store.find_submission(work, caller.organisation, submission)
        runs = store.runs_of(work, caller.organisation, submission)
        return SubmissionDetail(
            submission=submission_document(record),
            runs=[run_document(run) for run in runs],
            slices=_slices(work, caller, submission),
        )

    return door_of(request).read(read)


@router.get("/jobs/{job}", summary="Follow a job", description=WHO, openapi_extra=RECONCILERS)
def show_job(request: Request, caller: Reconciler, job: UuidPath) -> JobDocument:
    found = door_of(request).read(lambda work: jobs.find(work, job, caller.organisation))
    if found is None:
        raise RunNotFound("job")
    return job_document(found)


@router.get(
    "/runs/{run}", summary="Show a run's totals", description=WHO, openapi_extra=RECONCILERS
)
def show_run(request: Request, caller: Reconciler, run: UuidPath) -> RunDocument:
    found = door_of(request).read(lambda work: store.find_run(work, caller.organisation, run))
    return run_document(found)


@router.get(
    "/runs/{run}/lines",
    summary="Read a run's lines",
    openapi_extra=RECONCILERS,
    description="Those of an outcome, provider, drug or month, in the order of the file or with "
    f"most queried first, with the evidence of each outcome; of a run of any size. {WHO}",
)
def list_lines(
    request: Request,
    caller: Reconciler,
    desk: ThisDesk,
    run: UuidPath,
    outcome: Annotated[LineOutcome | None, Query(description="Only lines of this outcome")] = None,
    provider: SummaryKey = None,
    drug: SummaryKey = None,
    month: SummaryKey = None,
    commissioner: SummaryKey = None,
    untested: Annotated[
        str | None,
        Query(
            max_length=80,
            description="Only accepted lines on which this test could not be made, as the "
            "summary's `untested` names it, or `any test`",
        ),
    ] = None,
    total: Annotated[
        Literal["not legible"] | None,
        Query(description="Only lines that state no legible total, and so count as nothing"),
    ] = None,
    order: Annotated[Order, Query(description="By the file, or by what is queried")] = Order.FILE,
    after: Annotated[int, Query(ge=0, le=1_000_000_000, description="A row number")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> LinePage:
    asked = LineFilter(
        outcome.value if outcome else None, drug, provider, month, commissioner, untested, total
    )

    def read(work: Work) -> tuple[LinesChosen, Reading]:
        opened = open_run(work, desk, caller, run)
        chosen = choose_lines(opened, asked, after, limit, order, desk.organisations.fold)
        return chosen, Reading("run lines read", names={"run": run})

    chosen = read_recorded(request, caller, read)
    return LinePage(lines=[line_document(item) for item in chosen.lines], next=chosen.next)


def _text(media_type: str) -> dict[int | str, dict[str, object]]:
    return {
        200: {"content": {media_type: {"schema": {"type": "string"}}}},
    }


@router.get(
    "/runs/{run}/summary.txt",
    summary="Read a run's summary as a table of text",
    response_class=Response,
    responses=_text("text/plain"),
    openapi_extra=RECONCILERS,
    description=WHO,
)
def summary_text(request: Request, caller: Reconciler, run: UuidPath) -> Response:
    return Response(as_text(_summary(request, caller, run)), media_type="text/plain")


@router.get(
    "/runs/{run}/summary.csv",
    summary="Read a run's summary as CSV",
    response_class=Response,
    responses=_text("text/csv"),
    openapi_extra=RECONCILERS,
    description=WHO,
)
def summary_csv(request: Request, caller: Reconciler, run: UuidPath) -> Response:
    return Response(as_csv(_summary(request, caller, run)), media_type="text/csv")


@router.get(
    "/runs/{run}/file",
    summary="Get the file back with each line's outcome",
    response_class=Response,
    responses=_text("text/csv"),
    openapi_extra=RECONCILERS,
    description="The submission with reference, outcome, amounts, reason and remedy appended to "
    "each line; a workbook or a Parquet file comes back as CSV. A trust gets its file as it came; "
    "a commissioner gets it with pseudonyms for NHS and hospital numbers, years for birth dates, "
    "and what stands in unknown columns hidden. Of a run that is too large to be held in memory it "
    f"is what the worker has written as 'returned' (or 'returned-safe'). {WHO}",
)
def outcome_file(
    request: Request,
    caller: Reconciler,
    desk: ThisDesk,
    run: UuidPath,
    safe: Annotated[bool, Query(description="Disarm cells that a spreadsheet would run")] = False,
) -> Response:
    return file_of(request, caller, desk, run, read_recorded, safe=safe)


class IdentifiedFileBody(Document):
    """Why the identities are needed."""

    model_config = example({"reason": "Two lines of one patient are to be told apart."})

    reason: Reason
    safe: bool = Field(default=False, description="Disarm cells that a spreadsheet would run")


@router.post(
    "/runs/{run}/identified-file",
    summary="Get the file back with its patients' identities",
    response_class=Response,
    responses=_text("text/csv"),
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.SEE_IDENTIFIERS),
    description="The submission as it came, identities included, with its outcomes, for whoever "
    f"validates invoices and says why. Audited and reported, each time. {WHO}",
)
def identified_file(
    request: Request, caller: SignedIn, desk: ThisDesk, run: UuidPath, body: IdentifiedFileBody
) -> Response:
    return identified_file_of(request, caller, desk, run, body.reason, safe=body.safe)


def _summary(request: Request, caller: Caller, run: str) -> Summary:
    """A run's summary as it was kept, of a run of any size."""
    found = door_of(request).read(lambda work: store.find_run(work, caller.organisation, run))
    return summary_told(found.summary)
