"""Recording that an approved treatment started, or that it never did."""

import datetime as dt
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from app.approvals import store
from app.approvals.coverage import restarted_cover
from app.approvals.deciding import hold
from app.approvals.effects import fresh
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.lifecycle import ApprovalEvent, ApprovalState, next_approval_state
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    SegmentRecord,
    TreatmentRecord,
    TreatmentView,
)
from app.approvals.office import Office
from app.approvals.paying import add_days
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.replaying import version_of_approval
from app.approvals.standing import STANDING
from app.approvals.views import treatment_view
from app.audit import Event
from app.auth.model import Caller
from app.db.work import Work


def record_first_dose(
    work: Work,
    office: Office,
    caller: Caller,
    treatment_id: str,
    first_dose: dt.date,
    expected_version: int | None,
) -> TreatmentView:
    """Record the day of the first dose; the first approval's clock then runs from that day.

    For the treatment's provider, and for whoever supplies the drug for it on that day. Raises
    DetailsNotAccepted for a day ahead, or one outside what the approval allows.
    """
    check_can(caller, Action.RECORD_START)
    found = store.find_treatment(work, caller, treatment_id)
    with _reach(work, caller, found):
        treatment = hold(work, caller, treatment_id)
        # A provider that is named as its own supplier records as the provider that it is.
        own = treatment.provider == caller.organisation
        supplied = () if own else _supplied(work, caller, treatment)
        acting = caller.organisation if supplied else treatment.provider
        check_acts_for(caller, Action.RECORD_START, acting)
        approval = _first(work, treatment, expected_version)
        _check_day(work, approval, first_dose)
        _check_supplied(supplied, first_dose)
        _record(work, office, caller, treatment, approval, first_dose)
    return treatment_view(work, caller, treatment_id)


def _reach(work: Work, caller: Caller, found: TreatmentRecord) -> AbstractContextManager[None]:
    """A supplier reaches only its own part, and its step moves the treatment's days as well.

    Whoever comes here has found the treatment within its own scope.
    """
    return nullcontext() if found.provider == caller.organisation else work.beyond_scope()


def _supplied(work: Work, caller: Caller, treatment: TreatmentRecord) -> tuple[SegmentRecord, ...]:
    """What the caller's organisation supplies for the treatment's provider, now or later on."""
    own, today = caller.organisation, work.moment.day
    return tuple(
        s
        for s in store.segments_of(work, treatment.id)
        if own in s.supplying_providers and (s.to_day is None or s.to_day >= today)
    )


def _check_supplied(supplied: tuple[SegmentRecord, ...], first_dose: dt.date) -> None:
    """Raise DetailsNotAccepted where a supplier names a day that is not of its supplies."""
    covering = [s for s in supplied if s.from_day <= first_dose]
    if supplied and not any(s.to_day is None or first_dose <= s.to_day for s in covering):
        raise DetailsNotAccepted(
            "first_dose",
            "Your organisation does not supply the treatment on that day. Ask the provider that "
            "prescribes it to record the dose.",
        )


def _record(
    work: Work,
    office: Office,
    caller: Caller,
    treatment: TreatmentRecord,
    approval: ApprovalRecord,
    first_dose: dt.date,
) -> None:
    event = Event(
        action="first dose recorded",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        request_id=approval.request_id,
        patient_id=treatment.patient_id,
        before={"first_dose": _text(treatment.first_dose)},
        after={"first_dose": first_dose.isoformat()},
    )
    store.change_treatment(work, treatment, {"first_dose": first_dose}, caller.actor(), event)
    if _runs_from_first_dose(work, approval):
        version = version_of_approval(work, office.library_at(work), approval)
        assert version is not None  # a policy or a panel gave it, so a version decided it
        cover = restarted_cover(version.approval, approval.covers_from, first_dose)
        if approval.covers_to != cover.to_day:
            _move_end(work, caller, treatment, approval, cover.to_day)


def _runs_from_first_dose(work: Work, approval: ApprovalRecord) -> bool:
    """Whether the policy's terms set the approval's days, and nothing has followed it yet.

    A commissioner's free terms name their own days, and so does an imported approval.
    """
    by_terms = approval.basis in (Basis.POLICY, Basis.PANEL)
    return by_terms and len(store.approvals_of(work, approval.treatment_id)) == 1


def record_not_started(
    work: Work,
    caller: Caller,
    treatment_id: str,
    reason: str,
    expected_version: int | None,
) -> TreatmentView:
    """Record that the treatment was never started; its approval covers nothing from now on."""
    check_can(caller, Action.RECORD_NOT_STARTED)
    found = store.find_treatment(work, caller, treatment_id)
    check_acts_for(caller, Action.RECORD_NOT_STARTED, found.provider)
    treatment = hold(work, caller, treatment_id)
    check_acts_for(caller, Action.RECORD_NOT_STARTED, treatment.provider)
    approval = _first(work, treatment, expected_version)
    if treatment.first_dose is not None:
        raise TransitionNotAllowed(
            "A first dose is on record, so the treatment did start. Record a stop instead."
        )
    if any(a.state is ApprovalState.DOSES_GIVEN for a in store.approvals_of(work, treatment_id)):
        raise TransitionNotAllowed(
            "The panel paid for doses given, so the treatment did start. Record a stop instead."
        )
    if sum(a.state in STANDING for a in store.approvals_of(work, treatment_id)) > 1:
        raise TransitionNotAllowed(
            "A continuation was approved, so the treatment did start. Record a stop instead."
        )
    to = next_approval_state(approval.state, ApprovalEvent.NOT_STARTED)
    event = Event(
        action="approval: not started",
        object_type="approval",
        object_id=approval.id,
        treatment_id=treatment.id,
        request_id=approval.request_id,
        patient_id=treatment.patient_id,
        before={"state": approval.state},
        after={"state": to, "reason": reason},
    )
    store.change_approval(work, approval, {"state": to}, caller.actor(), event)
    for segment in store.segments_of(work, treatment_id):
        store.supersede_segment(work, segment.id, work.moment.instant)
    store.clear_live(work, treatment_id)
    not_started = Event(
        action="treatment not started",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        request_id=approval.request_id,
        patient_id=treatment.patient_id,
        after={"not_started_on": work.moment.day.isoformat(), "reason": reason},
    )
    changes = {"not_started_on": work.moment.day}
    store.change_treatment(work, treatment, changes, caller.actor(), not_started)
    return treatment_view(work, caller, treatment_id)


def _first(work: Work, treatment: TreatmentRecord, expected_version: int | None) -> ApprovalRecord:
    store.check_version(treatment.version, expected_version)
    standing = [a for a in store.approvals_of(work, treatment.id) if a.state in STANDING]
    if not standing:
        raise TransitionNotAllowed("The treatment has no running approval to start under.")
    return standing[0]


def _check_day(work: Work, approval: ApprovalRecord, first_dose: dt.date) -> None:
    if first_dose > work.moment.day:
        raise DetailsNotAccepted("first_dose", "The first dose lies in the future.")
    if approval.basis is Basis.IMPORTED:
        return  # its days came from the old system, and stay as they came
    if first_dose < approval.covers_from:
        raise DetailsNotAccepted(
            "first_dose",
            "That day is before the approval begins. A dose before the form needs a retrospective "
            "reason on the request: correct the request or ask the commissioner.",
        )
    if approval.start_by is not None and first_dose > approval.start_by:
        raise DetailsNotAccepted(
            "first_dose",
            f"The approval had to be started by {approval.start_by:%-d %B %Y}. Record that it was "
            "not started and send a new initiation, so that the criteria are judged on today's "
            "findings.",
        )


def _move_end(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    approval: ApprovalRecord,
    to_day: dt.date | None,
) -> None:
    """Shift the last covered day of the first approval: segments are replaced."""
    event = Event(
        action="approval: clock started",
        object_type="approval",
        object_id=approval.id,
        treatment_id=treatment.id,
        request_id=approval.request_id,
        patient_id=treatment.patient_id,
        before={"covers_to": _text(approval.covers_to)},
        after={"covers_to": _text(to_day)},
    )
    store.change_approval(work, approval, {"covers_to": to_day}, caller.actor(), event)
    own = [
        s
        for s in store.segments_of(work, treatment.id)
        if s.approval_id == approval.id and s.kind == "coverage"
    ]
    for segment in own:
        is_last = segment is own[-1]
        if not is_last and (to_day is None or (segment.to_day or to_day) <= to_day):
            continue
        store.supersede_segment(work, segment.id, work.moment.instant)
        if to_day is None or segment.from_day <= to_day:
            add_days(work, treatment, fresh(work, replace(segment, to_day=to_day)))


def _text(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None
