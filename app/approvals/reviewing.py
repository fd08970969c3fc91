"""What people decide on a request: pharmacist and panel here, the rest named for the doors.

The commissioner's own decisions are in `funding`, the receiving provider's in `consenting`.
"""

from app.approvals import seconding, store
from app.approvals.answering import context_from_json, read_answers
from app.approvals.consenting import consent as consent
from app.approvals.consenting import refuse_consent as refuse_consent
from app.approvals.deciding import add_opinion, move, open_request, person_of
from app.approvals.effects import take_effect
from app.approvals.errors import NotWaivable
from app.approvals.funding import FundingDecision as FundingDecision
from app.approvals.funding import Refusal as Refusal
from app.approvals.funding import record_funding as record_funding
from app.approvals.funding import refuse_funding as refuse_funding
from app.approvals.funding import resolve_query as resolve_query
from app.approvals.interests import check_disinterested, open_for_panel
from app.approvals.interests import declare_interest as declare_interest
from app.approvals.lifecycle import RequestEvent, RequestState, next_states
from app.approvals.model import Basis, RequestRecord, RequestView
from app.approvals.notices import check_may_begin
from app.approvals.office import Office, wants_pharmacist
from app.approvals.overturning import Ruling as Ruling
from app.approvals.overturning import check_may_decline
from app.approvals.overturning import overturn as overturn
from app.approvals.patterns import check_still_alone
from app.approvals.permissions import Action
from app.approvals.replaying import DECIDED_BY_CRITERIA, version_of_request
from app.approvals.seconding import Ballot
from app.approvals.views import request_view
from app.auth.model import Caller
from app.clock import london_day
from app.db.work import Work
from app.policy import (
    Finding,
    Outcome,
    PolicyDecision,
    PolicyVersion,
    Result,
    Section,
    decide,
    decision_to_json,
)

# --- the trust's pharmacist ---------------------------------------------------------------------


def authorise(
    work: Work, office: Office, caller: Caller, request_id: str, expected_version: int | None
) -> RequestView:
    """The trust pharmacist authorises: the approval that the decision gave is issued."""
    request, treatment = open_request(
        work, caller, Action.AUTHORISE, request_id, expected_version, lambda r: r.provider
    )
    # Before its decision is looked at: a transfer or a pause has none.
    next_states(request.state, RequestEvent.AUTHORISE)
    decided = store.decisions_of(work, request_id)[-1]
    basis = Basis.PANEL if decided.made_by == "panel" else Basis.POLICY
    version = version_of_request(work, office.library_at(work), request)
    if basis is Basis.POLICY:  # a panel has weighed what else the patient has
        check_still_alone(work, person_of(work, treatment), version, request)
    decided_on = london_day(decided.decided_at)
    by_panel = decided_on if basis is Basis.PANEL else None
    check_may_begin(work, office.library_at(work), request, version, by_panel)
    add_opinion(work, caller, request, treatment, "pharmacist", "authorised", None)
    moved = move(work, caller, treatment, request, RequestEvent.AUTHORISE, RequestState.APPROVED)
    take_effect(work, caller, treatment, moved, version, decided.id, basis, decided_on)
    return request_view(work, caller, request_id)


def refuse_authorisation(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int | None
) -> RequestView:
    """The trust pharmacist sends the request back to the clinician with a reason."""
    request, treatment = open_request(
        work, caller, Action.AUTHORISE, request_id, expected_version, lambda r: r.provider
    )
    add_opinion(work, caller, request, treatment, "pharmacist", "returned", reason)
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
    expected_version: int | None,
    declares_no_interest: bool = False,
) -> RequestView:
    """The panel approves a referred request, waiving named criteria that the policy lets it waive.

    Raises NotWaivable for any other criterion, and when one that failed for good is not waived.
    Coverage counts from the day of the panel's decision, unless the treatment was urgent for a
    reason that the policy permits. Where the policy asks for two members, the first one's word is
    kept as a vote, see `seconding`.
    """
    request, treatment = open_for_panel(work, caller, request_id, expected_version)
    interest = check_disinterested(work, caller, request, declares_no_interest)
    library = office.library_at(work)
    version = version_of_request(work, library, request)
    check_may_begin(work, library, request, version, work.moment.day)
    findings = _with_waivers(work, version, request, waived)
    ballot = Ballot("approved", reason, interest, waived)
    stored = seconding.decide(work, caller, request, treatment, library, version, ballot, findings)
    if stored is None:
        return request_view(work, caller, request_id)
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
    work: Work,
    office: Office,
    caller: Caller,
    request_id: str,
    reason: str,
    expected_version: int | None,
    declares_no_interest: bool = False,
) -> RequestView:
    """The panel declines a referred request. Nothing about it stops a running treatment.

    Where the policy asks for two members, the first one's word is kept as a vote. Raises
    TransitionNotAllowed for an urgent start: that is overturned, see `overturning`.
    """
    request, treatment = open_for_panel(work, caller, request_id, expected_version)
    interest = check_disinterested(work, caller, request, declares_no_interest)
    next_states(request.state, RequestEvent.PANEL_DECLINE)
    check_may_decline(request, work.moment.day)
    library = office.library_at(work)
    version = version_of_request(work, library, request)
    ballot = Ballot("declined", reason, interest)
    if seconding.decide(work, caller, request, treatment, library, version, ballot) is None:
        return request_view(work, caller, request_id)
    step, to = RequestEvent.PANEL_DECLINE, RequestState.DECLINED
    move(work, caller, treatment, request, step, to, reason=reason)
    return request_view(work, caller, request_id)


def panel_return(
    work: Work,
    caller: Caller,
    request_id: str,
    question: str,
    expected_version: int | None,
    declares_no_interest: bool = False,
) -> RequestView:
    """A member of the panel returns a referred request to the clinician with a question."""
    request, treatment = open_for_panel(work, caller, request_id, expected_version)
    interest = check_disinterested(work, caller, request, declares_no_interest)
    add_opinion(work, caller, request, treatment, "panel", "returned", question, interest)
    step, to = RequestEvent.PANEL_RETURN, RequestState.RETURNED
    move(work, caller, treatment, request, step, to, reason=question)
    return request_view(work, caller, request_id)


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
    overrides = [each.as_given() for each in store.overrides_of(work, request.id, request.revision)]
    found = decide(version, request.kind, answers, context, frozenset(), overrides).findings
    before = {finding.criterion: finding for finding in found}
    for criterion in sorted(waived):
        finding = before.get(criterion)
        if finding is None or not finding.waivable:
            raise NotWaivable(f"The policy has no criterion {criterion} that may be waived.")
        if finding.result is not Result.NOT_ANSWERED and not _fails(finding):
            raise NotWaivable(f"Criterion {criterion} did not fail, so there is nothing to waive.")
    decision = decide(version, request.kind, answers, context, waived, overrides)
    _check_nothing_left(decision, waived)
    return list(decision_to_json(decision)["findings"])


def _check_nothing_left(decision: PolicyDecision, waived: frozenset[str]) -> None:
    """Raise NotWaivable while something that only a waiver, or an answer, could mend is left."""
    hard = [
        f.criterion
        for f in decision.findings
        if _fails(f)
        and f.on_failure == "not met"
        and f.criterion not in waived
        and f.overridden is None
    ]
    if hard:
        raise NotWaivable(
            f"{', '.join(hard)} failed and is not waived, so the request cannot be approved. "
            "Waive it where the policy allows, decline, or return the request with a question."
        )
    if decision.outcome is Outcome.MORE_INFORMATION_NEEDED:
        raise NotWaivable(
            f"These questions are not answered: {', '.join(decision.missing)}. Return the request "
            "with a question, or waive the criteria where the policy allows."
        )
    if decision.outcome is Outcome.CRITERIA_NOT_MET:
        raise NotWaivable(
            "The policy refuses this request whatever its criteria say. Decline it; the "
            "commissioner may record an individual funding approval."
        )


def _fails(finding: Finding) -> bool:
    failed = Result.MET if finding.section is Section.STOP else Result.NOT_MET
    return finding.result is failed
