"""Requests that change a running treatment: switch, dose change, transfer, pause, resume, stop.

The approval's terms decide a switch and a dose change; a transfer needs the consent of both
providers; a pause, a resumption and a stop are recorded and never refused.
"""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.approvals import issuing, store
from app.approvals.answering import context_of, read_answers
from app.approvals.deciding import (
    Case,
    add_decision,
    add_policy_decision,
    add_revision,
    conclude,
    move,
    person_of,
)
from app.approvals.details import check_details, details_to_json
from app.approvals.effects import change_from
from app.approvals.errors import DetailsNotAccepted, RequestAlreadyOpen, TransitionNotAllowed
from app.approvals.lifecycle import (
    ApprovalEvent,
    ApprovalState,
    RequestEvent,
    RequestState,
    next_approval_state,
)
from app.approvals.model import (
    FollowUpCommand,
    FundingOrigin,
    RequestDetails,
    RequestRecord,
    RequestView,
    Route,
    SegmentRecord,
    TreatmentRecord,
)
from app.approvals.office import Office
from app.approvals.opening import check_days, new_request
from app.approvals.permissions import Action, check_acts_for
from app.approvals.views import request_view
from app.audit import Event
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, Outcome, PolicyVersion, decide

RECORDED_KINDS = frozenset({Kind.PAUSE, Kind.RESUME, Kind.STOP})


def submit_change(
    work: Work, office: Office, caller: Caller, command: FollowUpCommand
) -> RequestView:
    """Submit a switch, dose change, transfer, pause, resume or stop on a treatment."""
    treatment = store.find_treatment(work, caller, command.treatment_id, lock=True)
    check_acts_for(caller, Action.SUBMIT, treatment.provider)
    person = person_of(work, treatment)
    today = work.moment.day
    check_days(command.decision_to_treat, None, today)
    version = office.library.deciding(treatment.policy, command.kind, command.decision_to_treat)
    check_details(command.details, command.kind, version, today)
    _check_changeable(work, treatment, command)
    answered = command.kind is Kind.STOP
    if command.answers and not answered:
        raise DetailsNotAccepted("answers", f"A {command.kind} asks no questions. Leave them out.")
    answers = (
        read_answers(
            version,
            Kind.STOP,
            command.answers,
            decision_to_treat=command.decision_to_treat,
            today=today,
        )
        if answered
        else {}
    )
    request = new_request(
        work,
        caller,
        treatment,
        version,
        kind=command.kind,
        route=Route.POLICY,
        decision_to_treat=command.decision_to_treat,
        first_dose=treatment.first_dose,
        retrospective_reason=None,
        details=details_to_json(command.details),
        counterparty=command.details.to_provider,
    )
    context = context_of(person, command.decision_to_treat, treatment.first_dose)
    case = Case(version, command.kind, answers, context, Route.POLICY)
    add_revision(work, caller, request, "submitted", case, None)
    _carry_out(work, caller, treatment, request, case, command.details)
    return request_view(work, caller, request.id)


def _carry_out(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    case: Case,
    details: RequestDetails,
) -> None:
    if request.kind is Kind.STOP:
        decision = decide(case.version, Kind.STOP, case.answers, case.context)
        add_policy_decision(work, caller, request, treatment.patient_id, decision)
        _stop(work, caller, treatment, request)
    elif request.kind is Kind.PAUSE:
        _pause(work, treatment, request, details)
    elif request.kind is Kind.RESUME:
        _resume(work, treatment, request, details)
    if request.kind in RECORDED_KINDS:
        move(work, caller, treatment, request, RequestEvent.SUBMIT, RequestState.RECORDED)
    elif request.kind is Kind.TRANSFER:
        move(work, caller, treatment, request, RequestEvent.SUBMIT, RequestState.AWAITING_CONSENT)
    else:
        outcome, reason = (
            decide_switch(case.version, details)
            if request.kind is Kind.SWITCH
            else decide_dose(case.version, details)
        )
        stored = add_decision(
            work,
            caller,
            request,
            treatment.patient_id,
            made_by="policy",
            outcome=outcome,
            findings=[],
            missing=[],
            reasons=[reason],
            waived=[],
        )
        conclude(work, caller, treatment, request, RequestEvent.SUBMIT, case.version, stored)


# --- decided by the approval's terms (pure) -----------------------------------------------------


def decide_switch(version: PolicyVersion, details: RequestDetails) -> tuple[Outcome, str]:
    """Approved between products that the policy funds; anything else is referred."""
    terms = version.approval
    if terms.products and details.product not in terms.products:
        return Outcome.REFERRED, "The policy does not list that product, so the panel decides."
    if terms.interchangeable:
        return Outcome.APPROVED, "The policy calls its products interchangeable."
    if terms.products:
        return Outcome.APPROVED, "The policy funds both products."
    return Outcome.REFERRED, "The policy names no products, so the panel decides."


def decide_dose(version: PolicyVersion, details: RequestDetails) -> tuple[Outcome, str]:
    """Approved up to the policy's largest dose in its own unit; otherwise referred."""
    limit = version.approval.max_dose
    dose = details.dose
    if dose is None:
        raise DetailsNotAccepted("details.dose", "A dose change needs the new dose. Give it.")
    if limit is None:
        return Outcome.REFERRED, "The policy states no largest dose, so the panel decides."
    if dose.unit != limit.unit:
        return (
            Outcome.REFERRED,
            f"The policy's largest dose is in {limit.unit}; the two cannot be compared.",
        )
    if dose.amount > limit.amount:
        return (
            Outcome.REFERRED,
            f"The dose is above the policy's {limit.amount} {limit.unit} per {limit.per}.",
        )
    days = interval_days(limit.per)
    if days is None or dose.every_days is None:
        return (
            Outcome.REFERRED,
            f"Whether the dose keeps to {limit.amount} {limit.unit} per {limit.per} cannot be "
            "told without its interval.",
        )
    if dose.amount * days > limit.amount * dose.every_days:
        return (
            Outcome.REFERRED,
            f"Given that often, the dose is above {limit.amount} {limit.unit} per {limit.per}.",
        )
    return Outcome.APPROVED, f"Within the policy's {limit.amount} {limit.unit} per {limit.per}."


def interval_days(per: str) -> Decimal | None:
    """The days in a dose limit's interval, e.g. '28 days', '2 weeks', 'day'; None if unclear."""
    words = per.strip().split()
    number, unit = (words[0], words[1]) if len(words) == 2 else ("1", words[0] if words else "")
    size = {"day": 1, "days": 1, "week": 7, "weeks": 7}.get(unit)
    if size is None or not (number.isascii() and number.isdigit()):
        return None
    return Decimal(number) * size


# --- recorded -----------------------------------------------------------------------------------


def _stop(work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord) -> None:
    """End coverage after the stop day, close its approvals, and free the live treatment."""
    day = dt.date.fromisoformat(request.details["from_day"])
    after_stop = replace(
        request,
        details={**request.details, "from_day": (day + dt.timedelta(days=1)).isoformat()},
    )
    change_from(work, treatment, after_stop, None)
    for approval in store.approvals_of(work, treatment.id):
        if approval.state not in (ApprovalState.LIVE, ApprovalState.UNDER_QUERY):
            continue
        to = next_approval_state(approval.state, ApprovalEvent.END)
        event = _approval_event(treatment, request, approval.id, approval.state, to)
        store.change_approval(work, approval, {"state": to}, caller.actor(), event)
    store.clear_live(work, treatment.id)
    stopped = Event(
        action="treatment stopped",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        after={"stopped_on": day.isoformat(), "reason": request.details["stop_reason"]},
    )
    changes = {"stopped_on": day, "stop_reason": request.details["stop_reason"]}
    store.change_treatment(work, treatment, changes, caller.actor(), stopped)


def _pause(
    work: Work, treatment: TreatmentRecord, request: RequestRecord, details: RequestDetails
) -> None:
    if _open_pause(work, treatment) is not None:
        raise TransitionNotAllowed("The treatment is paused already. Resume it first.")
    assert details.from_day is not None
    store.add_segment(
        work,
        _pause_segment(work, treatment, request, details.from_day, details.to_day),
    )


def _resume(
    work: Work, treatment: TreatmentRecord, request: RequestRecord, details: RequestDetails
) -> None:
    pause = _open_pause(work, treatment)
    assert details.from_day is not None
    if pause is None or details.from_day <= pause.from_day:
        raise TransitionNotAllowed(
            "The treatment is not paused before that day, so there is nothing to resume."
        )
    store.supersede_segment(work, pause.id, work.moment.instant)
    last = details.from_day - dt.timedelta(days=1)
    store.add_segment(work, _pause_segment(work, treatment, request, pause.from_day, last))


def _open_pause(work: Work, treatment: TreatmentRecord) -> SegmentRecord | None:
    for segment in store.segments_of(work, treatment.id):
        if segment.kind == "pause" and (
            segment.to_day is None or segment.to_day >= work.moment.day
        ):
            return segment
    return None


def _pause_segment(
    work: Work,
    treatment: TreatmentRecord,
    request: RequestRecord,
    from_day: dt.date,
    to_day: dt.date | None,
) -> SegmentRecord:
    return SegmentRecord(
        id=work.new_id(),
        treatment_id=treatment.id,
        approval_id=None,
        request_id=request.id,
        kind="pause",
        from_day=from_day,
        to_day=to_day,
        provider=treatment.provider,
        supplying_providers=[],
        commissioner=treatment.commissioner,
        product=None,
        route=None,
        dose_amount=None,
        dose_unit=None,
        dose_every_days=None,
        unit_price_cap=None,
        price_unit=None,
        quantity_cap=None,
        quantity_unit=None,
        funding_origin=FundingOrigin.NHS,
        recorded_at=work.moment.instant,
        superseded_at=None,
    )


# --- checks -------------------------------------------------------------------------------------


def _check_changeable(work: Work, treatment: TreatmentRecord, command: FollowUpCommand) -> None:
    if treatment.stopped_on is not None:
        raise TransitionNotAllowed(
            "The treatment was recorded as stopped. Send a new initiation to start it again."
        )
    if command.kind in (Kind.SWITCH, Kind.DOSE_CHANGE, Kind.TRANSFER):
        if not issuing.is_live(work, treatment, work.moment.day):
            raise TransitionNotAllowed(
                f"The treatment has no running approval, so a {command.kind} has nothing to "
                "change. Send a continuation first."
            )
        if store.open_request(work, treatment.id, command.kind) is not None:
            raise RequestAlreadyOpen(f"A {command.kind} of this treatment is still waiting.")
    if command.kind is Kind.TRANSFER and command.details.to_provider == treatment.provider:
        raise DetailsNotAccepted(
            "details.to_provider", "The treatment is at that provider already."
        )


def _approval_event(
    treatment: TreatmentRecord,
    request: RequestRecord,
    approval_id: str,
    before: ApprovalState,
    after: ApprovalState,
) -> Event:
    detail: dict[str, Any] = {"state": after}
    return Event(
        action="approval ended",
        object_type="approval",
        object_id=approval_id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        before={"state": before},
        after=detail,
    )
