"""Requests: submit and read one, and every step that its own provider takes on it."""

from fastapi import APIRouter, Request, Response

from app.api.callers import SignedIn
from app.api.direct import DirectRoute
from app.api.fields import IdPath
from app.api.headers import IfMatch
from app.api.reading import read_recorded
from app.api.request_bodies import (
    AmendBody,
    CorrectionBody,
    InitiationBody,
    ReasonBody,
)
from app.api.requests_model import RequestDocument, request_document
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import CREATED, VERSIONED, ThisOffice, created, shown, step
from app.api.writing import NAMED, Answer, write
from app.approvals import amending, correcting, submitting
from app.approvals.permissions import Action
from app.approvals.views import request_view
from app.audit import Reading
from app.db.work import Work

router = APIRouter(prefix="/v1/requests", tags=["requests"], route_class=StrictRoute)


def submit(
    request: Request, caller: SignedIn, office: ThisOffice, body: InitiationBody
) -> Response:
    """Decides a form at once, criterion by criterion, and keeps it.

    201 whatever the decision: *approved* comes with a reference, *more information needed* names
    the questions to answer, *criteria not met* and *referred* say why.
    """

    def run(work: Work) -> Answer:
        command = body.to_command(office.library_at(work), work.moment.day)
        view = submitting.submit_initiation(work, office, caller, command)
        return created(work, office, caller, view)

    return write(request, caller, run, shares_commit=True, beside=office.expect_library)


router.add_api_route(
    "",
    submit,
    methods=["POST"],
    status_code=201,
    summary="Submit a first request",
    response_model=RequestDocument,
    responses=CREATED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.SUBMIT),
    route_class_override=DirectRoute,
)


@router.get(
    "/{id}",
    summary="Show a request",
    response_model=RequestDocument,
    responses=VERSIONED,
    openapi_extra=for_roles(Action.READ),
)
def show(request: Request, caller: SignedIn, office: ThisOffice, id: IdPath) -> Response:
    """A request with its answers, every decision and its findings, and its approval."""

    def read(work: Work) -> tuple[Response, Reading]:
        view = request_view(work, caller, id)
        reply = shown(request_document(work, office, caller, view), view.request.version)
        return reply, Reading("request read", view.request.treatment_id, id)

    return read_recorded(request, caller, read)


@router.post(
    "/{id}/amend",
    summary="Answer what was missing or asked",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.AMEND),
)
def amend(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: AmendBody,
    if_match: IfMatch = None,
) -> Response:
    """Adds answers to a request that waits for them and decides it again.

    Earlier answers stand unless they are given again; null takes one back. The policy version is
    the one of the first submission.
    """
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: amending.amend(
            work, office, caller, id, body.answers, version, body.to_overrides()
        ),
    )


@router.post(
    "/{id}/withdraw",
    summary="Withdraw a request",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.WITHDRAW),
)
def withdraw(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Takes back a request that still waits. It stays on record."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: amending.withdraw(work, caller, id, body.reason, version),
    )


@router.post(
    "/{id}/escalate",
    summary="Send a request to the panel",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.ESCALATE),
)
def escalate(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Sends a request whose criteria are not met to the panel, if it may waive each failed one."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: amending.escalate(work, caller, id, body.reason, version),
    )


@router.post(
    "/{id}/correct",
    summary="Correct answers of a decided request",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.CORRECT),
)
def correct(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: CorrectionBody,
    if_match: IfMatch = None,
) -> Response:
    """Decides again on corrected answers, under the version of the first submission.

    Where an approved request would no longer be approved, its approval goes under query and covers
    supplies as before until the commissioner has resolved that.
    """
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: correcting.correct(
            work,
            office,
            caller,
            id,
            body.answers,
            frozenset(body.entered_in_error),
            body.reason,
            version,
        ),
    )


@router.post(
    "/{id}/enter-in-error",
    summary="Mark a request as entered in error",
    response_model=RequestDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.CORRECT),
)
def enter_in_error(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Takes a whole request back, on record; its approval goes under query until resolved."""
    return step(
        request,
        office,
        caller,
        if_match,
        lambda work, version: correcting.enter_in_error(work, caller, id, body.reason, version),
    )
