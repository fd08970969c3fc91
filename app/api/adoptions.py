"""Adopting policy versions over the API: who decides by what, and proposals that two people settle.

The same services as the pages (`app/web/library/adopting.py`).
"""

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import IdPath, ObjectId, PlausibleDay, PolicyField
from app.api.listed import ASKED_FOR, NEXT, AfterProposal, proposal_place, proposal_text, shown
from app.api.openapi import refusals
from app.api.policies import PolicyKey, ThisLibrary
from app.api.request_bodies import example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import LOCATED, ThisOffice
from app.api.types import OrganisationCode
from app.api.writing import NAMED, Answer, write
from app.approvals import adopting
from app.approvals.adopting import Adoption, AdoptionProposal
from app.approvals.permissions import Action
from app.auth.model import Caller
from app.db.work import Work

router = APIRouter(prefix="/v1", tags=["policies"], route_class=StrictRoute)
FOR = for_roles(Action.ADOPT)
Act = Literal["adopt", "end"]


class AdoptionDocument(Document):
    """That a commissioner decides by a version, or by its overlay, from a day."""

    commissioner: OrganisationCode
    version: str = Field(description="A version's number, or +<day> for the commissioner's overlay")
    from_day: dt.date = Field(description="The first decision to treat that it decides")
    to_day: dt.date | None = Field(description="The last one, where the adoption was ended")
    adopted_by: str | None = Field(description="Told to the commissioner's own people only")
    seconded_by: str | None = Field(description="Told to the commissioner's own people only")


class AdoptionList(Document):
    """The adoptions of a policy's versions, the newest day first."""

    adoptions: list[AdoptionDocument]


class AdoptionProposalBody(Document):
    """What a second commissioner of the organisation is to confirm."""

    model_config = example(
        {
            "act": "adopt",
            "policy": "adalimumab-ra-severe",
            "version": "2016-01-26",
            "from_day": "2026-12-01",
        }
    )

    act: Act
    policy: PolicyField
    version: Annotated[
        str,
        Field(
            pattern=r"^(overlay-)?[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[1-9][0-9]?)?$",
            description="A version's number, or overlay-<day> for your organisation's overlay",
        ),
    ]
    from_day: PlausibleDay = Field(
        description="The first day on which it decides; of an end, on which it no longer does"
    )


class AdoptionProposalDocument(Document):
    """An adoption, or the end of one, that waits for a second person, or what became of it."""

    id: ObjectId
    act: Act
    policy: str
    version: str
    hash: str = Field(description="SHA-256 of the text that was proposed")
    from_day: dt.date
    state: Literal["waiting", "confirmed", "declined"]
    proposed_by: str
    proposed_at: AwareDatetime
    decided_by: str | None
    decided_at: AwareDatetime | None


class AdoptionProposalList(Document):
    """The organisation's proposals: those that wait first, then the newest."""

    proposals: list[AdoptionProposalDocument]
    next: str | None = Field(description=NEXT)


@router.get("/policies/{policy}/adoptions", summary="List who adopted a policy's versions")
def list_adoptions(
    request: Request, caller: SignedIn, library: ThisLibrary, policy: PolicyKey
) -> AdoptionList:
    """By which versions commissioners decide, and from when. No secret: it decides for all."""
    library.versions(policy)  # refuses a key that the library does not hold
    found = door_of(request).read(lambda work: adopting.adoptions_of(work, [policy]))
    return AdoptionList(adoptions=[_adoption(each, caller) for each in found])


@router.get("/adoption-proposals", summary="List proposals to adopt a version", openapi_extra=FOR)
def list_proposals(
    request: Request, caller: SignedIn, after: AfterProposal = None
) -> AdoptionProposalList:
    """Your organisation's, 200 on a page."""
    place = proposal_place(after)
    found = door_of(request).read(
        lambda work: adopting.adoption_proposals(work, caller, ASKED_FOR, place)
    )
    rows, onward = shown(found, proposal_text)
    return AdoptionProposalList(proposals=[_proposal(each) for each in rows], next=onward)


@router.post(
    "/adoption-proposals",
    status_code=201,
    summary="Propose to adopt a version, or to end that",
    response_model=AdoptionProposalDocument,
    responses={**LOCATED, **refusals(404, 409)},
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def propose(
    request: Request, caller: SignedIn, office: ThisOffice, body: AdoptionProposalBody
) -> Response:
    """For your own organisation. Nothing is adopted, or ended, until another person confirms it."""

    def run(work: Work) -> Answer:
        library = office.library_at(work)
        made = adopting.propose_adoption(
            work, library, caller, body.policy, body.version, body.from_day, body.act
        )
        headers = {"Location": f"/v1/adoption-proposals/{made.id}"}
        return Answer(201, _proposal(made), headers)

    return write(request, caller, run)


@router.get(
    "/adoption-proposals/{id}", summary="Show a proposal to adopt a version", openapi_extra=FOR
)
def show_proposal(request: Request, caller: SignedIn, id: IdPath) -> AdoptionProposalDocument:
    """What was proposed, by whom, and what became of it."""
    found = door_of(request).read(lambda work: adopting.adoption_proposal(work, caller, id))
    return _proposal(found)


@router.post(
    "/adoption-proposals/{id}/confirm",
    summary="Confirm another person's proposal to adopt a version",
    response_model=AdoptionProposalDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def confirm(request: Request, caller: SignedIn, office: ThisOffice, id: IdPath) -> Response:
    """Adopts it, or ends its adoption. Two credentials of one person are one person."""

    def run(work: Work) -> Answer:
        library = office.library_at(work)
        return Answer(200, _proposal(adopting.confirm_adoption(work, library, caller, id)))

    return write(request, caller, run)


@router.post(
    "/adoption-proposals/{id}/decline",
    summary="Decline a proposal to adopt a version, or take one's own back",
    response_model=AdoptionProposalDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def decline(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """Nothing of it is done."""
    return write(
        request,
        caller,
        lambda work: Answer(200, _proposal(adopting.decline_adoption(work, caller, id))),
    )


def _adoption(found: Adoption, caller: Caller) -> AdoptionDocument:
    own = found.commissioner == caller.organisation
    return AdoptionDocument(
        commissioner=found.commissioner,
        version=found.version,
        from_day=found.from_day,
        to_day=found.to_day,
        adopted_by=found.adopted_by if own else None,
        seconded_by=found.seconded_by if own else None,
    )


def _proposal(found: AdoptionProposal) -> AdoptionProposalDocument:
    names = AdoptionProposalDocument.model_fields
    shown = {name: getattr(found, name) for name in names}
    by = {"proposed_by": found.proposed_by_name, "decided_by": found.decided_by_name}
    return AdoptionProposalDocument(**shown | by)
