"""Which reports there are, and those of confidentiality, of the days that their reader chooses.

They show no patient: what the API and the command line report, with the names of who acted.
"""

from fastapi import APIRouter, Request, Response

from app.api.break_glass import report_document
from app.api.reports import identifier_access
from app.approvals.permissions import Action, can, check_can
from app.auth.people import names_of
from app.db.work import Work
from app.web.acting import fresh_name
from app.web.callers import caller_of
from app.web.pages import PageRoute
from app.web.rendering import page
from app.web.reporting.asked import Asked
from app.web.reporting.requests_view import REPORTS
from app.web.reporting.showing import Told, reported
from app.web.reporting.view import access_rows, glass_rows
from app.web.sign_in import SignedInBrowser

router = APIRouter(prefix="/reports", route_class=PageRoute, include_in_schema=False)


@router.get("")
def list_reports(request: Request, session: SignedInBrowser) -> Response:
    """Which reports there are for the reader's role, and what each tells."""
    caller = caller_of(request, session)
    check_can(caller, Action.REPORT)
    found = [each for each in REPORTS if can(caller, each.action)]
    return page(request, "reporting/reports.html", session=session, reports=found)


@router.get("/break-glass")
def show_break_glass(request: Request, session: SignedInBrowser) -> Response:
    """Who opened what other organisations hold, and who opened what this one does, and why."""
    caller = caller_of(request, session)
    check_can(caller, Action.REPORT_BREAK_GLASS)

    def read(work: Work, asked: Asked) -> Told:
        document = report_document(work, caller, *asked.days)
        names = names_of(work, {each.opened_by for each in document.rows})
        return Told(glass_rows(document, names))

    return reported(request, session, "reporting/break_glass.html", read, once=fresh_name(request))


@router.get("/identifier-access")
def show_identifier_access(request: Request, session: SignedInBrowser) -> Response:
    """How often people outside a care team saw who a patient is, by way and person."""
    caller = caller_of(request, session)
    check_can(caller, Action.REPORT_IDENTIFIERS)

    def read(work: Work, asked: Asked) -> Told:
        document = identifier_access(work, caller, *asked.days)
        names = names_of(work, {each.by for each in document.rows})
        return Told(access_rows(document, names))

    may_audit = can(caller, Action.READ_AUDIT)
    return reported(request, session, "reporting/identifier_access.html", read, may_audit=may_audit)
