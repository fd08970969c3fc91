"""Approvals proposed for lines whose patient is not known, and what people make of that."""

from decimal import Decimal
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import IdPath, Reason
from app.api.reading import read_recorded
from app.api.request_bodies import example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.submissions import Reconciler, ThisDesk, UuidPath
from app.api.types import ExactNumber
from app.api.writing import NAMED, Answer, write, write_after
from app.approvals.permissions import Action
from app.audit import Reading
from app.db.work import Work
from app.reconciliation.linkage import proposing
from app.reconciliation.linkage.model import Candidate
from app.reconciliation.linkage.proposing import Accepting, Listed
from app.reconciliation.linkage.store import ProposalRecord

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

LARGEST: Final = 1000
#: A model of invented people is sure of nothing.
CERTAIN: Final = 0.9999


ProposalState = Literal["open", "accepted", "refused"]


class QueuedDocument(Document):
    """The job that was queued."""

    job: str = Field(description="Follow it at /v1/jobs/{job}")


class AcceptBody(Document):
    """Which of the proposed approvals is the line's, and how you know."""

    model_config = example(
        {"approval_reference": "PA7Q2M9XK4T0WZ3", "reason": "The trust confirmed the patient."}
    )

    approval_reference: Annotated[str, Field(pattern="^PA[0-9A-Z]{13}$")]
    reason: Reason


class RefuseBody(Document):
    """Why none of the proposed approvals is the line's."""

    model_config = example({"reason": "The trust named another patient."})

    reason: Reason


class FieldDocument(Document):
    """How one field agrees, without its value."""

    field: str
    words: str
    weight: float | None = Field(
        description="In bits: 1 doubles the odds, -1 halves them. None: a condition of every "
        "proposal, counted in the starting odds, or not stated on one side"
    )


class CandidateDocument(Document):
    """An approval that the line may belong to, with the evidence."""

    approval_reference: str
    probability: float = Field(
        description="Of the line being this approval's, by the model, given every other candidate"
    )
    weight: float = Field(description="Of all fields together, in bits")
    fields: list[FieldDocument]


class ProposalDocument(Document):
    """What is proposed for a line. It matches and pays nothing until a person accepts it."""

    id: str
    run: str
    row: int
    state: ProposalState
    ambiguous: bool = Field(
        description="The evidence does not tell which of the candidates it is, as with twins"
    )
    candidates: list[CandidateDocument] = Field(description="In order of reference, never of rank")
    next_best: CandidateDocument | None = Field(description="The likeliest of the others")
    among: int = Field(description="How many treatments of the drug there are in your scope")
    charged: ExactNumber | None = Field(
        description="What the line charges; null where the search is of before that was kept"
    )
    accepted: str | None = Field(description="The approval's reference")
    line_decision: str | None = Field(description="The decision by hand that it became")
    reason: str | None
    decided_at: AwareDatetime | None
    decided_by: str | None
    job: str | None = Field(
        default=None, description="Reconciles the submission again: /v1/jobs/{job}"
    )


class ProposalList(Document):
    """The newest proposals for a run. They are worked out again only when asked for."""

    run: str
    search: str | None = Field(description="None: none was asked for yet")
    model: str | None = Field(description="The parameters by which fields were weighed")
    made_at: AwareDatetime | None
    lines: dict[str, int] = Field(description="How a line that nothing was found for ended")
    count: int = Field(description="How many proposals there are, also beyond the limit")
    waiting: int = Field(description="How many of them nobody has accepted or refused")
    waiting_charged: ExactNumber | None = Field(
        description="What the lines of these charge together; null where it is not known"
    )
    next: int | None = Field(description="The row to go on `after`; null at the end")
    proposals: list[ProposalDocument]


@router.post(
    "/runs/{run}/linkage-proposals",
    status_code=202,
    summary="Have approvals proposed for lines whose patient is not known",
    response_model=QueuedDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.PROPOSE_LINKS),
)
def propose(request: Request, caller: Reconciler, run: UuidPath) -> Response:
    """For lines that no pass matched, whose NHS number is missing, invalid or nobody's.

    Within your organisation's scope. Nothing is matched by it. Lines with a withheld identity are
    counted and left alone.
    """

    def queue(work: Work) -> Answer:
        job = proposing.queue(work, caller, run)
        return Answer(202, QueuedDocument(job=job), {"Location": f"/v1/jobs/{job}"})

    return write(request, caller, queue)


@router.get(
    "/runs/{run}/linkage-proposals",
    summary="List the approvals proposed for a run's lines",
    openapi_extra=for_roles(Action.PROPOSE_LINKS),
)
def list_proposals(
    request: Request,
    caller: Reconciler,
    run: UuidPath,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = 100,
    after: Annotated[
        int, Query(ge=0, le=1_000_000_000, description="Go on after this row of the list")
    ] = 0,
    state: Annotated[ProposalState | None, Query(description="Only those in this state")] = None,
) -> ProposalList:
    """The most costly lines first, with how far each field agrees. No value of a patient.

    One search keeps at most 10,000 proposals, of the most costly lines; `lines` counts the others.
    """

    def read(work: Work) -> tuple[ProposalList, Reading]:
        found = proposing.list_proposals(work, caller, run, limit, after, state)
        return list_document(run, found), Reading("linkage proposals read", names={"run": run})

    return read_recorded(request, caller, read)


@router.post(
    "/linkage-proposals/{id}/accept",
    summary="Accept a proposed approval",
    response_model=ProposalDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECIDE_LINE),
)
def accept(
    request: Request, caller: SignedIn, desk: ThisDesk, id: IdPath, body: AcceptBody
) -> Response:
    """It becomes a match by hand: every other test is still made, from the next run on.

    Compared again first: refused where the line, the approval or the patient's record changed.
    """
    chosen = body.approval_reference

    def look() -> Accepting:
        return door_of(request).read(
            lambda work: proposing.prepare_to_accept(work, desk, caller, id, chosen)
        )

    def keep(work: Work, seen: Accepting) -> Answer:
        return Answer(200, proposal_document(*proposing.accept(work, caller, seen, body.reason)))

    return write_after(request, caller, look, keep)


@router.post(
    "/linkage-proposals/{id}/refuse",
    summary="Refuse a proposal",
    response_model=ProposalDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.PROPOSE_LINKS),
)
def refuse(request: Request, caller: Reconciler, id: IdPath, body: RefuseBody) -> Response:
    """None of its approvals is proposed for the line again, unless either side changes."""

    def keep(work: Work) -> Answer:
        return Answer(200, proposal_document(proposing.refuse(work, caller, id, body.reason)))

    return write(request, caller, keep)


def list_document(run: str, found: Listed) -> ProposalList:
    """A run's proposals as they are shown."""
    search = found.search
    return ProposalList(
        run=run,
        search=search.id if search else None,
        model=search.model if search else None,
        made_at=search.made_at if search else None,
        lines=dict(search.counts) if search else {},
        count=found.counts.proposals,
        waiting=found.counts.waiting,
        waiting_charged=found.counts.charged,
        next=found.next,
        proposals=[proposal_document(each) for each in found.proposals],
    )


def proposal_document(found: ProposalRecord, job: str | None = None) -> ProposalDocument:
    """A proposal as it is shown."""
    made = found.proposed
    same = ("id", "state", "reason", "decided_at", "decided_by")
    return ProposalDocument(
        **{name: getattr(found, name) for name in same},
        run=found.run_id,
        row=made.row,
        ambiguous=made.ambiguous,
        candidates=[_candidate(each) for each in made.candidates],
        next_best=_candidate(made.next_best) if made.next_best else None,
        among=made.among,
        charged=None if made.total is None else Decimal(made.total),
        accepted=found.approval_reference,
        line_decision=found.decision_id,
        job=job,
    )


def _candidate(found: Candidate) -> CandidateDocument:
    return CandidateDocument(
        approval_reference=found.approval_reference,
        probability=min(round(found.probability, 4), CERTAIN),
        weight=round(found.weight, 2),
        fields=[
            FieldDocument(
                field=each.field,
                words=each.words,
                weight=None if each.weight is None else round(each.weight, 2),
            )
            for each in found.fields
        ],
    )
