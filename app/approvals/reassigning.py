"""A commissioner hands the treatments with a drug to another, which pays for them from a day on.

As at a delegation: the approvals stand, and the provider does nothing. Coverage is cut at the day:
its days before stay the old commissioner's, those from the day on are the new one's, which sees no
more of the treatment's past than that.
"""

import datetime as dt
from dataclasses import dataclass, replace

from sqlalchemy import or_, select

from app.approvals import store
from app.approvals.cutting import fresh
from app.approvals.errors import DetailsNotAccepted
from app.approvals.lifecycle import OPEN_STATES
from app.approvals.model import SegmentRecord, TreatmentRecord
from app.approvals.permissions import Action, check_acts_for
from app.audit import Event
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How many treatments went; `waiting` of their requests are not decided, and stay."""

    treatments: int
    waiting: int


def hand_to_payer(
    work: Work, caller: Caller, drug: str, to: str, from_day: dt.date, why: str
) -> HandedOver:
    """Let another commissioner pay for what the caller's pays for of a drug, from a day on.

    Done again it changes nothing. Requests that wait stay with the commissioner that was asked.
    Raises NotAllowed, and DetailsNotAccepted where both are one.
    """
    check_acts_for(caller, Action.KEEP_TERMS, caller.organisation)
    if to == caller.organisation:
        raise DetailsNotAccepted("to", "A commissioner cannot hand treatments to itself.")
    gone = waiting = 0
    for id in _paid_for(work, caller.organisation, drug, from_day):
        treatment = store.treatment_of(work, id)
        _recut(work, treatment, caller.organisation, to, from_day)
        event = Event(
            action="treatment handed to another commissioner",
            object_type="treatment",
            object_id=id,
            treatment_id=id,
            patient_id=treatment.patient_id,
            before={"commissioner": treatment.commissioner},
            after={"commissioner": to, "from_day": from_day.isoformat(), "why": why},
        )
        store.change_treatment(work, treatment, {"commissioner": to}, caller.actor(), event)
        gone += 1
        waiting += sum(
            request.state in OPEN_STATES and request.commissioner == caller.organisation
            for request in store.all_requests_of(work, id)
        )
    return HandedOver(gone, waiting)


def _paid_for(work: Work, own: str, drug: str, day: dt.date) -> tuple[str, ...]:
    """Treatments with coverage that the commissioner pays for on the day or later; held.

    One that went over before may have such again: a request that waited then and was approved.
    """
    treatment, segment = tables.treatment.c, tables.segment.c
    reaching = select(segment.treatment_id).where(
        segment.commissioner == own,
        segment.superseded_at.is_(None),
        or_(segment.to_day.is_(None), segment.to_day >= day),
    )
    query = (
        select(treatment.id)
        .where(treatment.drug == drug, treatment.id.in_(reaching))
        .order_by(treatment.id)
        .with_for_update()  # SQLite has one writer and ignores this
    )
    return tuple(work.connection.execute(query).scalars())


def _recut(work: Work, treatment: TreatmentRecord, own: str, to: str, day: dt.date) -> None:
    for segment in store.segments_of(work, treatment.id):
        over = segment.to_day is not None and segment.to_day < day
        if over or segment.commissioner != own:
            continue
        store.supersede_segment(work, segment.id, work.moment.instant)
        for part in _parts(segment, to, day):
            store.add_segment(work, fresh(work, part))


def _parts(segment: SegmentRecord, to: str, day: dt.date) -> tuple[SegmentRecord, ...]:
    after = replace(segment, commissioner=to, from_day=max(day, segment.from_day))
    if segment.from_day >= day:
        return (after,)
    return (replace(segment, to_day=day - dt.timedelta(days=1)), after)
