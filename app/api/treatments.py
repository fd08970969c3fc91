"""Treatments: read one, send a later request on it, record that it started or did not."""

from fastapi import APIRouter, Request, Response

from app.api.callers import SignedIn
from app.api.documents import Document
from app.api.fields import IdPath, PlausibleDay, Reason
from app.api.headers import IfMatch, etag, version_read
from app.api.reading import read_recorded
from app.api.request_bodies import FollowUpBody, ReasonBody, example
from app.api.requests_model import RequestDocument
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import CREATED, VERSIONED, ThisOffice, ask, check_birth_date, created, shown
from app.api.treatments_model import (
    PatientDocument,
    TreatmentDocument,
    identified,
    treatment_document,
)
from app.api.writing import NAMED, Answer, write
from app.approvals import changing, identifiers, starting, submitting
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import FollowUpCommand, RequestView
from app.approvals.office import Office
from app.approvals.permissions import Action
from app.approvals.views import treatment_view
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind

router = APIRouter(prefix="/v1/treatments", tags=["treatments"], route_class=StrictRoute)


class FirstDoseBody(Document):
    """The day of the first dose."""

    model_config = example({"first_dose": "2026-06-15"})

    first_dose: PlausibleDay


class NotStartedBody(Document):
    """Why the treatment was never begun."""

    model_config = example({"reason": "The patient moved abroad before the first dose."})

    reason: Reason


@router.get(
    "/{id}",
    summary="Show a treatment",
    response_model=TreatmentDocument,
    responses=VERSIONED,
    openapi_extra=for_roles(Action.READ),
)
def show(request: Request, caller: SignedIn, office: ThisOffice, id: IdPath) -> Response:
    """A treatment with its segments, and the requests and approvals that you may see.

    Who the patient is, is shown to the care team only; others see a pseudonym that is the same
    wherever their organisation reads, and the year of birth.
    """

    def read(work: Work) -> tuple[Response, Reading]:
        view = treatment_view(work, caller, id)
        reply = shown(treatment_document(work, office, caller, view), view.treatment.version)
        return reply, Reading("treatment read", id)

    return read_recorded(request, caller, read)


@router.post(
    "/{id}/identifiers",
    summary="Show who the patient of a treatment is",
    response_model=PatientDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.SEE_IDENTIFIERS),
)
def identifiers_of(request: Request, caller: SignedIn, id: IdPath, body: ReasonBody) -> Response:
    """For validating an invoice on a treatment that your organisation pays for.

    Say why. Each look-up is audited and reported, a repeat too; its answer is not kept.
    """

    def run(work: Work) -> PatientDocument:
        treatment, known = identifiers.reveal(work, caller, id, body.reason)
        return identified(work, treatment.provider, known)

    return ask(request, run)


@router.post(
    "/{id}/requests",
    status_code=201,
    summary="Send a later request on a treatment",
    response_model=RequestDocument,
    responses=CREATED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.SUBMIT),
)
def submit(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: FollowUpBody
) -> Response:
    """A continuation, switch, dose change, transfer, pause, resumption or stop.

    A continuation is decided by the policy's criteria and carries measurements of earlier requests
    forward; a switch and a dose change by the approval's terms; a transfer waits for the receiving
    provider's consent; a pause, a resumption and a stop are recorded, never refused. For the
    treatment's own provider.
    """

    def run(work: Work) -> Answer:
        view = send(work, office, caller, body.to_command(id, work.moment.day))
        return created(work, office, caller, view)

    return write(request, caller, run)


@router.post(
    "/{id}/first-dose",
    summary="Record the first dose",
    response_model=TreatmentDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RECORD_START),
)
def first_dose(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: FirstDoseBody,
    if_match: IfMatch = None,
) -> Response:
    """The first approval's clock runs from this day. For the treatment's own provider."""
    expected = version_read(if_match)

    def run(work: Work) -> Answer:
        view = starting.record_first_dose(work, office, caller, id, body.first_dose, expected)
        document = treatment_document(work, office, caller, view)
        return Answer(200, document, {"ETag": etag(view.treatment.version)})

    return write(request, caller, run)


@router.post(
    "/{id}/not-started",
    summary="Record that a treatment was never begun",
    response_model=TreatmentDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RECORD_NOT_STARTED),
)
def not_started(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    id: IdPath,
    body: NotStartedBody,
    if_match: IfMatch = None,
) -> Response:
    """The approval covers nothing from then on. For the treatment's own provider."""
    expected = version_read(if_match)

    def run(work: Work) -> Answer:
        view = starting.record_not_started(work, caller, id, body.reason, expected)
        document = treatment_document(work, office, caller, view)
        return Answer(200, document, {"ETag": etag(view.treatment.version)})

    return write(request, caller, run)


def send(work: Work, office: Office, caller: Caller, command: FollowUpCommand) -> RequestView:
    """Submit a later request, by the use case of its kind."""
    if command.kind is Kind.CONTINUATION:
        return submitting.submit_continuation(work, office, caller, command)
    _check_change(work, caller, command)
    return changing.submit_change(work, office, caller, command)


def _check_change(work: Work, caller: Caller, command: FollowUpCommand) -> None:
    """Nothing that was sent is passed over in silence, though only a continuation needs it."""
    if command.retrospective_reason is not None:
        raise DetailsNotAccepted(
            "retrospective_reason", f"A {command.kind} takes no such reason. Leave it out."
        )
    check_birth_date(work, caller, command)
