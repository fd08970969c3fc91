"""What people decide on a request: pharmacist, panel, commissioner, receiving provider."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from app.approvals import issuing, store
from app.approvals.answering import context_from_json, read_answers
from app.approvals.coverage import Cover
from app.approvals.deciding import add_decision, move, person_of
from app.approvals.effects import take_effect
from app.approvals.errors import DetailsNotAccepted, NotWaivable, TransitionNotAllowed
from app.approvals.lifecycle import (
    ApprovalEvent,
    RequestEvent,
    RequestState,
    next_approval_state,
)
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    RequestRecord,
    RequestView,
    Route,
    TreatmentRecord,
)
from app.approvals.office import Office, wants_pharmacist
from app.approvals.permissions import Action, check_acts_for
from app.approvals.replaying import DECIDED_BY_CRITERIA, version_of
from app.approvals.views import request_view
from app.audit import Event
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.db.work import Work
from app.policy import Finding, Kind, PolicyVersion, Result, Section, decide, decision_to_json


@dataclass(frozen=True, slots=True)
class FundingDecision:
    """A commissioner's own approval outside the policy, with free terms."""

    basis: Basis  # individual funding | group approval
    case_reference: str
    from_day: dt.date
    to_day: dt.date | None
    terms: str
    reason: str
    unit_price_cap: Decimal | None = None
    price_unit: str | None = None
    quantity_cap: Decimal | None = None
    quantity_unit: str | None = None


# --- the trust's pharmacist ---------------------------------------------------------------------


def authorise(
    work: Work, office: Office, caller: Caller, request_id: str, expected_version: int
) -> RequestView:
    """The trust pharmacist authorises: the approval that the decision gave is issued."""
    request, treatment = _open(work, caller, request_id, expected_version)
    check_acts_for(caller, Action.AUTHORISE, request.provider)
    person_of(work, treatment)
    decided = store.decisions_of(work, request_id)[-1]
    basis = Basis.PANEL if decided.made_by == "panel" else Basis.POLICY
    add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="pharmacist",
        outcome="authorised",
        findings=[],
        missing=[],
        reasons=[],
        waived=[],
    )
    moved = move(work, caller, treatment, request, RequestEvent.AUTHORISE, RequestState.APPROVED)
    version = version_of(work, office.library, request.policy_hash)
    take_effect(work, caller, treatment, moved, version, decided.id, basis)
    return request_view(work, caller, request_id)


def refuse_authorisation(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int
) -> RequestView:
    """The trust pharmacist sends the request back to the clinician with a reason."""
    request, treatment = _open(work, caller, request_id, expected_version)
    check_acts_for(caller, Action.AUTHORISE, request.provider)
    add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="pharmacist",
        outcome="returned",
        findings=[],
        missing=[],
        reasons=[reason],
        waived=[],
        reason=reason,
    )
    move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.REFUSE_AUTHORISATION,
        RequestState.RETURNED,
        reason=reason,
    )
    return request_view(work, caller, request_id)


# --- the panel ----------------------------------------------------------------------------------


def panel_approve(
    work: Work,
    office: Office,
    caller: Caller,
    request_id: str,
    reason: str,
    waived: frozenset[str],
    expected_version: int,
) -> RequestView:
    """The panel approves a referred request, waiving named criteria that the policy lets it waive.

    Raises NotWaivable for any other criterion, and when one that failed for good is not waived.
    Coverage counts from the day of the panel's decision, unless the treatment was urgent for a
    reason that the policy permits.
    """
    request, treatment = _open(work, caller, request_id, expected_version)
    _check_panel(caller, request)
    person_of(work, treatment)
    version = version_of(work, office.library, request.policy_hash)
    findings = _with_waivers(work, version, request, waived)
    stored = add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="panel",
        outcome="approved",
        findings=findings,
        missing=[],
        reasons=[reason],
        waived=sorted(waived),
        reason=reason,
    )
    to = (
        RequestState.AWAITING_AUTHORISATION
        if wants_pharmacist(work, request.provider, work.moment.day)
        else RequestState.APPROVED
    )
    moved = move(work, caller, treatment, request, RequestEvent.PANEL_APPROVE, to, reason=reason)
    if to is RequestState.APPROVED:
        day = work.moment.day
        take_effect(work, caller, treatment, moved, version, stored.id, Basis.PANEL, day)
    return request_view(work, caller, request_id)


def panel_decline(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int
) -> RequestView:
    """The panel declines a referred request. Nothing about it stops a running treatment."""
    return _panel_answer(
        work,
        caller,
        request_id,
        reason,
        expected_version,
        RequestEvent.PANEL_DECLINE,
        RequestState.DECLINED,
    )


def panel_return(
    work: Work, caller: Caller, request_id: str, question: str, expected_version: int
) -> RequestView:
    """The panel returns a referred request to the clinician with a question."""
    return _panel_answer(
        work,
        caller,
        request_id,
        question,
        expected_version,
        RequestEvent.PANEL_RETURN,
        RequestState.RETURNED,
    )


def _panel_answer(
    work: Work,
    caller: Caller,
    request_id: str,
    reason: str,
    expected_version: int,
    event: RequestEvent,
    to: RequestState,
) -> RequestView:
    request, treatment = _open(work, caller, request_id, expected_version)
    _check_panel(caller, request)
    add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="panel",
        outcome=to.value,
        findings=[],
        missing=[],
        reasons=[reason],
        waived=[],
        reason=reason,
    )
    move(work, caller, treatment, request, event, to, reason=reason)
    return request_view(work, caller, request_id)


def _check_panel(caller: Caller, request: RequestRecord) -> None:
    """A panel member of the request's panel decides; without a panel, its commissioner."""
    if request.route is not Route.POLICY:
        raise TransitionNotAllowed(
            f"The request asks for {request.route}. The commissioner records its decision on that."
        )
    decider = request.panel or request.commissioner
    check_acts_for(caller, Action.DECIDE_AS_PANEL, decider)
    expected = Role.PANEL_MEMBER if request.panel else Role.COMMISSIONER
    if caller.role is not expected:
        raise NotAllowed(
            Action.DECIDE_AS_PANEL.value,
            f"this request waits for a {expected}",
            "Ask the panel or the commissioner that the request names.",
        )


def _with_waivers(
    work: Work, version: PolicyVersion, request: RequestRecord, waived: frozenset[str]
) -> list[object]:
    """The findings with the waivers on record; NotWaivable when they do not fit."""
    if request.kind not in DECIDED_BY_CRITERIA:
        if waived:
            raise NotWaivable(f"A {request.kind} has no criteria to waive.")
        return []
    revision = store.revisions_of(work, request.id)[-1]
    context, read_on = context_from_json(revision.context)
    answers = read_answers(
        version,
        request.kind,
        revision.answers,
        decision_to_treat=context.decision_to_treat,
        today=read_on,
    )
    decision = decide(version, request.kind, answers, context, waived)
    by_id = {finding.criterion: finding for finding in decision.findings}
    for criterion in sorted(waived):
        if criterion not in by_id or not by_id[criterion].waivable:
            raise NotWaivable(f"The policy has no criterion {criterion} that may be waived.")
    hard = [f.criterion for f in decision.findings if _fails(f) and f.criterion not in waived]
    if hard:
        raise NotWaivable(
            f"{', '.join(hard)} failed and is not waived, so the request cannot be approved. "
            "Waive it where the policy allows, decline, or return the request with a question."
        )
    return list(decision_to_json(decision)["findings"])


def _fails(finding: Finding) -> bool:
    failed = Result.MET if finding.section is Section.STOP else Result.NOT_MET
    return finding.result is failed and finding.on_failure == "not met"


# --- the commissioner ---------------------------------------------------------------------------


def record_funding(
    work: Work,
    caller: Caller,
    request_id: str,
    funding: FundingDecision,
    expected_version: int,
) -> RequestView:
    """Record an individual funding or group approval of a request, with its free terms."""
    request, treatment = _open(work, caller, request_id, expected_version)
    check_acts_for(caller, Action.FUND, request.commissioner)
    person_of(work, treatment)
    if request.kind not in (Kind.INITIATION, Kind.CONTINUATION):
        raise TransitionNotAllowed(f"A {request.kind} is not funded by itself.")
    if funding.to_day is not None and funding.to_day < funding.from_day:
        raise DetailsNotAccepted("to_day", "The last covered day is before the first one.")
    stored = add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="commissioner",
        outcome="approved",
        findings=[],
        missing=[],
        reasons=[funding.reason],
        waived=[],
        reason=funding.reason,
    )
    moved = move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.FUND,
        RequestState.APPROVED,
        reason=funding.reason,
    )
    cover = Cover(funding.from_day, funding.to_day, None, late=False)
    issuing.issue(
        work,
        caller.actor(),
        treatment,
        moved,
        cover,
        funding.basis,
        stored.id,
        _free_terms(funding),
    )
    return request_view(work, caller, request_id)


def _free_terms(funding: FundingDecision) -> dict[str, object]:
    def text(amount: Decimal | None) -> str | None:
        return None if amount is None else format(amount, "f")

    return {
        "case_reference": funding.case_reference,
        "terms": funding.terms,
        "unit_price_cap": text(funding.unit_price_cap),
        "price_unit": funding.price_unit,
        "quantity_cap": text(funding.quantity_cap),
        "quantity_unit": funding.quantity_unit,
    }


def resolve_query(
    work: Work,
    caller: Caller,
    reference: str,
    resolution: ApprovalEvent,
    reason: str,
    expected_version: int,
) -> ApprovalRecord:
    """The commissioner upholds an approval under query, withdraws it, or confirms the error.

    A withdrawn approval covers nothing; its segments are superseded, never deleted.
    """
    approval = store.find_approval(work, caller, reference, lock=True)
    check_acts_for(caller, Action.RESOLVE_QUERY, approval.commissioner)
    store.check_version(approval.version, expected_version)
    treatment = store.find_treatment(work, caller, approval.treatment_id)
    person_of(work, treatment)
    to = next_approval_state(approval.state, resolution)
    if resolution is ApprovalEvent.UPHOLD and treatment.stopped_on is not None:
        to = next_approval_state(to, ApprovalEvent.END)
    changed = store.change_approval(
        work,
        approval,
        {"state": to},
        caller.actor(),
        Event(
            action=f"approval: {resolution}",
            object_type="approval",
            object_id=approval.id,
            treatment_id=treatment.id,
            request_id=approval.request_id,
            patient_id=treatment.patient_id,
            before={"state": approval.state},
            after={"state": to, "reason": reason},
            policy_hash=approval.policy_hash,
        ),
    )
    if resolution is not ApprovalEvent.UPHOLD:
        _take_out(work, treatment, approval)
    return changed


def _take_out(work: Work, treatment: TreatmentRecord, approval: ApprovalRecord) -> None:
    for segment in store.segments_of(work, treatment.id):
        if segment.approval_id == approval.id:
            store.supersede_segment(work, segment.id, work.moment.instant)
    if not issuing.is_live(work, treatment, work.moment.day):
        store.clear_live(work, treatment.id)


# --- the receiving provider ---------------------------------------------------------------------


def consent(
    work: Work, office: Office, caller: Caller, request_id: str, expected_version: int
) -> RequestView:
    """The receiving provider consents to a transfer, and the treatment becomes its own."""
    request, treatment = _open(work, caller, request_id, expected_version)
    check_acts_for(caller, Action.CONSENT, request.counterparty)
    person_of(work, treatment)
    stored = _receiving(work, caller, request, treatment, "approved", None)
    moved = move(work, caller, treatment, request, RequestEvent.CONSENT, RequestState.APPROVED)
    version = version_of(work, office.library, request.policy_hash)
    take_effect(work, caller, treatment, moved, version, stored, Basis.POLICY)
    return request_view(work, caller, request_id)


def refuse_consent(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int
) -> RequestView:
    """The receiving provider refuses a transfer; the treatment stays where it is."""
    request, treatment = _open(work, caller, request_id, expected_version)
    check_acts_for(caller, Action.CONSENT, request.counterparty)
    _receiving(work, caller, request, treatment, "declined", reason)
    move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.REFUSE_CONSENT,
        RequestState.DECLINED,
        reason=reason,
    )
    return request_view(work, caller, request_id)


def _receiving(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    treatment: TreatmentRecord,
    outcome: str,
    reason: str | None,
) -> str:
    return add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="receiving provider",
        outcome=outcome,
        findings=[],
        missing=[],
        reasons=[reason] if reason else [],
        waived=[],
        reason=reason,
    ).id


def _open(
    work: Work, caller: Caller, request_id: str, expected_version: int
) -> tuple[RequestRecord, TreatmentRecord]:
    request = store.find_request(work, caller, request_id, lock=True)
    store.check_version(request.version, expected_version)
    return request, store.find_treatment(work, caller, request.treatment_id)
