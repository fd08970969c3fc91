"""What a recorded stop, pause or resumption does to the treatment, and taking that back.

A stop ends coverage after its day. Entered in error, it is undone: the coverage that it cut comes
back in new segments, and the cut ones stay on record, superseded.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.approvals import issuing, store
from app.approvals.deciding import person_of
from app.approvals.details import details_from_json
from app.approvals.effects import change_from, fresh
from app.approvals.errors import TransitionNotAllowed
from app.approvals.lifecycle import ApprovalEvent, ApprovalState, RequestState, next_approval_state
from app.approvals.model import (
    ApprovalRecord,
    FundingOrigin,
    RequestDetails,
    RequestRecord,
    SegmentRecord,
    TreatmentRecord,
)
from app.approvals.paying import add_days, follow_payer
from app.approvals.standing import STANDING
from app.audit import Actor, Event
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind

#: In a stop's details: the segments that it cut and what it left of them, for taking it back.
CUT = "cut_segments"
NOTHING_CUT: dict[str, list[str]] = {"superseded": [], "added": []}


# --- stop ---------------------------------------------------------------------------------------


def stop(
    work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord
) -> RequestRecord:
    """End coverage after the stop day, close its approvals, and free the live treatment.

    A second stop counts where it is earlier; a later one is on record and changes nothing.
    """
    day = _day(request)
    request = _cut(work, caller, treatment, request)
    for approval in store.approvals_of(work, treatment.id):
        if approval.state in STANDING:
            _step(work, caller, treatment, request, approval, ApprovalEvent.END, "approval ended")
    store.clear_live(work, treatment.id)
    if treatment.stopped_on is None or day < treatment.stopped_on:
        _stopped(work, caller, treatment, request, day, request.details["stop_reason"])
    return request


def _cut(
    work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord
) -> RequestRecord:
    """Cut coverage after the stop day, and keep with the request which segments were cut."""
    after = {**request.details, "from_day": (_day(request) + dt.timedelta(days=1)).isoformat()}
    recut = change_from(work, treatment, replace(request, details=after), None)
    known = request.details.get(CUT, NOTHING_CUT)
    cut = {
        "superseded": [*known["superseded"], *recut.superseded],
        "added": [*known["added"], *recut.added],
    }
    return _keep_cut(work, caller.actor(), treatment, request, cut)


def _keep_cut(
    work: Work,
    actor: Actor,
    treatment: TreatmentRecord,
    request: RequestRecord,
    cut: dict[str, list[str]],
) -> RequestRecord:
    event = Event(
        action="coverage cut by a stop",
        object_type="request",
        object_id=request.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        after={CUT: cut},
    )
    details = {**request.details, CUT: cut}
    return store.change_request(work, request, {"details": details}, actor, event)


def undo_stop(
    work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord
) -> None:
    """Bring back what a stop entered in error cut; other stops of the treatment keep counting.

    Raises AlreadyApproved when another approval has become live since, and TransitionNotAllowed
    when another recorded stop builds on this one.
    """
    cut = request.details.get(CUT, NOTHING_CUT)
    others = _other_stops(work, treatment, request)
    if any(set(cut["added"]) & set(o.details[CUT]["superseded"]) for o in others):
        raise TransitionNotAllowed(
            "Another recorded stop of this treatment builds on this one. Mark that one first."
        )
    back = _bring_back(work, treatment, cut["superseded"], cut["added"])
    instead = {old: [part.id for part in parts] for old, parts in back.items()}
    others = [rename_cut(work, caller.actor(), treatment, other, instead) for other in others]
    first = min(others, key=_day, default=None)
    if first is not None:
        _cut(work, caller, treatment, first)
        day = _day(first)
        if day != treatment.stopped_on:
            why = first.details["stop_reason"]
            treatment = _stopped(work, caller, treatment, request, day, why)
        follow_payer(work, caller.actor(), treatment, _covered(work, treatment))
        return
    for approval in store.approvals_of(work, treatment.id):
        if approval.state in (ApprovalState.ENDED, ApprovalState.UNDER_QUERY):
            event = ApprovalEvent.REINSTATE
            _step(work, caller, treatment, request, approval, event, "approval reinstated")
    if treatment.stopped_on is not None:
        treatment = _stopped(work, caller, treatment, request, None, None)
    treatment = follow_payer(work, caller.actor(), treatment, _covered(work, treatment))
    if issuing.is_live(work, treatment, work.moment.day):
        issuing.claim(work, person_of(work, treatment), treatment)


def _covered(work: Work, treatment: TreatmentRecord) -> list[SegmentRecord]:
    return [s for s in store.segments_of(work, treatment.id) if s.kind == "coverage"]


def rename_cut(
    work: Work,
    actor: Actor,
    treatment: TreatmentRecord,
    stop_request: RequestRecord,
    instead: Mapping[str, Sequence[str]],
) -> RequestRecord:
    """A stop, with what it left named by the segments that now stand for it."""
    cut = stop_request.details.get(CUT, NOTHING_CUT)
    if not set(instead) & set(cut["added"]):
        return stop_request
    added = [new for old in cut["added"] for new in instead.get(old, [old])]
    return _keep_cut(work, actor, treatment, stop_request, {**cut, "added": added})


def _bring_back(
    work: Work, treatment: TreatmentRecord, superseded: list[str], added: list[str]
) -> dict[str, tuple[SegmentRecord, ...]]:
    """Put cut segments back in force as new ones, by who pays for their days now; which for which.

    What they had been cut into may have been handed to another commissioner since.
    """
    back: dict[str, tuple[SegmentRecord, ...]] = {}
    open_to = {
        approval.id
        for approval in store.approvals_of(work, treatment.id)
        if approval.state in (ApprovalState.ENDED, ApprovalState.DOSES_GIVEN, *STANDING)
    }
    for segment in store.segments_of(work, treatment.id, superseded=True):
        if segment.id in added and segment.superseded_at is None:
            store.supersede_segment(work, segment.id, work.moment.instant)
        if segment.id in superseded and segment.approval_id in open_to:
            back[segment.id] = add_days(work, treatment, fresh(work, segment))
    return back


def _other_stops(
    work: Work, treatment: TreatmentRecord, request: RequestRecord
) -> list[RequestRecord]:
    return [
        other
        for other in store.all_requests_of(work, treatment.id)
        if other.kind is Kind.STOP
        and other.state is RequestState.RECORDED
        and other.id != request.id
    ]


def _stopped(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    day: dt.date | None,
    reason: str | None,
) -> TreatmentRecord:
    event = Event(
        action="treatment stopped" if day else "treatment no longer stopped",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        before={"stopped_on": treatment.stopped_on.isoformat() if treatment.stopped_on else None},
        after={"stopped_on": day.isoformat() if day else None, "reason": reason},
    )
    changes = {"stopped_on": day, "stop_reason": reason}
    return store.change_treatment(work, treatment, changes, caller.actor(), event)


def _step(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    approval: ApprovalRecord,
    step: ApprovalEvent,
    action: str,
) -> None:
    to = next_approval_state(approval.state, step)
    event = Event(
        action=action,
        object_type="approval",
        object_id=approval.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        before={"state": approval.state},
        after={"state": to},
    )
    store.change_approval(work, approval, {"state": to}, caller.actor(), event)


def _day(request: RequestRecord) -> dt.date:
    return dt.date.fromisoformat(request.details["from_day"])


# --- pause and resumption -----------------------------------------------------------------------


def pause(
    work: Work, treatment: TreatmentRecord, request: RequestRecord, details: RequestDetails
) -> None:
    """Record a pause; it leaves coverage as it is. TransitionNotAllowed while one runs."""
    day = details.from_day or work.moment.day
    for known in _pauses(work, treatment):
        if known.to_day is None or known.to_day >= min(day, work.moment.day):
            raise TransitionNotAllowed("The treatment is paused already. Resume it first.")
    add_days(work, treatment, _pause_segment(work, treatment, request.id, day, details.to_day))


def resume(
    work: Work, treatment: TreatmentRecord, request: RequestRecord, details: RequestDetails
) -> None:
    """End the last pause the day before; also one that ran past its expected end."""
    day = details.from_day or work.moment.day
    found = [s for s in _pauses(work, treatment) if not _is_resumed(work, s)]
    # A pause that two commissioners have a part in is one pause.
    parts = [s for s in found if s.request_id == found[-1].request_id]
    if not parts or day <= parts[0].from_day:
        raise TransitionNotAllowed(
            "The treatment is not paused before that day, so there is nothing to resume."
        )
    for part in parts:
        store.supersede_segment(work, part.id, work.moment.instant)
    last = day - dt.timedelta(days=1)
    ended = _pause_segment(work, treatment, request.id, parts[0].from_day, last)
    add_days(work, treatment, ended)


def undo_pause(work: Work, treatment: TreatmentRecord, request: RequestRecord) -> None:
    """Take a pause entered in error out of force; TransitionNotAllowed once it was resumed."""
    own = [s for s in _pauses(work, treatment) if s.request_id == request.id]
    if not own:
        raise TransitionNotAllowed("The pause was resumed. Mark the resumption first.")
    for segment in own:
        store.supersede_segment(work, segment.id, work.moment.instant)


def undo_resume(work: Work, treatment: TreatmentRecord, request: RequestRecord) -> None:
    """Let the pause run on that a resumption entered in error ended."""
    ended = [s for s in _pauses(work, treatment) if s.request_id == request.id]
    if not ended:
        return
    for segment in ended:
        store.supersede_segment(work, segment.id, work.moment.instant)
    first = ended[0].from_day
    before = {
        s.request_id
        for s in store.segments_of(work, treatment.id, superseded=True)
        if s.kind == "pause" and s.from_day == first and s.request_id != request.id
    }
    paused = _pausing(work, treatment, before)
    to_day = details_from_json(paused.details).to_day
    add_days(work, treatment, _pause_segment(work, treatment, paused.id, first, to_day))


def _pausing(work: Work, treatment: TreatmentRecord, ids: set[str | None]) -> RequestRecord:
    return next(
        r
        for r in reversed(store.all_requests_of(work, treatment.id))
        if r.kind is Kind.PAUSE and r.id in ids and r.state is RequestState.RECORDED
    )


def _pauses(work: Work, treatment: TreatmentRecord) -> list[SegmentRecord]:
    return [s for s in store.segments_of(work, treatment.id) if s.kind == "pause"]


def _is_resumed(work: Work, segment: SegmentRecord) -> bool:
    made_by = next(
        r for r in store.all_requests_of(work, segment.treatment_id) if r.id == segment.request_id
    )
    return made_by.kind is Kind.RESUME


def _pause_segment(
    work: Work,
    treatment: TreatmentRecord,
    request_id: str,
    from_day: dt.date,
    to_day: dt.date | None,
) -> SegmentRecord:
    return SegmentRecord(
        id=work.new_id(),
        treatment_id=treatment.id,
        approval_id=None,
        request_id=request_id,
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
