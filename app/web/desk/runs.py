"""A run: where every pound of a submission went, and its lines."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.documents import Document
from app.api.exports import export_of
from app.api.fields import Reason
from app.api.returned_files import file_of, identified_file_of
from app.api.submissions import UuidPath, desk_of
from app.api.submissions_model import (
    RunDocument,
    SubmissionDocument,
    line_document,
    run_document,
    submission_document,
)
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation import exporting, store
from app.reconciliation.errors import ExportNotWritten, ExportTooLarge, StoredFileEnded
from app.reconciliation.exports import ExportFormat, Written
from app.reconciliation.line_choice import LinesChosen, Order, choose_lines
from app.reconciliation.line_filter import NOT_LEGIBLE, LineFilter
from app.reconciliation.model import LineOutcome
from app.reconciliation.run_lines import open_run
from app.reconciliation.service import Desk
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of, read_recorded
from app.web.desk import common
from app.web.desk.lines_view import filter_words, line_rows
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/submissions/runs", route_class=PageRoute, include_in_schema=False)

LINES_ON_A_PAGE: Final = 100
Key = Annotated[str | None, Query(max_length=80)]


class WhyBody(Document):
    """Why identities are needed."""

    reason: Reason


@router.get("/{run}")
def show(request: Request, session: SignedInBrowser, run: UuidPath) -> Response:
    """Totals, and the breakdowns with most at stake first."""
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)
    document, submission, is_newest = _run(request, session, run)
    exports = door_of(request).read(lambda work: _exports(work, desk_of(request), caller, run))
    return page(
        request,
        "desk/run.html",
        exports=exports,
        session=session,
        run=document,
        submission=submission,
        is_newest=is_newest,
        tables=common.money_tables(run, document.summary),
        total=common.total_row(document.summary),
        untested=common.untested_table(run, document.summary),
        without_total=common.lines_href(run, "total", NOT_LEGIBLE),
        once=fresh_name(request),
        may={
            "challenge": can(caller, Action.CHALLENGE),
            "identities": can(caller, Action.SEE_IDENTIFIERS),
            "links": can(caller, Action.PROPOSE_LINKS),
            "names": can(caller, Action.KEEP_TERMS),
        },
    )


@router.get("/{run}/lines")
def lines(
    request: Request,
    session: SignedInBrowser,
    run: UuidPath,
    outcome: Key = None,
    drug: Key = None,
    provider: Key = None,
    month: Key = None,
    commissioner: Key = None,
    untested: Key = None,
    total: Key = None,
    order: Key = None,
    after: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Response:
    """The run's lines, or those of a row of its breakdowns, in one of two orders."""
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.RECONCILE)
    known = outcome if outcome in set(LineOutcome) else None
    lacking = NOT_LEGIBLE if total == NOT_LEGIBLE else None
    asked = LineFilter(
        *(each or None for each in (known, drug, provider, month, commissioner, untested, lacking))
    )
    by = Order.QUERIED if order == Order.QUERIED else Order.FILE

    def read(work: Work) -> tuple[tuple[LinesChosen, dict[str, object], bool], Reading]:
        opened = open_run(work, desk, caller, run)
        chosen = choose_lines(opened, asked, after, LINES_ON_A_PAGE, by, desk.organisations.fold)
        newest = store.runs_of(work, caller.organisation, opened.record.id)[0].id == run
        told = chosen, opened.run.summary, newest
        return told, Reading("run lines read", names={"run": run})

    chosen, summary, is_newest = read_recorded(request, caller, read)
    narrowed = {name: value for name in asked.__slots__ if (value := getattr(asked, name))}
    drafts = is_newest and narrowed and chosen.queried > 0 and can(caller, Action.CHALLENGE)
    return page(
        request,
        "desk/lines.html",
        session=session,
        run=run,
        chosen=chosen,
        rows=line_rows(run, list(map(line_document, chosen.lines))),
        filters=filter_words(run, summary, asked, chosen.next, by),
        after=after,
        drafts=narrowed if drafts else {},
        once=fresh_name(request),
    )


@router.get("/{run}/export")
def export_run(
    request: Request,
    session: SignedInBrowser,
    run: UuidPath,
    format: Written = Written.XLSX,
) -> Response:
    """The run as a file to take away, or the submission back, as the API gives them."""
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.RECONCILE)
    if format in exporting.RETURNED.values():
        safe = format is Written.RETURNED_SAFE
        return file_of(request, caller, desk, run, read_recorded, safe=safe)
    return export_of(request, caller, desk, run, ExportFormat(format.value), read_recorded)


@router.post("/{run}/exports")
def write_export(
    request: Request, session: SignedInBrowser, run: UuidPath, form: FormFields
) -> Response:
    """Have the worker write the run as a file to take away, as the API does."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)
    asked = form.get("format")
    format = Written(asked) if asked in _OFFERED else Written.XLSX

    def queue(work: Work) -> str:
        return f"/submissions/jobs/{exporting.queue(work, caller, run, format)}"

    return act_once(request, session, form, queue)


@router.get("/{run}/identities")
def ask_why(request: Request, session: SignedInBrowser, run: UuidPath) -> Response:
    """Ask for the reason before identities are shown."""
    check_can(caller_of(request, session), Action.SEE_IDENTIFIERS)
    return _why(request, session, run)


@router.post("/{run}/identities")
def identities(
    request: Request, session: SignedInBrowser, run: UuidPath, form: FormFields
) -> Response:
    """The file with its patients' identities, for whoever validates invoices; each time reported.

    Sent again it is shown again, and reported again: that is what happened.
    """
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.SEE_IDENTIFIERS)
    body, wrong = body_of(WhyBody, {"reason": form.get("reason", "").strip()})
    if body is None or wrong:
        return _why(request, session, run, "Say why you need to know who the patients are.")
    return identified_file_of(request, caller, desk, run, body.reason, safe=True)


#: Kinds of file that a page offers, in words.
_OFFERED: Final = {
    Written.XLSX: "Excel workbook",
    Written.CSV: "CSV",
    Written.RETURNED_SAFE: "submitted file with outcomes",
}


def _exports(work: Work, desk: Desk, caller: Caller, run: str) -> list[dict[str, object]]:
    """The files to take away: at once, or as the worker has written or may write them."""
    large = exporting.must_be_written(work, desk, caller, run)
    offered: list[dict[str, object]] = []
    for format, words in _OFFERED.items():
        ready, why = True, ""
        if large:
            try:
                exporting.written(work, desk, caller, run, format)
            except ExportNotWritten:
                ready = False
            except (ExportTooLarge, StoredFileEnded) as error:
                ready, why = False, str(error)
        offered.append({"format": format.value, "words": words, "ready": ready, "why": why})
    return offered


def _run(
    request: Request, session: Session, run: str
) -> tuple[RunDocument, SubmissionDocument, bool]:
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[RunDocument, SubmissionDocument, bool]:
        found = store.find_run(work, caller.organisation, run)
        record = store.find_submission(work, caller.organisation, found.submission_id)
        newest = store.runs_of(work, caller.organisation, record.id)[0]
        return run_document(found), submission_document(record), newest.id == run

    return door_of(request).read(read)


def _why(request: Request, session: Session, run: str, wrong: str = "") -> Response:
    document, submission, _ = _run(request, session, run)
    return page(
        request,
        "desk/identities.html",
        status=422 if wrong else 200,
        session=session,
        run=document,
        submission=submission,
        wrong=wrong,
        errors=[{"text": wrong, "href": "#reason"}] if wrong else [],
    )
