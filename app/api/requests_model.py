"""Requests as documents."""

import datetime as dt
from typing import Any

from pydantic import AwareDatetime, Field

from app.api.approvals_model import ApprovalDocument, approval_document
from app.api.decisions_model import (
    DecidingPolicy,
    DecisionDocument,
    MissingQuestion,
    deciding_policy,
    decision_document,
    missing_questions,
)
from app.api.documents import Document
from app.api.doses_given_model import OverturnedDocument, overturned_document
from app.api.next_steps import after_overturning, after_request, begun_urgently
from app.api.panel_votes import PanelVoteDocument, panel_votes, with_votes
from app.api.types import Day
from app.api.veil import Veil
from app.approvals.amending import may_be_waived
from app.approvals.doses_given import given_since
from app.approvals.lifecycle import RequestState
from app.approvals.model import RequestRecord, RequestView, Route
from app.approvals.office import Office
from app.approvals.replaying import version_of_request
from app.approvals.views import approvals_beside, own_approval
from app.auth.model import Caller
from app.db.work import Work
from app.policy import (
    Kind,
    PanelStatus,
    PolicyVersion,
    members_to_agree,
    panel_status,
)


class AnswerDocument(Document):
    """An answer as it was decided on; numbers are decimals in strings."""

    value: Any
    unit: str | None
    measured_on: Day | None
    origin: str


class OverrideDocument(Document):
    """A clinician's override, as the request carries it."""

    criterion: str
    reason: str
    words: str
    made_by: str
    relied_on: bool = Field(description="The policy's decision needed it")


class RequestSummary(Document):
    """A request in short."""

    id: str
    kind: Kind
    state: RequestState
    provider: str
    commissioner: str
    decision_to_treat: Day
    submitted_at: AwareDatetime
    version: int


class RequestDocument(Document):
    """A request: its answers, every decision on it, and the approval that came of it."""

    id: str
    treatment_id: str
    kind: Kind
    state: RequestState
    next: str = Field(description="What to do next")
    provider: str
    commissioner: str
    panel: str | None = Field(description="The panel that decides; null: the commissioner does")
    panel_status: PanelStatus = Field(description="Whether the policy wants a panel at all")
    panel_answer_by: Day | None = Field(
        description="The day by which the panel that the request waits for answers, where the "
        "policy says how soon. Counted from the day of the decision that referred it"
    )
    panel_members: int = Field(
        description="How many members of the panel must agree: 1, or 2 where the policy asks for "
        "two. Then the first member's approval or refusal is kept as a vote"
    )
    panel_votes: list[PanelVoteDocument] = Field(
        description="What members said where two must agree, oldest first. The panel reads each; "
        "who asked and who pays read those that became a decision"
    )
    counterparty: str | None = Field(description="The receiving provider of a transfer")
    route: Route
    policy: DecidingPolicy
    decision_to_treat: Day
    first_dose: Day | None
    retrospective_reason: str | None
    details: dict[str, Any]
    answers: dict[str, AnswerDocument]
    overrides: list[OverrideDocument] = Field(description="With the newest answers")
    missing: list[MissingQuestion] = Field(description="Questions to answer next, if any")
    submitted_at: AwareDatetime
    submitted_by: str
    revision: int
    version: int = Field(description="The number in the ETag")
    decisions: list[DecisionDocument] = Field(description="Oldest first")
    approval: ApprovalDocument | None
    doses_given_since: Day | None = Field(
        description="The first dose under an urgent start that was authorised before the form. A "
        "refusal then says what it means for doses given: 'panel-overturn', or 'refuse-funding' of "
        "a request outside the policy"
    )
    overturned: OverturnedDocument | None = Field(
        description="The ruling on doses given that stands, where the urgent start was overturned, "
        "by a panel or by a commissioner that does not fund it. What it pays for is no approval to "
        "go on, and is never in 'approval'"
    )


def request_summary(request: RequestRecord) -> RequestSummary:
    """A request in short."""
    return RequestSummary(
        **{name: getattr(request, name) for name in RequestSummary.model_fields},
    )


def request_document(
    work: Work, office: Office, caller: Caller, view: RequestView
) -> RequestDocument:
    """A request in full, with what to do next as of today."""
    request = view.request
    library = office.library_at(work)
    version = version_of_request(work, library, request)
    waits = view.request.state is RequestState.REFERRED
    due = view.request.answer_by if waits else None
    votes = panel_votes(work, library, caller, view, version)
    overturned = overturned_document(view)
    since = given_since(request, work.moment.day)
    same = (
        "id",
        "treatment_id",
        "kind",
        "state",
        "provider",
        "commissioner",
        "panel",
        "counterparty",
        "route",
        "decision_to_treat",
        "first_dose",
        "retrospective_reason",
        "details",
        "submitted_at",
        "submitted_by",
        "revision",
        "version",
    )
    document = RequestDocument(
        **{name: getattr(request, name) for name in same},
        next=with_votes(_next(view, version, due, overturned, since), votes),
        panel_status=panel_status(version),
        panel_answer_by=due,
        panel_members=members_to_agree(version),
        panel_votes=votes,
        policy=deciding_policy(version),
        answers={
            name: AnswerDocument.model_validate(answer)
            for name, answer in view.revision.answers.items()
        },
        overrides=[
            OverrideDocument(
                **{name: getattr(each, name) for name in OverrideDocument.model_fields}
            )
            for each in view.overrides
        ],
        missing=_still_missing(view, version),
        decisions=[decision_document(decision, version) for decision in view.decisions],
        approval=_approval(work, office, caller, view),
        doses_given_since=since,
        overturned=overturned,
    )
    veil = Veil.over_treatment(work, caller, request.treatment_id)
    hidden: RequestDocument = veil.over(document)
    return hidden


def _next(
    view: RequestView,
    version: PolicyVersion,
    due: dt.date | None,
    overturned: OverturnedDocument | None,
    since: dt.date | None,
) -> str:
    """What to do next, with what an urgent start, or its overturning, adds to it."""
    request = view.request
    waivable = may_be_waived(view.decisions)
    step = after_request(request.state, request.kind, version, due, waivable=waivable)
    if overturned is not None:
        by_commissioner = request.panel is None
        return after_overturning(request.state, step, overturned, by_commissioner)
    if since is not None and request.state is RequestState.REFERRED:
        return f"{begun_urgently(since)} {step}"
    return step


def _still_missing(view: RequestView, version: PolicyVersion) -> list[MissingQuestion]:
    """What to answer next: only while the request waits for it."""
    if view.decision is None or view.request.state is not RequestState.MORE_INFORMATION_NEEDED:
        return []
    return missing_questions(view.decision.missing, version)


def _approval(
    work: Work, office: Office, caller: Caller, view: RequestView
) -> ApprovalDocument | None:
    found = own_approval(work, caller, view)
    if found is None:
        return None
    approval, treatment = found
    # Nothing goes on yet from one that is issued in this very transaction.
    is_new = approval.issued_at == work.moment.instant
    beside = () if is_new else approvals_beside(work, caller, treatment)
    return approval_document(work, office, caller, approval, treatment, view.request, beside)
