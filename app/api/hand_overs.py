"""Handing a drug's treatments to another commissioner over the API: two people of who pays.

The same services as the pages (`app/web/desk/hand_overs.py`).
"""

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import WORDS_PATTERN, IdPath, Key, ObjectId, PlausibleDay
from app.api.listed import (
    ASKED_FOR,
    NEXT,
    AfterHandOver,
    AfterProposal,
    hand_over_place,
    hand_over_text,
    proposal_place,
    proposal_text,
    shown,
)
from app.api.openapi import refusals
from app.api.request_bodies import example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import LOCATED
from app.api.submissions import ThisDesk
from app.api.types import ExactNumber, OrganisationCode
from app.api.writing import NAMED, Answer, write
from app.approvals import handing
from app.approvals.handed import handed_and_received
from app.approvals.handing import LONGEST_WHY, Asked, HandOver
from app.approvals.permissions import Action
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import handing_over

router = APIRouter(prefix="/v1", tags=["terms"], route_class=StrictRoute)
FOR = for_roles(Action.HAND_OVER)


class HandOverBody(Document):
    """What a second commissioner of the organisation is to confirm."""

    model_config = example(
        {
            "receiver": "DEMQ2",
            "drug": "natalizumab",
            "from_day": "2026-06-01",
            "why": "Delegated from 1 June.",
        }
    )

    receiver: OrganisationCode = Field(description="Who pays from then on")
    drug: Key
    from_day: PlausibleDay = Field(description="The first day that the receiver pays for")
    why: Annotated[str, Field(max_length=LONGEST_WHY, pattern=WORDS_PATTERN)]

    def asked(self) -> Asked:
        """What the service takes."""
        return Asked(self.receiver, self.drug, self.from_day, self.why)


class HandOverCounts(Document):
    """How much goes over, as of when it was proposed."""

    treatments: int = Field(description="With days that the giver pays for on the day or later")
    approvals: int
    segments: int
    waiting: int = Field(description="Requests that wait for the giver, which stays asked")


class HandOverProposalDocument(Document):
    """A hand-over that waits for a second person, or what became of it."""

    id: ObjectId
    receiver: OrganisationCode
    drug: str
    from_day: dt.date
    why: str
    state: Literal["waiting", "under way", "confirmed", "declined"] = Field(
        description="Under way: it was confirmed, and the worker hands the treatments over"
    )
    job: str | None = Field(
        description="Where it is or was the worker's to do: follow it at /v1/jobs/{job}. Null in "
        "lists"
    )
    touches: HandOverCounts
    lines: int | None = Field(
        description="Lines of your newest runs that state these days; null where the runs together "
        "are too large to be looked through while you wait"
    )
    accepted: ExactNumber | None = Field(description="Pounds of these lines that were accepted")
    queried: ExactNumber | None = Field(description="Pounds of these lines that were queried")
    stale: bool | None = Field(
        description="While it waits: whether it would touch something else by now, so that it "
        "cannot be confirmed. Null in lists"
    )
    proposed_by: str
    proposed_at: AwareDatetime
    decided_by: str | None
    decided_at: AwareDatetime | None


class HandOverProposalList(Document):
    """The organisation's proposals: those that wait first, then the newest."""

    proposals: list[HandOverProposalDocument]
    next: str | None = Field(description=NEXT)


class HandOverDocument(Document):
    """That one commissioner's treatments with a drug are another's to pay for from a day on."""

    giver: OrganisationCode
    receiver: OrganisationCode
    drug: str
    from_day: dt.date
    treatments: int
    confirmed_at: AwareDatetime


class HandOverList(Document):
    """What was handed over and received, the newest first."""

    hand_overs: list[HandOverDocument]
    next: str | None = Field(description=NEXT)


@router.get("/hand-overs", summary="List what was handed over and received", openapi_extra=FOR)
def list_hand_overs(
    request: Request, caller: SignedIn, after: AfterHandOver = None
) -> HandOverList:
    """By your organisation and to it, 200 on a page.

    Which treatments they are is told in `/v1/changes`: each has the step "treatment handed to
    another commissioner", for its provider and both commissioners.
    """
    place = hand_over_place(after)
    found = door_of(request).read(lambda work: handed_and_received(work, caller, ASKED_FOR, place))
    rows, onward = shown(found, hand_over_text)
    return HandOverList(hand_overs=[_handed(each) for each in rows], next=onward)


@router.get("/hand-over-proposals", summary="List proposals to hand over", openapi_extra=FOR)
def list_proposals(
    request: Request, caller: SignedIn, after: AfterProposal = None
) -> HandOverProposalList:
    """Your organisation's, 200 on a page."""
    place = proposal_place(after)
    found = door_of(request).read(lambda work: handing.proposals(work, caller, ASKED_FOR, place))
    rows, onward = shown(found, proposal_text)
    return HandOverProposalList(proposals=[_proposal(each) for each in rows], next=onward)


@router.post(
    "/hand-over-proposals",
    status_code=201,
    summary="Propose to hand a drug's treatments to another commissioner",
    response_model=HandOverProposalDocument,
    responses={**LOCATED, **refusals(409)},
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def propose(request: Request, caller: SignedIn, desk: ThisDesk, body: HandOverBody) -> Response:
    """Of what your own organisation pays for. Nothing is handed over until another person of yours
    confirms it; the answer says how much that would be.
    """

    def run(work: Work) -> Answer:
        made = handing_over.propose(work, desk, caller, body.asked())
        headers = {"Location": f"/v1/hand-over-proposals/{made.id}"}
        return Answer(201, _proposal(made, stale=False), headers)

    return write(request, caller, run)


@router.get("/hand-over-proposals/{id}", summary="Show a proposal to hand over", openapi_extra=FOR)
def show_proposal(request: Request, caller: SignedIn, id: IdPath) -> HandOverProposalDocument:
    """What it is about, whether it could still be confirmed, and what became of it."""
    return door_of(request).read(lambda work: _shown(work, caller, id))


@router.post(
    "/hand-over-proposals/{id}/confirm",
    summary="Confirm another person's proposal to hand over",
    response_model=HandOverProposalDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def confirm(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """The receiver pays for the days from then on, and sees them. Two credentials of one person
    are one person. Refused before the first day, and where it would touch something else by now.
    More than 200 treatments are handed over by the worker: the state is then `under way` and `job`
    says where to follow it. Where something changes before that is done, nothing is handed over and
    the proposal waits again, stale.
    """

    def run(work: Work) -> Answer:
        found = handing.confirm(work, caller, id)
        job = handing.job_of(work, found)
        return Answer(200, _proposal(found, job=None if job is None else job.id))

    return write(request, caller, run)


@router.post(
    "/hand-over-proposals/{id}/decline",
    summary="Decline a proposal to hand over, or take one's own back",
    response_model=HandOverProposalDocument,
    dependencies=[NAMED],
    openapi_extra=FOR,
)
def decline(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """Nothing of it is done."""
    return write(
        request, caller, lambda work: Answer(200, _proposal(handing.decline(work, caller, id)))
    )


def _shown(work: Work, caller: Caller, id: str) -> HandOverProposalDocument:
    found = handing.proposal(work, caller, id)
    waits = found.state == "waiting"
    job = handing.job_of(work, found)
    stale = handing.is_stale(work, found) if waits else None
    return _proposal(found, stale, None if job is None else job.id)


def _proposal(
    found: HandOver, stale: bool | None = None, job: str | None = None
) -> HandOverProposalDocument:
    same = ("id", "receiver", "drug", "from_day", "why", "state")
    money = ("lines", "accepted", "queried")
    counts = {name: getattr(found, name) for name in HandOverCounts.model_fields}
    return HandOverProposalDocument(
        **{name: getattr(found, name) for name in (*same, *money)},
        touches=HandOverCounts(**counts),
        stale=stale,
        job=job,
        proposed_by=found.proposed_by_name,
        proposed_at=found.proposed_at,
        decided_by=found.decided_by_name,
        decided_at=found.decided_at,
    )


def _handed(found: HandOver) -> HandOverDocument:
    assert found.decided_at is not None  # it was confirmed
    same = ("receiver", "drug", "from_day", "treatments")
    return HandOverDocument(
        **{name: getattr(found, name) for name in same},
        giver=found.organisation,
        confirmed_at=found.decided_at,
    )
