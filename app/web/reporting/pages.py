"""The reports for those who look after confidentiality, each of the days that they choose.

They show no patient: the API's documents, under its veil, with the names of who acted.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.break_glass import report_document
from app.api.reports import identifier_access
from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, can, check_can
from app.auth.people import names_of
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import fresh_name
from app.web.callers import caller_of
from app.web.form.typed import day_parts, typed_day
from app.web.pages import PageRoute, door_of
from app.web.rendering import page
from app.web.reporting.view import access_rows, glass_rows, period_words
from app.web.sign_in import SignedInBrowser

router = APIRouter(prefix="/reports", route_class=PageRoute, include_in_schema=False)

_USUAL: Final = dt.timedelta(days=30)
_WRONG_DAY: Final = "Enter a day, such as 15 7 2026."


@router.get("/break-glass")
def show_break_glass(request: Request, session: SignedInBrowser) -> Response:
    """Who opened what other organisations hold, and who opened what this one does, and why."""
    caller = caller_of(request, session)
    check_can(caller, Action.REPORT_BREAK_GLASS)

    def read(work: Work, first: dt.date, last: dt.date) -> Any:
        document = report_document(work, caller, first, last)
        return glass_rows(document, names_of(work, {each.opened_by for each in document.rows}))

    return _reported(request, session, "reporting/break_glass.html", read, once=fresh_name(request))


@router.get("/identifier-access")
def show_identifier_access(request: Request, session: SignedInBrowser) -> Response:
    """How often people outside a care team saw who a patient is, by way and person."""
    caller = caller_of(request, session)
    check_can(caller, Action.REPORT_IDENTIFIERS)

    def read(work: Work, first: dt.date, last: dt.date) -> Any:
        document = identifier_access(work, caller, first, last)
        return access_rows(document, names_of(work, {each.by for each in document.rows}))

    may_audit = can(caller, Action.READ_AUDIT)
    return _reported(
        request, session, "reporting/identifier_access.html", read, may_audit=may_audit
    )


def _reported(
    request: Request,
    session: Session,
    template: str,
    read: Callable[[Work, dt.date, dt.date], Any],
    **values: Any,
) -> Response:
    """The report of the days that the address states; of the last 31 where it states none."""
    days, faults = _days(request.query_params, door_of(request).moment().day)
    rows = None
    if not faults:
        first, last = (dt.date.fromisoformat(days[name]) for name in ("from", "to"))
        try:
            rows = door_of(request).read(lambda work: read(work, first, last))
        except DetailsNotAccepted as error:
            faults = {error.field: str(error)}
    return page(
        request,
        template,
        status=422 if faults else 200,
        session=session,
        rows=rows,
        period="" if faults else period_words(days["from"], days["to"]),
        parts={name: day_parts(day) for name, day in days.items()},
        faults=faults,
        errors=[{"text": text, "href": f"#{name}-day"} for name, text in faults.items()],
        **values,
    )


def _days(query: Mapping[str, str], today: dt.date) -> tuple[dict[str, str], dict[str, str]]:
    """The first and the last day as typed, and what is wrong with them."""
    days = {
        "from": typed_day("from", query) or (today - _USUAL).isoformat(),
        "to": typed_day("to", query) or today.isoformat(),
    }
    return days, {name: _WRONG_DAY for name, day in days.items() if not _is_day(day)}


def _is_day(text: str) -> bool:
    """Whether it is a day that a report may begin or end with, as the API's `PlausibleDay`."""
    try:
        return 1900 <= dt.date.fromisoformat(text).year < 2200
    except ValueError:
        return False
