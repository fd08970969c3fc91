"""Searching the treatments that the caller may see."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.callers import SignedIn
from app.api.documents import Document
from app.api.fields import Key, LocalId, NhsNumber, ObjectId, PlausibleDay, PolicyField, Reason
from app.api.request_bodies import EXAMPLE_PATIENT, example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ask
from app.api.treatments_model import TreatmentSummary, treatment_summary
from app.api.types import Day, OrganisationCode
from app.api.writing import NAMED
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.permissions import Action
from app.approvals.searching import LARGEST_PAGE, SearchPage, SearchQuery, search
from app.db.work import Work

router = APIRouter(prefix="/v1/searches", tags=["searches"], route_class=StrictRoute)


class SearchBody(Document):
    """What to look for; every part given must fit. Identifiers go in the body, never in a URL."""

    model_config = example({"nhs_number": EXAMPLE_PATIENT["nhs_number"], "drug": "adalimumab"})

    nhs_number: NhsNumber | None = None
    local_id: LocalId | None = None
    drug: Key | None = None
    policy: PolicyField | None = None
    provider: OrganisationCode | None = None
    request_state: Annotated[RequestState, Field(strict=False)] | None = None
    approval_state: Annotated[ApprovalState, Field(strict=False)] | None = None
    review_due_by: PlausibleDay | None = Field(
        default=None, description="Treatments whose live approvals end on or before this day"
    )
    after: ObjectId | None = Field(default=None, description="'next' of the page before")
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 50
    reason: Reason | None = Field(
        default=None, description="Why invoice validation searches by a patient's identifiers"
    )

    def to_query(self) -> SearchQuery:
        """The query as the approvals room takes it."""
        return SearchQuery(**{name: getattr(self, name) for name in type(self).model_fields})


class HitDocument(Document):
    """A treatment that fits, with its coverage and its approvals' references."""

    treatment: TreatmentSummary
    covered_to: Day | None = Field(description="The last covered day, if there is one")
    references: list[str]


class SearchDocument(Document):
    """One page of treatments, in the order of their ids."""

    hits: list[HitDocument]
    next: str | None = Field(description="Send it as 'after' for the next page; null: no more")


@router.post(
    "",
    summary="Search treatments",
    response_model=SearchDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.READ),
)
def search_treatments(request: Request, caller: SignedIn, body: SearchBody) -> Response:
    """Finds only what your organisation may see. Each search is audited; a repeat asks again.

    By NHS number or hospital number only a care team searches, and invoice validation with a
    reason. A hospital number is your own organisation's.
    """

    def run(work: Work) -> SearchDocument:
        return search_document(search(work, caller, body.to_query()))

    return ask(request, run)


def search_document(page: SearchPage) -> SearchDocument:
    """A page of hits."""
    return SearchDocument(
        hits=[
            HitDocument(
                treatment=treatment_summary(hit.treatment),
                covered_to=hit.covered_to,
                references=list(hit.references),
            )
            for hit in page.hits
        ],
        next=page.next,
    )
