"""Correcting a decided request, and taking one back as entered in error. Nothing is erased."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.approvals import begun_answers, store
from app.approvals.amending import IN_ERROR, PROVIDER, revised_case
from app.approvals.deciding import (
    add_opinion,
    conclude,
    decide_and_store,
    hold,
    move,
)
from app.approvals.errors import DetailsNotAccepted
from app.approvals.lifecycle import (
    APPROVAL_TRANSITIONS,
    ApprovalEvent,
    RequestEvent,
    RequestState,
    next_approval_state,
)
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    DecisionRecord,
    RequestRecord,
    RequestView,
    TreatmentRecord,
)
from app.approvals.office import Office
from app.approvals.overturning import take_back
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.recording import undo_pause, undo_resume, undo_stop
from app.approvals.views import request_view
from app.audit import Event
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, Outcome


def correct(
    work: Work,
    office: Office,
    caller: Caller,
    request_id: str,
    answers: Mapping[str, Any],
    entered_in_error: frozenset[str],
    reason: str,
    expected_version: int | None,
) -> RequestView:
    """Correct answers of a decided request and decide it again under its original version.

    `entered_in_error` names answers that should never have been given; they become unanswered.
    If an approved request would no longer be approved, its approval goes under query and the
    commissioner resolves it. Earlier answers and decisions stay on record.
    """
    check_can(caller, Action.CORRECT)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.CORRECT, request.provider)
    store.check_version(request.version, expected_version)
    if request.kind not in (Kind.INITIATION, Kind.CONTINUATION):
        raise DetailsNotAccepted(
            "answers", f"A {request.kind} has no answers to correct. Mark it entered in error."
        )
    treatment = hold(work, caller, request.treatment_id)
    changed = {**answers, **dict.fromkeys(entered_in_error)}
    case = revised_case(work, office, treatment, request, changed)
    if case.for_people:  # whoever decides it next reads why it was corrected
        case = replace(case, for_people=(*case.for_people, f"Why it was corrected: {reason}"))
    before = [d for d in store.decisions_of(work, request_id) if d.made_by == "policy"][-1]
    corrected = replace(request, revision=request.revision + 1)
    stored = decide_and_store(work, office, caller, treatment, corrected, case, "corrected", reason)
    revision = {"revision": corrected.revision}
    event = RequestEvent.CORRECT
    if request.state is RequestState.APPROVED:
        move(work, caller, treatment, request, event, RequestState.APPROVED, revision, reason)
        approval = store.approval_of_request(work, request_id)
        if approval is not None and _answer_changed(approval, before, stored):
            _query(work, caller, treatment, request, f"correction: {stored.outcome}")
    elif request.state is RequestState.DECLINED:
        # A panel has spoken: only a panel can say otherwise.
        to = (
            RequestState.REFERRED
            if stored.outcome in (Outcome.APPROVED, Outcome.REFERRED)
            else RequestState.DECLINED
        )
        move(work, caller, treatment, request, event, to, revision, reason)
    else:
        conclude(work, caller, treatment, request, event, case.version, stored, revision)
    return request_view(work, caller, request_id)


def enter_in_error(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int | None
) -> RequestView:
    """Mark a whole request as entered in error.

    Approvals that rest on it go under query until the commissioner resolves that. A stop, a pause
    or a resumption is undone, since nobody decided on it. Nothing is erased; why it was an error
    stands beside the decisions.
    """
    check_can(caller, Action.CORRECT)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.CORRECT, request.provider)
    store.check_version(request.version, expected_version)
    treatment = hold(work, caller, request.treatment_id)
    add_opinion(work, caller, request, treatment, PROVIDER, IN_ERROR, reason)
    move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.ENTER_IN_ERROR,
        RequestState.ENTERED_IN_ERROR,
        reason=reason,
    )
    begun_answers.end(work, request)
    _take_back(work, caller, treatment, request)
    return request_view(work, caller, request_id)


def _take_back(
    work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord
) -> None:
    """Undo what was only recorded; put under query what an approval or a change rests on."""
    if request.kind is Kind.STOP:
        undo_stop(work, caller, treatment, request)
    elif request.kind is Kind.PAUSE:
        undo_pause(work, treatment, request)
    elif request.kind is Kind.RESUME:
        undo_resume(work, treatment, request)
    else:
        take_back(work, caller, treatment, request)
        _query(work, caller, treatment, request, "entered in error")


def _answer_changed(
    approval: ApprovalRecord, before: DecisionRecord, after: DecisionRecord
) -> bool:
    """Whether a correction changes what the approval rests on.

    An approval by the policy rests on its outcome; one that people gave rests on the findings
    that they saw, and on the values behind those that they let pass: who waived a score of 4.9
    did not waive one of 1.
    """
    if approval.basis is Basis.POLICY:
        return after.outcome != Outcome.APPROVED
    return after.outcome != before.outcome or _weighed(after) != _weighed(before)


def _weighed(decision: DecisionRecord) -> dict[str, tuple[str, Any]]:
    """Criterion → its result; of one that is not simply fulfilled also the values looked at."""
    fulfilled = {"start": "met", "continue": "met", "stop": "not met"}
    return {
        finding["criterion"]: (
            finding["result"],
            None
            if finding["result"] == fulfilled[finding["section"]]
            else _looked_at(finding["part"]),
        )
        for finding in decision.findings
    }


def _looked_at(part: Mapping[str, Any]) -> list[Any]:
    return [part["looked_at"], *(_looked_at(below) for below in part["parts"])]


def _query(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    why: str,
) -> None:
    """Put under query the approvals that rest on the request; closed ones stay closed.

    A switch, a dose change or a transfer has no approval of its own: its segments name the one
    that they changed.
    """
    changed = {
        s.approval_id for s in store.segments_of(work, treatment.id) if s.request_id == request.id
    }
    for approval in store.approvals_of(work, treatment.id):
        rests = approval.request_id == request.id or approval.id in changed
        if not rests or (approval.state, ApprovalEvent.QUERY) not in APPROVAL_TRANSITIONS:
            continue
        to = next_approval_state(approval.state, ApprovalEvent.QUERY)
        event = Event(
            action="approval under query",
            object_type="approval",
            object_id=approval.id,
            treatment_id=treatment.id,
            request_id=request.id,
            patient_id=treatment.patient_id,
            before={"state": approval.state},
            after={"state": to, "why": why},
            policy_hash=approval.policy_hash,
        )
        store.change_approval(work, approval, {"state": to}, caller.actor(), event)
