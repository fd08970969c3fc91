"""A receiving trust claims a treatment that another trust holds."""

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field

from app.api.callers import SignedIn
from app.api.checks import ExistenceBody
from app.api.documents import Document
from app.api.requests_model import AnswerDocument
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice
from app.api.types import Day
from app.api.writing import NAMED, Answer, write
from app.approvals.claiming import Claim, claim
from app.approvals.permissions import Action
from app.db.work import Work

router = APIRouter(prefix="/v1/treatment-claims", tags=["treatments"], route_class=StrictRoute)


class ClaimDocument(Document):
    """What a claimant learns of another provider's treatment: approval, dates and baseline."""

    found: bool
    claimed_at: AwareDatetime | None = Field(
        description="When your organisation made the claim that stands: a second one within "
        "90 days is answered with it"
    )
    reference: str | None
    covers_from: Day | None
    covers_to: Day | None
    first_dose: Day | None
    baseline: dict[str, AnswerDocument] = Field(
        description="Measurements from before treatment, which later requests are judged on"
    )
    advice: str


NEXT = "Ask the provider that holds it for a transfer. Until then your supplies will be queried."
OBJECTED = (
    "The patient objects to being shown to other organisations. Ask the patient, or the provider "
    "that treats them; where their safety needs it at once, open the record by break-glass."
)
NOTHING = "No other provider's live approval is known. Search your own, or send an initiation."


@router.post(
    "",
    summary="Claim a treatment that another provider holds",
    response_model=ClaimDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECLARE_CARE),
)
def claim_treatment(
    request: Request, caller: SignedIn, office: ThisOffice, body: ExistenceBody
) -> Response:
    """For a trust that now cares for the patient and says so, which is kept and audited.

    The provider that holds the treatment is told by its change feed, once for a claim that stands:
    whoever of your organisation claims again within 90 days is told how it is now. A birth date
    that does not fit the NHS number learns nothing.
    """

    def run(work: Work) -> Answer:
        who = (body.nhs_number, body.birth_date)
        found = claim(work, office, caller, *who, body.drug, body.indication, body.care_reason)
        # Where a treatment is told of, so is its reference: by that an erasure finds the reply.
        return Answer(200, claim_document(found))

    return write(request, caller, run)


def claim_document(found: Claim) -> ClaimDocument:
    """What a claimant is told, and no more."""
    approval = found.approval
    known = approval is not None
    return ClaimDocument(
        found=known,
        claimed_at=found.claimed_at,
        reference=None if approval is None else approval.reference,
        covers_from=None if approval is None else approval.covers_from,
        covers_to=None if approval is None else approval.covers_to,
        first_dose=found.first_dose,
        baseline={n: AnswerDocument.model_validate(a) for n, a in found.baseline.items()},
        advice=OBJECTED if found.objected else NEXT if known else NOTHING,
    )
