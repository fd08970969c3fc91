"""Adopting a version for one's organisation: one commissioner proposes, another confirms."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.fields import IdPath
from app.api.policies import PolicyKey, VersionNumber
from app.approvals.adopting import (
    ADOPT,
    END,
    adoption_proposals,
    confirm_adoption,
    decline_adoption,
    propose_adoption,
)
from app.approvals.permissions import Action, check_can
from app.approvals.second_person import place_of
from app.auth.sessions import Session
from app.db.work import Work
from app.problems import BAD_REQUEST, DoorProblem
from app.web.acting import act_once, fresh_name
from app.web.callers import caller_of, this_office
from app.web.library.adopting_view import proposal_rows
from app.web.library.days import day_in
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.paging import ASKED_FOR, AfterQuery, one_page, place_in, second_place
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/adoptions")
def list_adoptions(
    request: Request, session: SignedInBrowser, after: AfterQuery = None
) -> Response:
    """The organisation's proposals: what waits for a second person first."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.ADOPT)
    place = place_in(after, second_place)

    def read(work: Work) -> dict[str, Any]:
        library = office.library_at(work)
        found, onward = one_page(
            adoption_proposals(work, caller, ASKED_FOR, place), place_of, "/adoptions", after
        )
        titles = {
            each.policy: library.versions(each.policy)[-1].title
            for each in found
            if each.policy in library.usable()
        }
        return dict(
            rows=proposal_rows(found, titles, caller.id),
            onward=onward,
            once=fresh_name(request),
        )

    return page(request, "library/adoptions.html", session=session, **door_of(request).read(read))


@router.post("/library/{policy}/{version}/adopt")
def propose(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    form: FormFields,
) -> Response:
    """Propose it, or the overlay on it that the form names, from a day; nothing is adopted yet."""
    return _propose(request, session, policy, version, form, ADOPT)


@router.post("/library/{policy}/{version}/end-adoption")
def propose_end(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    form: FormFields,
) -> Response:
    """Propose that it, or the overlay that the form names, no longer decides from a day."""
    return _propose(request, session, policy, version, form, END)


def _propose(
    request: Request, session: Session, policy: str, version: str, form: dict[str, str], act: str
) -> Response:
    """Take a proposal to adopt or to end; the form names its day `from` or `end`."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.ADOPT)
    day = day_in("from" if act == ADOPT else "end", form)
    if day is None:
        raise DoorProblem(
            BAD_REQUEST, "The first day cannot be read. Go back and give day, month and year."
        )

    def take(work: Work) -> str:
        number = form.get("overlay") or version
        propose_adoption(work, office.library_at(work), caller, policy, number, day, act)
        return "/adoptions"

    return act_once(request, session, form, take)


@router.post("/adoptions/{id}/confirm")
def confirm(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Confirm what another commissioner of the organisation proposed: it is done."""
    caller, office = caller_of(request, session), this_office(request)

    def take(work: Work) -> str:
        confirm_adoption(work, office.library_at(work), caller, id)
        return "/adoptions"

    return act_once(request, session, form, take)


@router.post("/adoptions/{id}/decline")
def decline(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Decline a proposal, or take one's own back."""
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        decline_adoption(work, caller, id)
        return "/adoptions"

    return act_once(request, session, form, take)
