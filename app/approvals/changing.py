"""Requests that change a running treatment: switch, dose change, transfer, pause, resume, stop.

The approval's terms decide a switch and a dose change; a transfer needs the consent of both
providers; a pause, a resumption and a stop are recorded and never refused.
"""

from dataclasses import replace

from app.approvals import issuing, store
from app.approvals.answering import carry_forward, context_of, read_answers
from app.approvals.deaths import check_decided_in_life
from app.approvals.deciding import (
    Case,
    add_decision,
    add_policy_decision,
    add_revision,
    conclude,
    hold,
    move,
    person_of,
)
from app.approvals.details import check_details, details_to_json
from app.approvals.downtime import check_paper
from app.approvals.emergency import check_emergency
from app.approvals.errors import DetailsNotAccepted, RequestAlreadyOpen, TransitionNotAllowed
from app.approvals.lifecycle import RequestEvent, RequestState
from app.approvals.model import (
    FollowUpCommand,
    RequestRecord,
    RequestView,
    Route,
    TreatmentRecord,
)
from app.approvals.office import Office, adopted, no_authority
from app.approvals.opening import check_days, new_request
from app.approvals.permissions import Action, check_acts_for
from app.approvals.recording import pause, resume, stop
from app.approvals.standing import phase_clock
from app.approvals.submitting import earlier_revisions
from app.approvals.terms import check_change_day, decide_change, with_its_end
from app.approvals.terms import decide_dose as decide_dose
from app.approvals.terms import decide_switch as decide_switch
from app.approvals.terms import interval_days as interval_days
from app.approvals.views import request_view
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, Outcome, decide


def submit_change(
    work: Work, office: Office, caller: Caller, command: FollowUpCommand
) -> RequestView:
    """Submit a switch, dose change, transfer, pause, resume or stop on a treatment."""
    treatment = hold(work, caller, command.treatment_id)
    check_acts_for(caller, Action.SUBMIT, treatment.provider)
    person = person_of(work, treatment)
    today = work.moment.day
    check_days(command.decision_to_treat, None, today)
    if command.kind in (Kind.SWITCH, Kind.DOSE_CHANGE, Kind.TRANSFER):
        check_decided_in_life(work, person, command.decision_to_treat)
    version = office.library_at(work).deciding(
        treatment.policy, command.kind, command.decision_to_treat, treatment.commissioner
    )
    if command.kind is Kind.DOSE_CHANGE:
        command = replace(command, details=with_its_end(version, command.details))
    check_details(command.details, command.kind, version, today)
    if command.route is not Route.POLICY:
        raise DetailsNotAccepted(
            "route", f"A {command.kind} is not asked for outside the policy. Leave the route out."
        )
    reason = command.retrospective_reason
    check_emergency(command.details, command.kind, reason, None, work.moment.instant)
    check_paper(command.details, command.kind, command.decision_to_treat, work.moment.instant, 0)
    check_change_day(version, command.kind, command.details, reason, today)
    _check_changeable(work, treatment, command)
    if command.overrides:
        raise DetailsNotAccepted(
            "overrides", f"A {command.kind} has no criteria to override. Leave them out."
        )
    answered = command.kind is Kind.STOP
    if command.answers and not answered:
        raise DetailsNotAccepted("answers", f"A {command.kind} asks no questions. Leave them out.")
    answers = (
        read_answers(
            version,
            Kind.STOP,
            carry_forward(version, Kind.STOP, command.answers, earlier_revisions(work, treatment)),
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
        retrospective_reason=reason,
        details=details_to_json(command.details),
        counterparty=command.details.to_provider,
    )
    context = context_of(person, command.decision_to_treat, treatment.first_dose)
    case = Case(version, command.kind, answers, context, Route.POLICY, command.details)
    add_revision(work, caller, request, "submitted", case, None)
    if command.kind in (Kind.SWITCH, Kind.DOSE_CHANGE):
        _decide(work, office, caller, treatment, request, case)
    elif command.kind is Kind.TRANSFER:
        move(work, caller, treatment, request, RequestEvent.SUBMIT, RequestState.AWAITING_CONSENT)
    else:
        _record(work, caller, treatment, request, case)
    return request_view(work, caller, request.id)


def _decide(
    work: Work,
    office: Office,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    case: Case,
) -> None:
    """Decide a switch or a dose change by the terms, as far as the version has authority."""
    clock = phase_clock(work, treatment.id, request.first_dose)
    outcome, reason = decide_change(case.version, case.kind, case.details, clock)
    reasons = [reason]
    if outcome is Outcome.APPROVED and not office.demonstration:
        day = case.context.decision_to_treat
        is_adopted = adopted(work, case.version, request.commissioner, day)
        why = no_authority(is_adopted, case.version.unverified)
        if why is not None:
            outcome = Outcome.REFERRED
            reasons.append(why)
    stored = add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="policy",
        outcome=outcome,
        findings=[],
        missing=[],
        reasons=reasons,
        waived=[],
    )
    conclude(work, caller, treatment, request, RequestEvent.SUBMIT, case.version, stored)


def _record(
    work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord, case: Case
) -> None:
    """Record a pause, a resumption or a stop; nothing about it is decided."""
    if request.kind is Kind.STOP:
        decision = decide(case.version, Kind.STOP, case.answers, case.context)
        add_policy_decision(work, caller, request, treatment.patient_id, decision)
        request = stop(work, caller, treatment, request)
    elif request.kind is Kind.PAUSE:
        pause(work, treatment, request, case.details)
    else:
        resume(work, treatment, request, case.details)
    move(work, caller, treatment, request, RequestEvent.SUBMIT, RequestState.RECORDED)


# --- checks -------------------------------------------------------------------------------------


def _check_changeable(work: Work, treatment: TreatmentRecord, command: FollowUpCommand) -> None:
    if command.kind is Kind.STOP:
        return  # a stop is recorded, never refused
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
