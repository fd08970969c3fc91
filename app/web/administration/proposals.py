"""What waits for a second administrator, and what became of earlier proposals."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from app.api.fields import IdPath
from app.approvals import administering, proposing
from app.approvals.proposing import Proposal
from app.auth.people import names_of
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import act_once, fresh_name
from app.web.administration.common import HOME, issuer_of
from app.web.administration.view import proposal_rows
from app.web.callers import caller_of
from app.web.pages import PageRoute, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix=HOME, route_class=PageRoute, include_in_schema=False)
_Found = tuple[tuple[Proposal, ...], dict[str, str], dict[str, str]]


@router.get("")
def show(request: Request, session: SignedInBrowser) -> Response:
    """What waits first, then the newest."""
    found, names, systems = _read(request, session)
    rows = proposal_rows(
        found, names, systems, caller_of(request, session).id, door_of(request).now()
    )
    return page(
        request,
        "administration/proposals.html",
        session=session,
        waiting=[row for row in rows if row.may_decline],
        decided=[row for row in rows if not row.may_decline],
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


def _read(request: Request, session: Session) -> _Found:
    caller = caller_of(request, session)

    def read(work: Work) -> _Found:
        found = proposing.list_proposals(work, caller)
        ids = {each.proposed_by for each in found} | {each.decided_by or "" for each in found}
        clients: Mapping[str, str] = {
            each["id"]: each["name"] for each in administering.list_clients(work, caller)
        }
        return found, names_of(work, ids), dict(clients)

    return door_of(request).read(read)
