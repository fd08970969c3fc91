"""Correcting a decided request, and taking one back as entered in error. Nothing is erased."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.approvals import store
from app.approvals.deciding import (
    add_policy_decision,
    add_revision,
    conclude,
    decide_case,
    move,
    person_of,
)
from app.approvals.errors import DetailsNotAccepted
from app.approvals.lifecycle import (
    ApprovalEvent,
    RequestEvent,
    RequestState,
    next_approval_state,
)
from app.approvals.model import RequestRecord, RequestView, TreatmentRecord
from app.approvals.office import Office
from app.approvals.permissions import Action, check_acts_for
from app.approvals.submitting import revised_case
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
    expected_version: int,
) -> RequestView:
    """Correct answers of a decided request and decide it again under its original version.

    `entered_in_error` names answers that should never have been given; they become unanswered.
    If an approved request would no longer be approved, its approval goes under query and the
    commissioner resolves it. Earlier answers and decisions stay on record.
    """
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.CORRECT, request.provider)
    store.check_version(request.version, expected_version)
    if request.kind not in (Kind.INITIATION, Kind.CONTINUATION):
        raise DetailsNotAccepted(
            "answers", f"A {request.kind} has no answers to correct. Mark it entered in error."
        )
    treatment = store.find_treatment(work, caller, request.treatment_id)
    person_of(work, treatment)
    changed = {**answers, **dict.fromkeys(entered_in_error)}
    case = revised_case(work, office, treatment, request, changed)
    corrected = replace(request, revision=request.revision + 1)
    add_revision(work, caller, corrected, "corrected", case, reason)
    decision = decide_case(work, office, case, request.commissioner)
    stored = add_policy_decision(work, caller, corrected, treatment.patient_id, decision)
    revision = {"revision": corrected.revision}
    event = RequestEvent.CORRECT
    if request.state is RequestState.APPROVED:
        move(work, caller, treatment, request, event, RequestState.APPROVED, revision, reason)
        if decision.outcome is not Outcome.APPROVED:
            _query(work, caller, treatment, request, f"correction: {decision.outcome}")
    elif request.state is RequestState.DECLINED:
        # A panel has spoken: only a panel can say otherwise.
        to = (
            RequestState.REFERRED
            if decision.outcome in (Outcome.APPROVED, Outcome.REFERRED)
            else RequestState.DECLINED
        )
        move(work, caller, treatment, request, event, to, revision, reason)
    else:
        conclude(work, caller, treatment, request, event, case.version, stored, revision)
    return request_view(work, caller, request_id)


def enter_in_error(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int
) -> RequestView:
    """Mark a whole request as entered in error; its approval goes under query until resolved."""
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.CORRECT, request.provider)
    store.check_version(request.version, expected_version)
    treatment = store.find_treatment(work, caller, request.treatment_id)
    person_of(work, treatment)
    move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.ENTER_IN_ERROR,
        RequestState.ENTERED_IN_ERROR,
        reason=reason,
    )
    _query(work, caller, treatment, request, "entered in error")
    return request_view(work, caller, request_id)


def _query(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    why: str,
) -> None:
    """Put the approval that rests on the request under query, if there is one."""
    approval = store.approval_of_request(work, request.id)
    if approval is None:
        return
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
