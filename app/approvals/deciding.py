"""A request's decision and the state it comes to; storing both with the answers decided on."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.approvals import added, patients, store
from app.approvals.answering import answers_to_json, context_to_json
from app.approvals.changed_answers import note_changed_answers
from app.approvals.effects import take_effect
from app.approvals.lifecycle import RequestEvent, RequestState, check_transition
from app.approvals.model import (
    Basis,
    DecisionRecord,
    Interest,
    OverrideGiven,
    OverrideRecord,
    PatientRecord,
    RequestDetails,
    RequestRecord,
    RevisionRecord,
    Route,
    TreatmentRecord,
)
from app.approvals.notices import notices_today
from app.approvals.office import (
    Office,
    adopted,
    limit_authority,
    panel_of,
    remember_version,
    wants_pharmacist,
)
from app.approvals.overriding import add_overrides, for_audit, for_policy
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.terms import dose_to_refer
from app.audit import Event
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.policy import (
    Answer,
    Context,
    Kind,
    Outcome,
    PolicyDecision,
    PolicyVersion,
    answer_by,
    decide,
    decision_to_json,
)
from app.policy.notices import notice_to_json, suspend

#: Where a policy's decision takes a request, before the trust's own steps.
STATE_OF = {
    Outcome.MORE_INFORMATION_NEEDED: RequestState.MORE_INFORMATION_NEEDED,
    Outcome.CRITERIA_NOT_MET: RequestState.CRITERIA_NOT_MET,
    Outcome.REFERRED: RequestState.REFERRED,
    Outcome.APPROVED: RequestState.APPROVED,
}


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a policy's decision on a request rests on."""

    version: PolicyVersion
    kind: Kind
    answers: Mapping[str, Answer]
    context: Context
    route: Route
    details: RequestDetails = field(default_factory=RequestDetails)
    overrides: tuple[OverrideGiven, ...] = ()
    asked_on: dt.date | None = None  # the decision to treat, where the criteria look at another day
    for_people: tuple[str, ...] = ()  # why people decide it, whatever the criteria say
    runs_already: bool = False  # approved before: a safety notice does not touch it


def decide_case(
    work: Work,
    office: Office,
    case: Case,
    commissioner: str,
    waived: frozenset[str] = frozenset(),
) -> PolicyDecision:
    """The decision that the policy version gives, as far as it has authority to decide.

    Safety notices of today suspend a new start, whatever day its treatment was decided on.
    """
    decision = _by_criteria(work, office, case, commissioner, waived)
    if case.kind is not Kind.INITIATION or case.runs_already:
        return decision
    notices = notices_today(work, office.library_at(work), case.version, case.context.first_dose)
    return suspend(decision, notices, may_refuse=case.route is Route.POLICY)


def judge(case: Case, waived: frozenset[str] = frozenset()) -> PolicyDecision:
    """What the text alone says of a case: criteria, route, dose and what is for people. Pure.

    Neither adoption nor safety notices are in it.
    """
    overrides = for_policy(case.overrides)
    decision = decide(case.version, case.kind, case.answers, case.context, waived, overrides)
    if case.route is not Route.POLICY:
        why = f"The request asks for {case.route}: the commissioner decides, not the policy."
        return replace(decision, outcome=Outcome.REFERRED, reasons=(*decision.reasons, why))
    dose = dose_to_refer(case.version, case.details, case.context)
    why_people = (*case.for_people, *((dose,) if dose else ()))
    if decision.outcome is Outcome.APPROVED and why_people:
        reasons = (*decision.reasons, *why_people)
        return replace(decision, outcome=Outcome.REFERRED, reasons=reasons)
    return decision


def _by_criteria(
    work: Work, office: Office, case: Case, commissioner: str, waived: frozenset[str]
) -> PolicyDecision:
    decision = judge(case, waived)
    if office.demonstration:
        return decision
    day = case.asked_on or case.context.decision_to_treat
    is_adopted = adopted(work, case.version, commissioner, day)
    return limit_authority(decision, is_adopted, case.version.unverified)


def add_decision(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    patient_id: str,
    made_by: str,
    outcome: str,
    findings: Any,
    missing: list[str],
    reasons: list[str],
    waived: list[str],
    reason: str | None = None,
    interest: Interest | None = None,
    overridden: list[str] | None = None,
    notices: list[dict[str, Any]] | None = None,
    audited: Mapping[str, Any] | None = None,
    agreed_with: str | None = None,
    doses_given: dict[str, Any] | None = None,
) -> DecisionRecord:
    """Store one decision on a request, numbered, with its audit event.

    `overridden` are the criteria that it relied on a clinician's override for; `audited` is what
    the event says beside the decision's own; `agreed_with` is the first of two who agreed, and
    `doses_given` what it says of those before it.
    """
    is_first = request.state is RequestState.NEW  # it leaves that state with its first decision
    number = 1 if is_first else len(store.decisions_of(work, request.id)) + 1
    decision = DecisionRecord(
        id=work.new_id(),
        request_id=request.id,
        number=number,
        revision=request.revision,
        made_by=made_by,
        outcome=outcome,
        findings=findings,
        missing=missing,
        reasons=reasons,
        waived=waived,
        overridden=overridden or [],
        notices=notices,
        policy_hash=request.policy_hash,
        overlay_hash=request.overlay_hash,
        decided_at=work.moment.instant,
        decided_by=None if made_by == "policy" else caller.id,
        reason=reason,
        interest=interest,
        agreed_with=agreed_with,
        doses_given=doses_given,
    )
    together = {} if agreed_with is None else {"agreed_with": agreed_with}
    event = Event(
        action=f"decision: {outcome}",
        object_type="request",
        object_id=request.id,
        treatment_id=request.treatment_id,
        request_id=request.id,
        patient_id=patient_id,
        after={
            "made_by": made_by,
            "number": number,
            "waived": waived,
            "reason": reason,
            "interest": interest,
            **together,
            **(audited or {}),
        },
        policy_hash=request.policy_hash,
    )
    store.add(work, tables.decision, decision, caller.actor(), event)
    work.happened.append(("decision", str(request.kind), outcome, made_by))
    return decision


def add_policy_decision(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    patient_id: str,
    decision: PolicyDecision,
) -> DecisionRecord:
    """Store the policy's decision with its tree of findings."""
    plain = decision_to_json(decision)
    return add_decision(
        work,
        caller,
        request,
        patient_id,
        made_by="policy",
        outcome=decision.outcome,
        findings=plain["findings"],
        missing=list(decision.missing),
        reasons=list(decision.reasons),
        waived=list(decision.waived),
        overridden=list(decision.overridden),
        notices=[notice_to_json(each) for each in decision.notices] or None,
        audited={"overrides": told} if (told := for_audit(decision)) else None,
    )


def decide_and_store(
    work: Work,
    office: Office,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    case: Case,
    why: str,
    note: str | None = None,
) -> DecisionRecord:
    """Store what a request is decided on as its revision, decide it, and store the decision."""
    add_revision(work, caller, request, why, case, note)
    return decide_revision(work, office, caller, treatment, request, case)[0]


def decide_revision(
    work: Work,
    office: Office,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    case: Case,
) -> tuple[DecisionRecord, tuple[OverrideRecord, ...]]:
    """Decide a request on its stored revision, and store the decision and its overrides."""
    decision = decide_case(work, office, case, request.commissioner)
    overrides = add_overrides(work, caller, request, case.overrides, decision)
    stored = add_policy_decision(work, caller, request, treatment.patient_id, decision)
    if added.of_treatment(work, treatment.id) is None:  # a new one was never refused before
        note_changed_answers(work, caller, treatment, request, case.answers, stored)
    return stored, overrides


def add_revision(
    work: Work, caller: Caller, request: RequestRecord, why: str, case: Case, note: str | None
) -> RevisionRecord:
    """Store the answers and the context exactly as they are decided on."""
    revision = RevisionRecord(
        request_id=request.id,
        revision=request.revision,
        why=why,
        answers=answers_to_json(case.answers),
        context=context_to_json(case.context, work.moment.day),
        made_at=work.moment.instant,
        made_by=caller.id,
        note=note,
    )
    remember_version(work, case.version)
    store.add(work, tables.request_revision, revision, None, None)
    return revision


def state_after(
    work: Work, request: RequestRecord, event: RequestEvent, outcome: Outcome
) -> RequestState:
    """The state that a policy's decision brings a request to, the trust's own step included."""
    to = STATE_OF[outcome]
    if to is RequestState.APPROVED and wants_pharmacist(work, request.provider, work.moment.day):
        to = RequestState.AWAITING_AUTHORISATION
    return check_transition(request.state, event, to)


def conclude(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    event: RequestEvent,
    version: PolicyVersion,
    decision: DecisionRecord,
    changes: Mapping[str, Any] | None = None,
) -> RequestRecord:
    """Move a decided request to its state; where that is *approved*, issue the approval."""
    to = state_after(work, request, event, Outcome(decision.outcome))
    panel = request.panel
    if to is RequestState.REFERRED and request.route is Route.POLICY:
        panel = panel_of(work, request.commissioner, request.policy, work.moment.day)
    told = {"panel": panel, "answer_by": _answer_by(version, decision)}
    moved = move(work, caller, treatment, request, event, to, {**(changes or {}), **told})
    if to is RequestState.APPROVED:
        decided_on = london_day(decision.decided_at)
        take_effect(work, caller, treatment, moved, version, decision.id, Basis.POLICY, decided_on)
    return moved


def _answer_by(version: PolicyVersion, decision: DecisionRecord) -> dt.date | None:
    """By when the panel answers what this decision of the policy refers; None: no day is set."""
    if decision.made_by != "policy" or decision.outcome != Outcome.REFERRED:
        return None
    return answer_by(version.panel, london_day(decision.decided_at))


def move(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    event: RequestEvent,
    to: RequestState,
    changes: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> RequestRecord:
    """Take one step of the lifecycle, with its audit event."""
    check_transition(request.state, event, to)
    logged = Event(
        action=f"request: {event}",
        object_type="request",
        object_id=request.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        before={"state": request.state},
        after={"state": to, "reason": reason},
        policy_hash=request.policy_hash,
    )
    return store.change_request(
        work, request, {**(changes or {}), "state": to}, caller.actor(), logged
    )


def person_of(work: Work, treatment: TreatmentRecord) -> PatientRecord:
    """The patient of a treatment, locked until the transaction ends."""
    return patients.lock_person(work, patients.patient(work, treatment.patient_id))


def hold(work: Work, caller: Caller, treatment_id: str) -> TreatmentRecord:
    """The treatment, with its patient locked: read after the wait, so that it is not stale.

    Every use case locks in the same order (request, person, treatment, approval), so that two of
    them wait for each other instead of failing.
    """
    person_of(work, store.find_treatment(work, caller, treatment_id))
    return store.find_treatment(work, caller, treatment_id, lock=True)


def open_request(
    work: Work,
    caller: Caller,
    action: Action,
    request_id: str,
    expected_version: int | None,
    whose: Callable[[RequestRecord], str | None],
) -> tuple[RequestRecord, TreatmentRecord]:
    """A request that the caller read in this version, with its treatment, both held.

    Asked in this order, so that nobody learns of an object what they may not: the role, the
    object, whether the step is the caller's organisation's (`whose`), the version.
    """
    check_can(caller, action)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, action, whose(request))
    store.check_version(request.version, expected_version)
    # Whoever is asked decides, also where the treatment was handed to another payer since.
    person_of(work, store.treatment_of(work, request.treatment_id))
    return request, store.treatment_of(work, request.treatment_id, lock=True)


def add_opinion(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    treatment: TreatmentRecord,
    made_by: str,
    outcome: str,
    reason: str | None,
    interest: Interest | None = None,
) -> DecisionRecord:
    """Store what somebody decided on a request without going through its criteria."""
    return add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by=made_by,
        outcome=outcome,
        findings=[],
        missing=[],
        reasons=[reason] if reason else [],
        waived=[],
        reason=reason,
        interest=interest,
    )
