"""Submissions: the list, sending one in after seeing what it would change, and its progress."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from app.api.routing import UPLOAD
from app.api.slices_model import StatedDocument, stated_document
from app.api.submissions import NEWEST, UuidPath, desk_of
from app.api.submissions_model import (
    JobDocument,
    RunDocument,
    SubmissionDocument,
    job_document,
    run_document,
    submission_document,
)
from app.approvals.permissions import Action, check_can
from app.auth.sessions import Session
from app.db import jobs
from app.db.work import Work
from app.reconciliation import service, slice_store, staging, store
from app.reconciliation.errors import NotYourSubmission, RunNotFound, UnreadableSubmission
from app.reconciliation.kept_previews import WAITS
from app.reconciliation.linkage import proposing
from app.reconciliation.store import RunRecord
from app.web.acting import UploadedForm, act_once, fresh_name
from app.web.callers import caller_of
from app.web.desk import common
from app.web.desk.job_view import heading_of, progress_of
from app.web.desk.uploads import UploadRow, begin, file_name_of, own_uploads, read_again, waiting
from app.web.desk.uploads import at as upload_at
from app.web.pages import PageRoute, check_csrf, door_of, go, largest_file
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/submissions", route_class=PageRoute, include_in_schema=False)

StagedPath = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_CHOOSE: Final = "Choose a file: CSV, an Excel workbook (XLSX) or Parquet."


@router.get("")
def list_submissions(request: Request, session: SignedInBrowser) -> Response:
    """The newest submissions, each with its newest run."""
    return _listed(request, session)


@router.post("", openapi_extra=UPLOAD)
def upload(request: Request, session: SignedInBrowser, sent: UploadedForm) -> Response:
    """Keep the file for a day, and show what it would change, or how far the worker is with it.

    Nothing is accepted yet.
    """
    form, data, file_name, over = sent
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)
    if over:
        largest = largest_file(request.app.state.settings.max_upload_bytes)
        return _refused(request, session, largest.words, 413)
    if not data:
        return _refused(request, session, _CHOOSE)
    try:
        to = begin(request, caller, data, file_name)
    except (UnreadableSubmission, NotYourSubmission) as error:
        return _refused(request, session, str(error))
    return JSONResponse({"at": to}) if _by_script(request) else go(to)


@router.get("/uploads/{name}")
def preview(
    request: Request,
    session: SignedInBrowser,
    name: StagedPath,
    after: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Response:
    """What accepting the uploaded file now would change, row by row."""
    found = waiting(request, caller_of(request, session), name, after)
    if isinstance(found, str):
        return go(found)
    return page(
        request,
        "desk/preview.html",
        session=session,
        document=found.preview.document,
        preview=found.preview,
        file_name=found.file_name,
        name=name,
        once=fresh_name(request),
        period=common.period_words,
        organisation=common.organisation_words,
    )


@router.post("/uploads/{name}/accept")
def accept(
    request: Request, session: SignedInBrowser, name: StagedPath, form: FormFields
) -> Response:
    """Receive the file as it was previewed, and queue its reconciliation."""
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.RECONCILE)
    read = read_again(desk, caller, name)

    def take(work: Work) -> str:
        if read is None:
            raise staging.gone(WAITS)
        data, submission = read
        record = service.receive(work, desk, caller, data, submission)
        return f"/submissions/jobs/{service.queue(work, caller, record.id)}"

    reply = act_once(request, session, form, take)
    staging.discard(desk, caller, name)
    return reply


@router.post("/uploads/{name}/discard")
def discard(
    request: Request, session: SignedInBrowser, name: StagedPath, form: FormFields
) -> Response:
    """Erase the uploaded file; nothing was stored of it."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)
    staging.discard(desk_of(request), caller, name)
    return go("/submissions")


@router.get("/jobs/{job}")
def follow(request: Request, session: SignedInBrowser, job: UuidPath) -> Response:
    """How far the work is; the run, or what a file would change, once it is done."""
    found, payload = _job(request, session, job)
    if found.state == "done" and "upload" in payload:
        return go(upload_at(payload["upload"]))
    if found.state == "done" and found.run is not None:
        links = "/links" if found.kind == proposing.JOB else ""
        return go(f"/submissions/runs/{found.run}{links}")
    return page(
        request,
        "desk/job.html",
        session=session,
        job=found,
        file_name=file_name_of(request, session, payload.get("upload")),
        heading=heading_of(found),
        progress=progress_of(found),
    )


@router.get("/jobs/{job}/state")
def job_state(request: Request, session: SignedInBrowser, job: UuidPath) -> Response:
    """The same for the page's script."""
    found, _ = _job(request, session, job)
    told = progress_of(found)
    over = found.state in ("done", "failed")
    return JSONResponse({"words": told.words, "done": told.done, "of": told.of, "over": over})


def _job(request: Request, session: Session, job: str) -> tuple[JobDocument, Mapping[str, Any]]:
    """The job, and what it was asked to do."""
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)
    found = door_of(request).read(lambda work: jobs.find(work, job, caller.organisation))
    if found is None:
        raise RunNotFound("job")
    return job_document(found), found.payload


@router.get("/{submission}")
def show(request: Request, session: SignedInBrowser, submission: UuidPath) -> Response:
    """A submission with its slices and runs."""
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)

    def read(
        work: Work,
    ) -> tuple[SubmissionDocument, list[RunDocument], list[StatedDocument]]:
        record = store.find_submission(work, caller.organisation, submission)
        runs = store.runs_of(work, caller.organisation, submission)
        stated = slice_store.versions_of_submission(work, caller.organisation, submission)
        return (
            submission_document(record),
            [run_document(run) for run in runs],
            [stated_document(*each) for each in stated],
        )

    document, runs, slices = door_of(request).read(read)
    return page(
        request,
        "desk/submission.html",
        session=session,
        document=document,
        runs=runs,
        slices=slices,
        once=fresh_name(request),
        period=common.period_words,
        organisation=common.organisation_words,
    )


@router.post("/{submission}/runs")
def run_again(
    request: Request, session: SignedInBrowser, submission: UuidPath, form: FormFields
) -> Response:
    """Reconcile again: against the approvals as they stand now."""
    caller = caller_of(request, session)

    def queue(work: Work) -> str:
        return f"/submissions/jobs/{service.queue(work, caller, submission)}"

    return act_once(request, session, form, queue)


def _refused(request: Request, session: Session, wrong: str, status: int = 422) -> Response:
    """Say what is wrong with a file: on the page, or to its script, which keeps the file chosen."""
    if _by_script(request):
        return JSONResponse({"wrong": wrong}, status)
    return _listed(request, session, wrong, status)


def _by_script(request: Request) -> bool:
    """Whether the page's script sent the form, and shows the answer itself."""
    return request.headers.get("accept") == "application/json"


def _listed(request: Request, session: Session, wrong: str = "", status: int = 422) -> Response:
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)

    def read(
        work: Work,
    ) -> tuple[list[tuple[SubmissionDocument, RunRecord | None]], list[UploadRow]]:
        found = store.submissions_of(work, caller.organisation, NEWEST)
        newest = store.standing_runs(work, caller.organisation, [each.id for each in found])
        rows = [(submission_document(each), newest.get(each.id)) for each in found]
        return rows, own_uploads(work, request, caller)

    rows, uploads = door_of(request).read(read)
    return page(
        request,
        "desk/submissions.html",
        status=status if wrong else 200,
        session=session,
        rows=rows,
        uploads=uploads,
        newest=NEWEST,
        largest_file=largest_file(request.app.state.settings.max_upload_bytes),
        wrong=wrong,
        errors=[{"text": wrong, "href": "#file"}] if wrong else [],
    )
