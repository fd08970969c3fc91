"""Patient records: saying that two are one person, and taking that back."""

from fastapi import APIRouter, Request, Response

from app.api.callers import SignedIn
from app.api.documents import Document
from app.api.fields import EXAMPLE_ID, IdPath, ObjectId, Reason
from app.api.request_bodies import ReasonBody, example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice
from app.api.treatments_model import PatientDocument, patient_document
from app.api.writing import NAMED, Answer, write
from app.approvals import patients
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
