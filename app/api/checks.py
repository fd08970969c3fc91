"""Questions asked before a request is sent: would it be approved, is approval needed, is there one?

Nothing is stored but the audit entry, and for the last one the declared care relationship.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.decisions_model import (
    DecidingPolicy,
    FindingDocument,
    MissingQuestion,
    NoticeDocument,
    deciding_policy,
    findings_of,
    missing_questions,
    notice_documents,
)
from app.api.documents import Document
from app.api.fields import IdPath, Key, NhsNumber, PlausibleDay, Reason
from app.api.next_steps import after_check
from app.api.organisations import commissioner_code
from app.api.request_bodies import EXAMPLE_PATIENT, FollowUpBody, InitiationBody, example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice, ask, check_birth_date
from app.api.types import Day, OrganisationCode
from app.api.writing import NAMED, Answer, write
from app.approvals import checking, searching
from app.approvals.permissions import Action
from app.db.work import Work
from app.policy import Kind, Outcome

router = APIRouter(prefix="/v1", tags=["checks"], route_class=StrictRoute)


class CheckDocument(Document):
    """What submitting the form would have given. It is no approval."""

    kind: Kind
    outcome: Outcome
    next: str = Field(description="What to do next")
    policy: DecidingPolicy
    findings: list[FindingDocument]
    missing: list[MissingQuestion]
    reasons: list[str]
    overridden: list[str] = Field(description="Criteria that it relied on an override for")
    notices: list[NoticeDocument] = Field(description="Safety notices that suspend the start")
    already_approved: str | None = Field(
        description="Set where a live approval stands in the way; never another provider's details"
    )
    ends: list[str] = Field(
        description="In words, which of your own approvals approving a switch from a drug would "
        "end, and when"
    )


class NeedDocument(Document):
    """Whether a drug needs an approval on a day."""

    drug: str
    on: Day
    required: Literal["yes", "no", "not known"]
    reason: str
    policies: list[DecidingPolicy] = Field(description="The policy versions in force for the drug")


class ExistenceBody(Document):
    """Whose approval of what, and the care relationship that the caller declares."""

    model_config = example(
        {
            "nhs_number": EXAMPLE_PATIENT["nhs_number"],
            "birth_date": EXAMPLE_PATIENT["birth_date"],
            "drug": "adalimumab",
            "indication": "ra",
            "care_reason": "Seen in our clinic today; treatment is being planned.",
        }
    )

    nhs_number: NhsNumber
    birth_date: PlausibleDay
    drug: Key
    indication: Key
    care_reason: Reason


class ExistenceDocument(Document):
    """Whether a live approval exists. Of another provider's, nothing more is told."""

    exists: bool
    own: bool = Field(description="Your own organisation holds it")
    advice: str


@router.post(
    "/checks",
    summary="Check a first request without sending it",
    response_model=CheckDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.CHECK),
)
def check(request: Request, caller: SignedIn, office: ThisOffice, body: InitiationBody) -> Response:
    """The decision that the form would get today. A repeat asks again."""

    def run(work: Work) -> CheckDocument:
        command = body.to_command(office.library_at(work), work.moment.day)
        return check_document(checking.check_initiation(work, office, caller, command))

    return ask(request, run)


@router.post(
    "/treatments/{id}/checks",
    summary="Check a continuation or a stop without sending it",
    response_model=CheckDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.CHECK),
)
def check_follow_up(
    request: Request, caller: SignedIn, office: ThisOffice, id: IdPath, body: FollowUpBody
) -> Response:
    """The decision that the form would get today. For the treatment's own provider."""

    def run(work: Work) -> CheckDocument:
        command = body.to_command(id, work.moment.day)
        check_birth_date(work, caller, command)
        return check_document(checking.check_follow_up(work, office, caller, command))

    return ask(request, run)


@router.get("/approval-needs", summary="Ask whether a drug needs an approval")
def approval_need(
    request: Request,
    caller: SignedIn,  # noqa: ARG001
    office: ThisOffice,
    drug: Annotated[Key, Query(description="A drug's key", examples=["adalimumab"])],
    commissioner: Annotated[
        OrganisationCode | None, Query(description="Who pays; some drugs are exempt at some")
    ] = None,
    on: Annotated[PlausibleDay | None, Query(description="The day; today if left out")] = None,
) -> NeedDocument:
    """As far as the library and the commissioner's own settings tell.

    *not known* means that the library holds no policy for the drug: ask the commissioner.
    """

    def read(work: Work) -> NeedDocument:
        day = on or work.moment.day
        payer = None
        if commissioner is not None:
            payer = commissioner_code(commissioner, "commissioner", day)
        need = checking.approval_needed(work, office, drug, payer, day)
        return need_document(need)

    return door_of(request).read(read)


@router.post(
    "/approval-existence",
    summary="Ask whether a patient has a live approval",
    response_model=ExistenceDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.DECLARE_CARE),
)
def approval_existence(
    request: Request, caller: SignedIn, office: ThisOffice, body: ExistenceBody
) -> Response:
    """Declares that the caller's organisation cares for the patient, which is kept and audited.

    A birth date that does not fit the NHS number learns no more than that nothing was found. Who
    names too many patients who are not known within an hour is refused, whatever they call with.
    """

    def run(work: Work) -> Answer:
        found = searching.approval_exists(
            work,
            caller,
            body.nhs_number,
            body.birth_date,
            body.drug,
            body.indication,
            body.care_reason,
            office.guesses,
        )
        return Answer(
            200, ExistenceDocument(exists=found.exists, own=found.own, advice=found.advice)
        )

    return write(request, caller, run)


def check_document(run: checking.DryRun) -> CheckDocument:
    """A dry run."""
    decision = run.decision
    return CheckDocument(
        kind=run.kind,
        outcome=decision.outcome,
        next=after_check(decision.outcome, run.kind),
        policy=deciding_policy(run.version),
        findings=findings_of(decision),
        missing=missing_questions(decision.missing, run.version),
        reasons=list(decision.reasons),
        overridden=list(decision.overridden),
        notices=notice_documents(decision.notices),
        already_approved=run.already_approved,
        ends=list(run.ends),
    )


def need_document(need: checking.Need) -> NeedDocument:
    """Whether an approval is needed."""
    return NeedDocument(
        drug=need.drug,
        on=need.on,
        required=need.answer,
        reason=need.reason,
        policies=[deciding_policy(version) for version in need.policies],
    )
