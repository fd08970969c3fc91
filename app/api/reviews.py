"""What people decide on a request: pharmacist, panel, commissioner, receiving provider."""

from fastapi import APIRouter, Request, Response

from app.api.callers import SignedIn
from app.api.fields import IdPath
from app.api.headers import IfMatch
from app.api.panel_bodies import (
    FundingBody,
    InterestBody,
    OverturnBody,
    PanelApprovalBody,
    PanelDeclineBody,
    QuestionBody,
    RefuseFundingBody,
)
from app.api.request_bodies import ReasonBody
from app.api.requests_model import RequestDocument
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import VERSIONED, ThisOffice, step
from app.api.writing import NAMED
from app.approvals import reviewing
from app.approvals.permissions import Action

router = APIRouter(prefix="/v1/requests", tags=["reviews"], route_class=StrictRoute)


@router.post(
    "/{id}/authorise",
    summary="Authorise a request as the trust's pharmacist",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.AUTHORISE),
)
def authorise(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    if_match: IfMatch = None,
) -> Response:
    """Issues the approval that the decision gave. For the request's own provider."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.authorise(work, office, caller, id, version),
    )


@router.post(
    "/{id}/refuse-authorisation",
    summary="Return a request to the clinician as the trust's pharmacist",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.AUTHORISE),
)
def refuse_authorisation(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Sends the request back with a reason; the clinician amends or withdraws it."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.refuse_authorisation(
            work, caller, id, body.reason, version
        ),
    )


@router.post(
    "/{id}/panel-approve",
    summary="Approve a referred request as the panel",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_AS_PANEL),
)
def panel_approve(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: PanelApprovalBody,
    if_match: IfMatch = None,
) -> Response:
    """Approves, waiving named criteria where the policy lets the panel.

    The panel that the request names decides; where it names none, its commissioner does. Where the
    policy asks for two members, the first one's approval is kept in 'panel_votes' and the request
    stays referred, until another person approves with the same waivers.
    """
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.panel_approve(
            work,
            office,
            caller,
            id,
            body.reason,
            frozenset(body.waived),
            version,
            body.declares_no_interest,
        ),
    )


@router.post(
    "/{id}/panel-decline",
    summary="Decline a referred request as the panel",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_AS_PANEL),
)
def panel_decline(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: PanelDeclineBody,
    if_match: IfMatch = None,
) -> Response:
    """Declines with a reason. It changes nothing about approvals that run already.

    Where the policy asks for two members, the first one's refusal is kept in 'panel_votes' and the
    request stays referred, until another person declines it too. An urgent start, where
    `doses_given_since` is told, is overturned instead.
    """
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.panel_decline(
            work, office, caller, id, body.reason, version, body.declares_no_interest
        ),
    )


@router.post(
    "/{id}/panel-overturn",
    summary="Overturn an urgent start as the panel, stating what that means for doses given",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_AS_PANEL),
)
def panel_overturn(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: OverturnBody,
    if_match: IfMatch = None,
) -> Response:
    """Declines a request whose treatment an office let begin before the form.

    Doses given are paid for up to and including a day, or not at all. It says nothing about what
    becomes of the treatment. Where the policy asks for two members, the first one's ruling is kept
    in 'panel_votes', and the request stays referred until another person rules the same.
    """
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.overturn(
            work, office, caller, id, body.to_ruling(), version, body.declares_no_interest
        ),
    )


@router.post(
    "/{id}/panel-return",
    summary="Return a referred request with a question",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_AS_PANEL),
)
def panel_return(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: QuestionBody,
    if_match: IfMatch = None,
) -> Response:
    """Asks the clinician a question; the request waits until it is amended."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.panel_return(
            work, caller, id, body.question, version, body.declares_no_interest
        ),
    )


@router.post(
    "/{id}/declare-interest",
    summary="Declare an interest in a referred request and stand aside",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_AS_PANEL),
)
def declare_interest(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: InterestBody,
    if_match: IfMatch = None,
) -> Response:
    """The member may not decide the request from then on; it waits for the other members."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.declare_interest(work, caller, id, body.interest, version),
    )


@router.post(
    "/{id}/fund",
    summary="Record an individual funding or group approval",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.FUND),
)
def fund(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: FundingBody,
    if_match: IfMatch = None,
) -> Response:
    """The commissioner approves outside the policy, with its own dates, terms and price caps.

    Where a safety notice suspends new starts, it says why in `despite_notice`.
    """
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.record_funding(
            work, office, caller, id, body.to_decision(), version
        ),
    )


@router.post(
    "/{id}/refuse-funding",
    summary="Decline to fund a request outside the policy",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.FUND),
)
def refuse_funding(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: RefuseFundingBody,
    if_match: IfMatch = None,
) -> Response:
    """Of a request for individual funding or a group approval. It stops no running treatment.

    Where `doses_given_since` is told, `doses_given` says whether these doses are paid for, as
    overturning an urgent start does.
    """
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.refuse_funding(
            work, office, caller, id, body.to_refusal(), version
        ),
    )


@router.post(
    "/{id}/consent",
    summary="Consent to a transfer as the receiving provider",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.CONSENT),
)
def consent(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    if_match: IfMatch = None,
) -> Response:
    """The treatment becomes the receiving provider's, from the day of the transfer."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.consent(work, office, caller, id, version),
    )


@router.post(
    "/{id}/refuse-consent",
    summary="Refuse a transfer as the receiving provider",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.CONSENT),
)
def refuse_consent(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """The treatment, and its approval, stay with the provider that has it."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: reviewing.refuse_consent(work, caller, id, body.reason, version),
    )
