"""The panel overturns an urgent start, and says what that means for doses given.

A plain decline would leave doses that were given before anybody decided without an approval, by
nobody's decision. So the refusal of an urgent start pays for them up to and including a day, or
states that it does not. What it pays for is an approval of these days alone, which is never live:
no continuation builds on it, no list asks to renew it, and another approval of the same request or
patient begins after it.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

from app.approvals import issuing, patients, reference, seconding, store
from app.approvals.coverage import Cover
from app.approvals.deciding import move
from app.approvals.doses_given import (
    OVERTURNED,
    PATTERN,
    DosesGiven,
    given_since,
    is_of_doses_only,
)
from app.approvals.effects import terms_of
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.interests import check_disinterested, open_for_panel
from app.approvals.lifecycle import (
    ApprovalEvent,
    ApprovalState,
    RequestEvent,
    RequestState,
    next_approval_state,
    next_states,
)
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    RequestRecord,
    RequestView,
    SegmentRecord,
    TreatmentRecord,
)
from app.approvals.new_days import new_segment
from app.approvals.office import Office
from app.approvals.paying import add_days, follow_payer
from app.approvals.replaying import version_of_request
from app.approvals.seconding import Ballot
from app.approvals.views import request_view
from app.audit import Event
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.policy import PolicyVersion

Days = tuple[dt.date, dt.date]
#: Of the policy's terms, those of an approval that goes on.
_OF_RUNNING = frozenset(
    {"grace_days", "lasts", "then_lasts", "courses", "barred_with", "supersedes"}
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the panel decides: why, and whether doses given are paid for, up to which day.

    `paid_to` is by default the day of the decision.
    """

    reason: str
    paid: bool
    paid_to: dt.date | None = None


def check_may_decline(request: RequestRecord, today: dt.date) -> None:
    """Raise TransitionNotAllowed where declining must say what it means for doses given."""
    if given_since(request, today) is not None:
        raise TransitionNotAllowed(
            "The request tells of an urgent start: doses were given before it was decided. "
            "Refusing it must say whether they are paid for. Overturn the urgent start instead, "
            "and state that."
        )


def overturn(
    work: Work,
    office: Office,
    caller: Caller,
    request_id: str,
    ruling: Ruling,
    expected_version: int | None,
    declares_no_interest: bool = False,
) -> RequestView:
    """The panel refuses an urgent start, and pays for doses given up to a day or not at all.

    Nothing about it says what becomes of the treatment. Where the policy asks for two members, the
    first one's ruling is kept as a vote, and another's is the same that pays up to the same day.
    Where it overturned this request before, the new ruling stands in the place of the old one.
    Raises TransitionNotAllowed for a request
    without an urgent start, and DetailsNotAccepted for days that it cannot pay for.
    """
    request, treatment = open_for_panel(work, caller, request_id, expected_version)
    interest = check_disinterested(work, caller, request, declares_no_interest)
    next_states(request.state, RequestEvent.PANEL_OVERTURN)
    given = ruled(request, treatment, ruling, work.moment.day)
    library = office.library_at(work)
    version = version_of_request(work, library, request)
    ballot = Ballot(OVERTURNED, ruling.reason, interest, doses_given=given)
    stored = seconding.decide(work, caller, request, treatment, library, version, ballot)
    if stored is None:
        return request_view(work, caller, request_id)
    event, to = RequestEvent.PANEL_OVERTURN, RequestState.DECLINED
    moved = move(work, caller, treatment, request, event, to, reason=ruling.reason)
    rule(work, version, caller, treatment, moved, given, stored.id, Basis.PANEL)
    return request_view(work, caller, request_id)


def rule(
    work: Work,
    version: PolicyVersion,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    given: DosesGiven,
    decision_id: str,
    basis: Basis,
) -> None:
    """Let a refusal's ruling on doses given stand, in the place of an earlier one.

    `basis` is whose refusal it is. DetailsNotAccepted where every day is paid for already.
    """
    _take_out(work, caller, treatment, request, ApprovalEvent.WITHDRAW, "it was decided anew")
    if given.paid:
        _pay(work, version, caller, treatment, request, given, decision_id, basis)


def take_back(
    work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord
) -> None:
    """A request that was an error pays for no dose: the approval of doses given goes with it."""
    why = "the request was entered in error"
    _take_out(work, caller, treatment, request, ApprovalEvent.ENTER_IN_ERROR, why)


def ruled(
    request: RequestRecord, treatment: TreatmentRecord, ruling: Ruling, today: dt.date
) -> DosesGiven:
    """The days that the ruling is about, both included."""
    first = given_since(request, today)
    if first is None:
        raise TransitionNotAllowed(
            "The request tells of no urgent start that an office authorised before the form, so "
            "there is nothing to overturn. Approve it, return it with a question, or decline it."
        )
    if not ruling.paid:
        if ruling.paid_to is not None:
            raise DetailsNotAccepted("paid_to", "Doses that are not paid for have no last day.")
        return DosesGiven(first, today, paid=False)
    stopped = treatment.stopped_on
    last = today if stopped is None else min(today, stopped)
    to_day = last if ruling.paid_to is None else ruling.paid_to
    if not first <= to_day <= last:
        until = "the day of the decision" if last == today else "the day of the recorded stop"
        raise DetailsNotAccepted(
            "paid_to",
            f"Doses given are paid for from {first:%-d %B %Y}, the first of them, to {until}, "
            f"{last:%-d %B %Y}, at most. Give a day between these.",
        )
    return DosesGiven(first, to_day, paid=True)


# --- what is paid for ---------------------------------------------------------------------------


def _pay(
    work: Work,
    version: PolicyVersion,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    given: DosesGiven,
    decision_id: str,
    basis: Basis,
) -> None:
    """Issue the approval of these days alone; it is over as it is issued."""
    free = _not_covered(work, treatment, request, given)
    if not free:
        raise DetailsNotAccepted(
            "doses_given",
            "Every one of these days is covered by another approval already, which pays for them. "
            "Say that this decision does not.",
        )
    late = given.from_day < london_day(request.submitted_at)
    kept = {name: each for name, each in terms_of(version).items() if name not in _OF_RUNNING}
    approval = ApprovalRecord(
        id=work.new_id(),
        reference=reference.mint(work.random_bytes),
        treatment_id=treatment.id,
        request_id=request.id,
        decision_id=decision_id,
        state=ApprovalState.DOSES_GIVEN,
        basis=basis,
        covers_from=free[0][0],
        covers_to=free[-1][1],
        start_by=None,
        late=late,
        retrospective_reason=request.retrospective_reason if late else None,
        terms={**kept, "pattern": PATTERN},
        provider=request.provider,
        commissioner=request.commissioner,
        policy_hash=request.policy_hash,
        legacy_reference=None,
        proved=True,
        issued_at=work.moment.instant,
        version=1,
    )
    told = {"reference": approval.reference, "state": approval.state, **given.to_json()}
    event = _event("doses given are paid for", treatment, approval, None, told)
    store.add(work, tables.approval, approval, caller.actor(), event)
    parts: list[SegmentRecord] = []
    for from_day, to_day in free:
        cover = Cover(from_day, to_day, None, late)
        segment = new_segment(work, treatment, request, approval, cover, None)
        parts += add_days(work, treatment, replace(segment, provider=request.provider))
    treatment = follow_payer(work, caller.actor(), treatment, parts)
    issuing.note_first_dose(work, caller.actor(), treatment, request)


def _not_covered(
    work: Work, treatment: TreatmentRecord, request: RequestRecord, given: DosesGiven
) -> list[Days]:
    """The days of these that no approval of the patient's for this treatment covers: no day twice.

    Those of the provider's other treatments with the drug count too.
    """
    person = patients.patient(work, treatment.patient_id)
    days = Cover(given.from_day, given.to_day, None, late=False)
    free, begins = [], given.from_day
    one_day = dt.timedelta(days=1)
    for segment in issuing.taken(work, person, treatment, days, request.provider):
        if segment.from_day > begins:
            free.append((begins, segment.from_day - one_day))
        if segment.to_day is None:
            return free
        begins = max(begins, segment.to_day + one_day)
    if begins <= given.to_day:
        free.append((begins, given.to_day))
    return free


def _take_out(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    step: ApprovalEvent,
    why: str,
) -> None:
    """Let what this request paid of doses given pay for nothing any more; nothing is erased."""
    for approval in store.approvals_of(work, treatment.id):
        if approval.request_id != request.id or approval.state is not ApprovalState.DOSES_GIVEN:
            continue
        assert is_of_doses_only(approval)
        to = next_approval_state(approval.state, step)
        event = _event(
            "doses given are not paid for",
            treatment,
            approval,
            {"state": approval.state},
            {"state": to, "why": why},
        )
        store.change_approval(work, approval, {"state": to}, caller.actor(), event)
        for segment in store.segments_of(work, treatment.id):
            if segment.approval_id == approval.id:
                store.supersede_segment(work, segment.id, work.moment.instant)


def _event(
    action: str,
    treatment: TreatmentRecord,
    approval: ApprovalRecord,
    before: dict[str, Any] | None,
    after: dict[str, Any],
) -> Event:
    return Event(
        action=action,
        object_type="approval",
        object_id=approval.id,
        treatment_id=treatment.id,
        request_id=approval.request_id,
        patient_id=treatment.patient_id,
        before=before,
        after=after,
        policy_hash=approval.policy_hash,
    )
