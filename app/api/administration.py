"""Administration of one organisation by its own administrators.

What gives power is proposed by one and confirmed by another; what takes it away is done by one.
"""

from fastapi import APIRouter, Request, Response

from app.api.administration_model import (
    CallerDocument,
    CallerList,
    ClientDocument,
    ClientList,
    DoneDocument,
    EndBody,
    KidBody,
    PersonDocument,
    PersonList,
    ProposalBody,
    ProposalDocument,
    ProposalList,
    RoleBody,
    SettingsDocument,
    content_of,
)
from app.api.callers import SignedIn, door_of
from app.api.fields import IdPath
from app.api.listed import ASKED_FOR, AfterProposal, proposal_place, proposal_text, shown
from app.api.openapi import refusals
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import LOCATED
from app.api.writing import NAMED, Answer, write
from app.approvals import administering, proposing, settling
from app.approvals.permissions import Action, check_can
from app.approvals.proposing import Act, Proposal
from app.auth.model import Role
from app.db.work import Work

router = APIRouter(prefix="/v1/administration", tags=["administration"], route_class=StrictRoute)
FOR = for_roles(Action.ADMINISTER)


@router.get("/people", summary="List people with a role granted here", openapi_extra=FOR)
def list_people(request: Request, caller: SignedIn) -> PersonList:
    """Your organisation's people, or your panel's members; not those with national roles only."""
    found = door_of(request).read(lambda work: administering.list_people(work, caller))
    return PersonList(
        people=[
            PersonDocument(id=each.id, subject=each.subject, name=each.name, roles=list(roles))
            for each, roles in found
        ]
    )


@router.post(
    "/people/{id}/withdraw-role",
    summary="Take a role back",
    response_model=DoneDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def withdraw_role(request: Request, caller: SignedIn, id: IdPath, body: RoleBody) -> Response:
    """At once, by one administrator. The person's sessions end."""

    def run(work: Work) -> Answer:
        administering.withdraw_role(work, caller, id, Role(body.role))
        return Answer(200, DoneDocument(done="role withdrawn"))

    return write(request, caller, run)


@router.post(
    "/people/{id}/end-sessions",
    summary="End a person's sessions",
    response_model=DoneDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def end_sessions(request: Request, caller: SignedIn, id: IdPath, body: EndBody) -> Response:
    """Of a person who has, or acts in, a role at your organisation. They may sign in again."""

    def run(work: Work) -> Answer:
        count = administering.end_sessions(work, caller, id, body.reason)
        return Answer(200, DoneDocument(done="sessions ended", sessions_ended=count))

    return write(request, caller, run)


@router.get("/clients", summary="List systems", openapi_extra=FOR)
def list_clients(request: Request, caller: SignedIn) -> ClientList:
    """Systems that act for your organisation, with the ids of their keys."""
    found = door_of(request).read(lambda work: administering.list_clients(work, caller))
    names = ClientDocument.model_fields
    return ClientList(
        clients=[ClientDocument(**{name: each[name] for name in names}) for each in found]
    )


@router.post(
    "/clients/{id}/remove-key",
    summary="Take a system's key out of use",
    response_model=DoneDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def remove_key(request: Request, caller: SignedIn, id: IdPath, body: KidBody) -> Response:
    """At once. Tokens that were given for it live for up to ten minutes more."""

    def run(work: Work) -> Answer:
        administering.remove_key(work, caller, id, body.kid)
        return Answer(200, DoneDocument(done="key removed"))

    return write(request, caller, run)


@router.post(
    "/clients/{id}/revoke",
    summary="Revoke a system",
    response_model=DoneDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def revoke_client(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """Refuses the system and every token of its at once."""

    def run(work: Work) -> Answer:
        administering.revoke_client(work, caller, id)
        return Answer(200, DoneDocument(done="client revoked"))

    return write(request, caller, run)


@router.get("/callers", summary="List callers with a long-lived token", openapi_extra=FOR)
def list_callers(request: Request, caller: SignedIn) -> CallerList:
    """Of your organisation. New ones are registered by the people who run the service."""
    found = door_of(request).read(lambda work: administering.list_callers(work, caller))
    return CallerList(callers=[CallerDocument(**each) for each in found])


@router.post(
    "/callers/{id}/revoke",
    summary="Revoke a long-lived token",
    response_model=DoneDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def revoke_token(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """Refuses the token at once."""

    def run(work: Work) -> Answer:
        administering.revoke_token(work, caller, id)
        return Answer(200, DoneDocument(done="caller revoked"))

    return write(request, caller, run)


@router.get("/settings", summary="Show the organisation's settings", openapi_extra=FOR)
def show_settings(request: Request, caller: SignedIn) -> SettingsDocument:
    """As they hold today."""

    def read(work: Work) -> SettingsDocument:
        check_can(caller, Action.ADMINISTER)
        today = work.moment.day
        found = settling.settings_of(work, caller.organisation, today)
        return SettingsDocument(on=today, settings=found)

    return door_of(request).read(read)


@router.get("/proposals", summary="List proposals", openapi_extra=FOR)
def list_proposals(request: Request, caller: SignedIn, after: AfterProposal = None) -> ProposalList:
    """Those of your organisation: what waits for a second administrator first; 200 on a page."""
    place = proposal_place(after)
    found = door_of(request).read(
        lambda work: proposing.list_proposals(work, caller, ASKED_FOR, place)
    )
    rows, onward = shown(found, proposal_text)
    return ProposalList(proposals=[proposal_document(each) for each in rows], next=onward)


@router.post(
    "/proposals",
    status_code=201,
    summary="Propose a role, a system, a key, whose a credential is, or a setting",
    response_model=ProposalDocument,
    responses={**LOCATED, **refusals(404)},
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def propose(request: Request, caller: SignedIn, body: ProposalBody) -> Response:
    """Nothing changes until another administrator of your organisation confirms it.

    Another is another person: the credential that you call with must be tied to you.
    """
    issuer = request.app.state.settings.oidc_issuer

    def run(work: Work) -> Answer:
        made = proposing.propose(work, caller, issuer, Act(body.act), content_of(body))
        return Answer(201, proposal_document(made), {"Location": "/v1/administration/proposals"})

    return write(request, caller, run)


@router.post(
    "/proposals/{id}/confirm",
    summary="Confirm another administrator's proposal",
    response_model=ProposalDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def confirm(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """Does what was proposed. Nobody confirms their own proposal, or a role for themselves.

    Two credentials of one person are one person.
    """
    issuer = request.app.state.settings.oidc_issuer
    return write(
        request,
        caller,
        lambda work: Answer(200, proposal_document(proposing.confirm(work, caller, issuer, id))),
    )


@router.post(
    "/proposals/{id}/decline",
    summary="Decline a proposal, or take one's own back",
    response_model=ProposalDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def decline(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """Nothing of it is done."""
    return write(
        request,
        caller,
        lambda work: Answer(200, proposal_document(proposing.decline(work, caller, id))),
    )


def proposal_document(found: Proposal) -> ProposalDocument:
    """A proposal as the API shows it."""
    names = ProposalDocument.model_fields
    shown = {name: getattr(found, name) for name in names}
    return ProposalDocument(**shown | {"act": found.act.value, "content": dict(found.content)})
