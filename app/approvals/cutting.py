"""Cutting coverage short. Segments are never edited: one that is cut is superseded by its parts."""

import datetime as dt
from dataclasses import replace

from app.approvals import store
from app.approvals.lifecycle import ApprovalEvent, next_approval_state
from app.approvals.model import SegmentRecord, TreatmentRecord
from app.approvals.standing import STANDING
from app.audit import Actor, Event
from app.db.work import Work


def fresh(work: Work, segment: SegmentRecord) -> SegmentRecord:
    """A copy of a segment, recorded now and in force."""
    return replace(segment, id=work.new_id(), recorded_at=work.moment.instant, superseded_at=None)


def cut_from(work: Work, treatment_id: str, day: dt.date) -> None:
    """Let a treatment's coverage end the day before; earlier days stand."""
    for segment in store.segments_of(work, treatment_id):
        over = segment.to_day is not None and segment.to_day < day
        if segment.kind != "coverage" or over:
            continue
        store.supersede_segment(work, segment.id, work.moment.instant)
        if segment.from_day < day:
            ended = replace(segment, to_day=day - dt.timedelta(days=1))
            store.add_segment(work, fresh(work, ended))


def end_approvals(
    work: Work, actor: Actor, treatment: TreatmentRecord, request_id: str, why: str, but: str = ""
) -> None:
    """End the treatment's standing approvals, `but` for one; what they covered stays covered."""
    for approval in store.approvals_of(work, treatment.id):
        if approval.state not in STANDING or approval.id == but:
            continue
        to = next_approval_state(approval.state, ApprovalEvent.END)
        event = Event(
            action="approval ended",
            object_type="approval",
            object_id=approval.id,
            treatment_id=treatment.id,
            request_id=request_id,
            patient_id=treatment.patient_id,
            before={"state": approval.state},
            after={"state": to, "why": why},
        )
        store.change_approval(work, approval, {"state": to}, actor, event)


def give_way(
    work: Work, actor: Actor, old: TreatmentRecord, day: dt.date, request_id: str, why: str
) -> None:
    """Let another treatment's approval take over from a day: coverage ends the day before."""
    cut_from(work, old.id, day)
    end_approvals(work, actor, old, request_id, why)
    store.clear_live(work, old.id)
