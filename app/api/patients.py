"""Patient records: saying that two are one person, and taking that back."""

from fastapi import APIRouter, Request, Response

from app.api.callers import SignedIn
from app.api.documents import Document
from app.api.fields import EXAMPLE_ID, IdPath, ObjectId, PlausibleDay, Reason
from app.api.request_bodies import ReasonBody, example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice
from app.api.treatments_model import PatientDocument, patient_document
from app.api.writing import NAMED, Answer, write
from app.approvals import deaths, objecting, patients
from app.approvals.permissions import Action
from app.db.work import Work

router = APIRouter(prefix="/v1/patients", tags=["patients"], route_class=StrictRoute)


class LinkBody(Document):
    """The record that stands for both from now on, and why."""

    model_config = example({"to": EXAMPLE_ID, "reason": "The NHS number has been traced."})

    to: ObjectId
    reason: Reason


@router.post(
    "/{id}/links",
    summary="Link two patient records",
    response_model=PatientDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.LINK_PATIENTS),
)
def link(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: LinkBody
) -> Response:
    """Records that two of your organisation's patient records are one person.

    Refused where they contradict each other; nothing is merged, and `unlink` takes it back.
    """

    def run(work: Work) -> Answer:
        linked = patients.link(work, caller, id, body.to, body.reason)
        return Answer(200, patient_document(work, office, caller, linked))

    return write(request, caller, run)


@router.post(
    "/{id}/unlink",
    summary="Take a link of patient records back",
    response_model=PatientDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.LINK_PATIENTS),
)
def unlink(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: ReasonBody
) -> Response:
    """The live approvals of each record go back to it."""

    def run(work: Work) -> Answer:
        record = patients.unlink(work, caller, id, body.reason)
        return Answer(200, patient_document(work, office, caller, record))

    return write(request, caller, run)


@router.post(
    "/{id}/objection",
    summary="Record that a patient objects to being shown",
    response_model=PatientDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RECORD_OBJECTION),
)
def record_objection(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: ReasonBody
) -> Response:
    """Restricts display beyond those who treat the patient; approvals cover supplies as before.

    No other provider's claim is answered and no search of theirs finds the patient, and no payer
    learns who they are. Break-glass stays open for the patient's safety.
    """

    def run(work: Work) -> Answer:
        record = objecting.record_objection(work, caller, id, body.reason)
        return Answer(200, patient_document(work, office, caller, record))

    return write(request, caller, run)


@router.post(
    "/{id}/objection/withdraw",
    summary="Record that a patient takes the objection back",
    response_model=PatientDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RECORD_OBJECTION),
)
def withdraw_objection(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: ReasonBody
) -> Response:
    """By any provider that knows the patient, whichever of them recorded it."""

    def run(work: Work) -> Answer:
        record = objecting.withdraw_objection(work, caller, id, body.reason)
        return Answer(200, patient_document(work, office, caller, record))

    return write(request, caller, run)


class DeathBody(Document):
    """The day of death."""

    model_config = example({"died_on": "2026-06-12"})

    died_on: PlausibleDay


@router.post(
    "/{id}/death",
    summary="Record a patient's death",
    response_model=PatientDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RECORD_DEATH),
)
def record_death(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: DeathBody
) -> Response:
    """Ends what is due. Requests decided on after that day are refused, earlier ones referred.

    It changes no coverage: send a stop for that, with the reason *died*.
    """

    def run(work: Work) -> Answer:
        record = deaths.record_death(work, caller, id, body.died_on)
        return Answer(200, patient_document(work, office, caller, record))

    return write(request, caller, run)


@router.post(
    "/{id}/death/take-back",
    summary="Take a wrong record of a death back",
    response_model=PatientDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RECORD_DEATH),
)
def take_back_death(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: ReasonBody
) -> Response:
    """By any provider that knows the patient. The record stays, marked as taken back."""

    def run(work: Work) -> Answer:
        record = deaths.take_back_death(work, caller, id, body.reason)
        return Answer(200, patient_document(work, office, caller, record))

    return write(request, caller, run)
