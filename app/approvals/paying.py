"""Which commissioner pays for which days of a treatment, by the hand-overs of its drug.

A hand-over is a dated fact of a drug (`hand_over`): it holds for every treatment that there was
when it was confirmed, also for days that are only covered, or brought back, afterwards.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from app.approvals import added, store
from app.approvals.cutting import fresh
from app.approvals.model import SegmentRecord, TreatmentRecord
from app.audit import Actor, Event
from app.db.statements import Statement
from app.db.tables import hand_over
from app.db.work import Work
from app.policy import Kind

CONFIRMED: Final = "confirmed"
_A_DAY: Final = dt.timedelta(days=1)
_LOCK: Final = "SELECT pg_advisory_xact_lock{shared}(hashtextextended('hand-over ' || :drug, 0))"
_DECIDING: Final = Statement(sa.text(_LOCK.format(shared="_shared")))
_HANDING: Final = Statement(sa.text(_LOCK.format(shared="")))


@dataclass(frozen=True, slots=True)
class Handed:
    """That one commissioner's days of a drug are another's from a day on."""

    giver: str
    receiver: str
    from_day: dt.date


def payer_on(first: str, handed: Sequence[Handed], day: dt.date) -> str:
    """Who pays for a day: whoever was asked at first, and what they handed on, in that order."""
    payer = first
    for each in handed:
        if each.giver == payer and each.from_day <= day:
            payer = each.receiver
    return payer


def share_days(
    first: str, handed: Sequence[Handed], from_day: dt.date, to_day: dt.date | None
) -> tuple[tuple[dt.date, dt.date | None, str], ...]:
    """The days, without a gap and none twice, by who pays: first day, last day (None: open)."""
    within = {h.from_day for h in handed if from_day < h.from_day <= (to_day or dt.date.max)}
    starts = [from_day, *sorted(within)]
    parts: list[tuple[dt.date, dt.date | None, str]] = []
    for start in reversed(starts):
        payer = payer_on(first, handed, start)
        if parts and parts[-1][2] == payer:
            parts[-1] = (start, parts[-1][1], payer)
        else:
            parts.append((start, parts[-1][0] - _A_DAY if parts else to_day, payer))
    return tuple(reversed(parts))


def handed_since(work: Work, treatment: TreatmentRecord) -> tuple[Handed, ...]:
    """The hand-overs that hold for a treatment, in the order in which they were confirmed.

    Until the transaction ends none is confirmed for its drug, so what is written by this answer
    is written before the hand-over, which then takes it along, or after it.
    """
    if added.of_treatment(work, treatment.id) is not None:
        return ()  # nobody has seen it yet
    if work.on_postgres:
        work.write(_DECIDING, {"drug": treatment.drug})
    c = hand_over.c
    query = (
        sa.select(c.organisation, c.receiver, c.from_day)
        .where(c.drug == treatment.drug, c.state == CONFIRMED, c.decided_at >= treatment.created_at)
        .order_by(c.number)
    )
    with work.beyond_scope():  # whose days they are is nobody's choice
        return tuple(Handed(*row) for row in work.connection.execute(query))


def let_none_decide(work: Work, drug: str) -> None:
    """Wait for the steps that follow the hand-overs of a drug, and let later ones wait."""
    if work.on_postgres:
        work.write(_HANDING, {"drug": drug})


def add_days(
    work: Work, treatment: TreatmentRecord, segment: SegmentRecord
) -> tuple[SegmentRecord, ...]:
    """Add a segment, in as many parts as commissioners pay for its days; the parts."""
    handed = handed_since(work, treatment)
    if not handed:
        parts: tuple[SegmentRecord, ...] = (segment,)
    else:
        days = share_days(first_payer(work, treatment), handed, segment.from_day, segment.to_day)
        parts = tuple(
            fresh(work, replace(segment, from_day=from_day, to_day=to_day, commissioner=payer))
            for from_day, to_day, payer in days
        )
    for part in parts:
        store.add_segment(work, part)
    return parts


def first_payer(work: Work, treatment: TreatmentRecord) -> str:
    """Whom the treatment's first request asked; of an imported one, who had approved it."""
    with work.beyond_scope():
        for request in store.all_requests_of(work, treatment.id):
            if request.kind is Kind.INITIATION:
                return request.commissioner
        approvals = store.approvals_of(work, treatment.id)
    return approvals[0].commissioner if approvals else treatment.commissioner


def follow_payer(
    work: Work,
    actor: Actor,
    treatment: TreatmentRecord,
    parts: Sequence[SegmentRecord],
) -> TreatmentRecord:
    """Let a treatment be of whoever pays for the last of these days, which have come to it."""
    last = max(parts, key=lambda part: part.from_day, default=None)
    if last is None or last.commissioner == treatment.commissioner:
        return treatment
    payer = last.commissioner
    return change_payer(work, actor, treatment, payer, {"from_day": last.from_day.isoformat()})


def change_payer(
    work: Work,
    actor: Actor,
    treatment: TreatmentRecord,
    payer: str,
    told: dict[str, str],
) -> TreatmentRecord:
    """Store who pays for a treatment now; its feed tells the provider and both commissioners."""
    event = Event(
        action="treatment handed to another commissioner",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        patient_id=treatment.patient_id,
        before={"commissioner": treatment.commissioner},
        after={"commissioner": payer, **told},
    )
    return store.change_treatment(work, treatment, {"commissioner": payer}, actor, event)
