"""Refusals on the request's page that may say what they mean for doses given.

A panel overturns an urgent start; a commissioner refuses to fund a request outside the policy. What
was typed is kept until it is taken.
"""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request, Response

from app.approvals import funding, overturning, store
from app.approvals.doses_given import given_since
from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, check_can
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import act_once
from app.web.callers import caller_of, this_office, version_in
from app.web.doses_given import ruling_in
from app.web.pages import PageRoute, check_csrf
from app.web.requests import NO_REASON, Refused, request_page
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath

router = APIRouter(prefix="/requests", route_class=PageRoute, include_in_schema=False)
OVERTURN: Final = "panel-overturn"
REFUSE_FUNDING: Final = "refuse-funding"


@router.post(f"/{{id}}/{OVERTURN}")
def overturn(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Refuse an urgent start, paying for doses given up to a day or not at all."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.DECIDE_AS_PANEL)
    form = {**form, "reason": form.get("reason", "").strip()}
    version, declared = version_in(form), form.get("no_interest") == "yes"

    def run(work: Work) -> str:
        store.find_request(work, caller, id)
        if not form["reason"]:
            raise DetailsNotAccepted("reason", NO_REASON)
        overturning.overturn(work, office, caller, id, ruling_in(form), version, declared)
        return f"/requests/{id}"

    return _kept(request, session, id, OVERTURN, form, run)


@router.post(f"/{{id}}/{REFUSE_FUNDING}")
def refuse_funding(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Decline a request outside the policy; of an urgent start it says what is paid of it."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.FUND)
    form = {**form, "reason": form.get("reason", "").strip()}
    version = version_in(form)

    def run(work: Work) -> str:
        found = store.find_request(work, caller, id)
        if not form["reason"]:
            raise DetailsNotAccepted("reason", NO_REASON)
        refusal = funding.Refusal(form["reason"])
        if given_since(found, work.moment.day) is not None:
            ruling = ruling_in(form)
            refusal = funding.Refusal(ruling.reason, ruling.paid, ruling.paid_to)
        funding.refuse_funding(work, office, caller, id, refusal, version)
        return f"/requests/{id}"

    return _kept(request, session, id, REFUSE_FUNDING, form, run)


def _kept(
    request: Request,
    session: Session,
    id: str,
    key: str,
    form: dict[str, str],
    run: Callable[[Work], str],
) -> Response:
    """Act once; where something is missing the page comes again with it named, and what stood."""
    where = {
        "reason": f"{key}-reason",
        "doses_given": "doses-paid",
        "paid_to": "paid_to-day",
        "declares_no_interest": f"{key}-interest",
    }
    try:
        return act_once(request, session, form, run)
    except DetailsNotAccepted as error:
        at = where.get(error.field, key)
        return request_page(request, session, id, key, Refused(str(error), at, form), status=422)
