"""What waits for a second administrator, and what became of earlier proposals."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request, Response

from app.api.fields import IdPath
from app.approvals import administering, proposing
from app.approvals.proposing import Proposal
from app.approvals.second_person import place_of
from app.auth.people import names_of
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import act_once, fresh_name
from app.web.administration.common import HOME, issuer_of
from app.web.administration.view import proposal_rows
from app.web.callers import caller_of
from app.web.pages import PageRoute, door_of
from app.web.paging import ASKED_FOR, AfterQuery, Onward, one_page, place_in, second_place
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix=HOME, route_class=PageRoute, include_in_schema=False)
_Found = tuple[Sequence[Proposal], dict[str, str], dict[str, str]]


@router.get("")
def show(request: Request, session: SignedInBrowser, after: AfterQuery = None) -> Response:
    """What waits first, then the newest."""
    (found, names, systems), onward = _read(request, session, after)
    rows = proposal_rows(
        found, names, systems, caller_of(request, session).id, door_of(request).now()
    )
    return page(
        request,
        "administration/proposals.html",
        session=session,
        waiting=[row for row in rows if row.may_decline],
        decided=[row for row in rows if not row.may_decline],
        onward=onward,
        once=fresh_name(request),
    )


@router.post("/proposals/{id}/confirm")
def confirm(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Do what another administrator proposed."""
    caller, issuer = caller_of(request, session), issuer_of(request)

    def take(work: Work) -> str:
        proposing.confirm(work, caller, issuer, id)
        return HOME

    return act_once(request, session, form, take)


@router.post("/proposals/{id}/decline")
def decline(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Decline a proposal, or take one's own back."""
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        proposing.decline(work, caller, id)
        return HOME

    return act_once(request, session, form, take)


def _read(request: Request, session: Session, after: str | None) -> tuple[_Found, Onward]:
    caller, place = caller_of(request, session), place_in(after, second_place)

    def read(work: Work) -> tuple[_Found, Onward]:
        listed = proposing.list_proposals(work, caller, ASKED_FOR, place)
        found, onward = one_page(listed, place_of, HOME, after)
        ids = {each.proposed_by for each in found} | {each.decided_by or "" for each in found}
        clients: Mapping[str, str] = {
            each["id"]: each["name"] for each in administering.list_clients(work, caller)
        }
        return (found, names_of(work, ids), dict(clients)), onward

    return door_of(request).read(read)
