"""The minutes of a panel's decisions, as a page to print."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.requests_model import request_document
from app.api.treatments_model import patient_document
from app.api.types import OrganisationCode
from app.approvals import minutes, patients, store
from app.approvals.errors import DetailsNotAccepted
from app.approvals.minutes import Sitting
from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.approvals.views import request_view
from app.audit import Reading
from app.auth.model import Caller, Role
from app.auth.sessions import Session
from app.db.work import Work
from app.web.callers import caller_of, read_recorded, this_office
from app.web.desk.common import organisation_words
from app.web.form.typed import day_parts, typed_day
from app.web.listing import treatment_words
from app.web.minutes_view import Found, minutes_of, period_words
from app.web.pages import PageRoute, door_of
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)

#: At most so many requests stand on one page.
MOST: Final = 60
_USUAL: Final = dt.timedelta(days=30)
_WRONG_DAY: Final = "Enter a day, such as 15 7 2026."


@router.get("/minutes")
def show(
    request: Request,
    session: SignedInBrowser,
    panel: Annotated[OrganisationCode | None, Query()] = None,
) -> Response:
    """What a panel decided between two days, the last 31 days where none are given."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.READ_MINUTES)
    today = door_of(request).moment().day
    days, faults = _days(request.query_params, today)
    if faults:
        return _shown(request, session, days, faults, panel)
    first, last = (dt.date.fromisoformat(days[name]) for name in ("from", "to"))

    def read(work: Work) -> tuple[tuple[Sitting, tuple[Found, ...]], tuple[Reading, ...]]:
        sitting = minutes.sitting(work, caller, first, last, panel, MOST)
        found = tuple(_found(work, office, caller, id_) for id_, _ in sitting.requests)
        readings = tuple(
            Reading("panel minutes read", treatment_id, id_)
            for id_, treatment_id in sitting.requests
        )
        return (sitting, found), readings

    try:
        sitting, found = read_recorded(request, caller, read)
    except DetailsNotAccepted as error:
        return _shown(request, session, days, {error.field: str(error)}, panel)
    return _shown(request, session, days, {}, panel, (sitting, found))


def _days(query: Mapping[str, str], today: dt.date) -> tuple[dict[str, str], dict[str, str]]:
    """The first and the last day as typed, and what is wrong with them."""
    days = {
        "from": typed_day("from", query) or (today - _USUAL).isoformat(),
        "to": typed_day("to", query) or today.isoformat(),
    }
    return days, {name: _WRONG_DAY for name, day in days.items() if not _is_day(day)}


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).year >= 2000
    except ValueError:
        return False


def _found(work: Work, office: Office, caller: Caller, request_id: str) -> Found:
    document = request_document(work, office, caller, request_view(work, caller, request_id))
    treatment = store.treatment_of(work, document.treatment_id)
    with work.beyond_scope():  # whose pseudonym it is; the document tells no more
        patient = patients.patient(work, treatment.patient_id)
    shown = patient_document(work, office, caller, patient)
    title = treatment_words(
        office.library_at(work), treatment.drug, document.policy.policy, treatment.indication
    )
    return Found(document, shown, title)


def _shown(
    request: Request,
    session: Session,
    days: Mapping[str, str],
    faults: Mapping[str, str],
    panel: str | None,
    made: tuple[Sitting, tuple[Found, ...]] | None = None,
) -> Response:
    caller = caller_of(request, session)
    panels = door_of(request).read(lambda work: minutes.panels_of(work, caller))
    own = caller.role is Role.PANEL_MEMBER
    whose = caller.organisation if own else panel
    return page(
        request,
        "minutes.html",
        status=422 if faults else 200,
        session=session,
        title=organisation_words(whose) if whose else "Every panel",
        period=None if faults else period_words(days["from"], days["to"]),
        parts={name: day_parts(day) for name, day in days.items()},
        panels=[] if own else [(code, organisation_words(code)) for code in panels],
        panel=panel,
        minutes=None if made is None else minutes_of(made[1], made[0]),
        most=MOST,
        faults=faults,
        errors=[{"text": text, "href": f"#{name}-day"} for name, text in faults.items()],
    )
