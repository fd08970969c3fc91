"""Handing a drug's treatments to another commissioner, which pays for them from a day on.

As at a delegation: the approvals stand, and the provider does nothing. Coverage is cut at the day:
its days before stay the old commissioner's, those from the day on are the new one's, which sees no
more of the treatment's past than that. Two people do it (`handing`); here is what it does.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from app.approvals import store
from app.approvals.cutting import fresh
from app.approvals.errors import TransitionNotAllowed
from app.approvals.lifecycle import OPEN_STATES
from app.approvals.model import RequestRecord, SegmentRecord, TreatmentRecord
from app.approvals.paying import change_payer, let_none_decide
from app.approvals.recording import rename_cut
from app.audit import Actor
from app.db import tables
from app.db.work import Work
from app.policy import Kind

_A_DAY = dt.timedelta(days=1)
#: How many treatments are read together.
TOGETHER = 500
STALE: Final = (
    "What would be handed over has changed since it was proposed. Decline the proposal and make a "
    "new one, which shows what it is now."
)


@dataclass(frozen=True, slots=True)
class Giving:
    """Whose days of a drug become whose, and from which day on."""

    id: str
    giver: str
    receiver: str
    drug: str
    from_day: dt.date


@dataclass(frozen=True, slots=True)
class _Whole:
    """A treatment with its segments in force, by first day, and its recorded stops."""

    treatment: TreatmentRecord
    segments: list[SegmentRecord]
    stops: list[RequestRecord]


@dataclass(frozen=True, slots=True)
class Effect:
    """What went over: how much of what, and `touched`, a digest of which.

    `treatment_ids` are those with days that went; `waiting` counts the requests that wait for the
    giver, which stays the one that is asked.
    """

    treatment_ids: tuple[str, ...]
    approvals: int
    segments: int
    waiting: int
    touched: str

    @property
    def treatments(self) -> int:
        """How many treatments have days that went over."""
        return len(self.treatment_ids)


def give(
    work: Work,
    actor: Actor,
    giving: Giving,
    expected: str | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Effect:
    """Let the receiver pay for what the giver pays for of a drug, from the day on.

    Done again it changes nothing. Raises TransitionNotAllowed, before anything is written, where
    it would touch something else than `expected`. `told` hears how many treatments went over.
    """
    _hold(work, giving)
    let_none_decide(work, giving.drug)
    effect = foreseen(work, giving)
    if expected is not None and effect.touched != expected:
        raise TransitionNotAllowed(STALE)
    ids = effect.treatment_ids
    for first in range(0, len(ids), TOGETHER):
        for whole in _read(work, ids[first : first + TOGETHER]):
            _hand(work, actor, whole, giving)
        told(min(first + TOGETHER, len(ids)))
    return effect


def foreseen(work: Work, giving: Giving) -> Effect:
    """What the act would touch now, counted by a query of each: for thousands of treatments too."""
    ids = _paid_for(work, giving)
    s, t = tables.segment.c, tables.treatment.c
    query = (
        sa.select(sa.func.count(), sa.func.count(sa.distinct(s.approval_id)))
        .join(tables.treatment, t.id == s.treatment_id)
        .where(t.drug == giving.drug, t.id.in_(_reaching(giving)), *_reached(giving))
    )
    segments, approvals = work.connection.execute(query).one()
    waiting = len(_waiting(work, giving))
    return Effect(ids, approvals, segments, waiting, touched_now(work, giving))


def touched_now(work: Work, giving: Giving) -> str:
    """A digest of what the act would touch: the giver's days, and the requests that wait."""
    s, t = tables.segment.c, tables.treatment.c
    query = (
        sa.select(s.id)
        .join(tables.treatment, t.id == s.treatment_id)
        .where(t.drug == giving.drug, *_reached(giving))
    )
    segments = work.connection.execute(query).scalars()
    named = "\n".join(sorted([*segments, *_waiting(work, giving)]))
    return hashlib.sha256(named.encode()).hexdigest()


def _hold(work: Work, giving: Giving) -> None:
    """Lock what may be touched before anybody is made to wait for the drug: see `let_none_decide`.

    Whoever decides holds the treatment first, so neither waits for the other.
    """
    t = tables.treatment.c
    own = sa.or_(t.commissioner == giving.giver, t.id.in_(_reaching(giving)))
    query = sa.select(t.id).where(t.drug == giving.drug, own).order_by(t.id)
    work.connection.execute(query.with_for_update()).all()  # SQLite has one writer, ignores this


def _reaching(giving: Giving) -> sa.Select[tuple[str]]:
    """The treatments with days that the giver pays for on the day or later."""
    return sa.select(tables.segment.c.treatment_id).where(
        *_reached(giving), tables.segment.c.kind == "coverage"
    )


def _reached(giving: Giving) -> tuple[sa.ColumnElement[bool], ...]:
    segment = tables.segment.c
    return (
        segment.commissioner == giving.giver,
        segment.superseded_at.is_(None),
        sa.or_(segment.to_day.is_(None), segment.to_day >= giving.from_day),
    )


def _paid_for(work: Work, giving: Giving) -> tuple[str, ...]:
    """One that went over before may have such again: the giver may have been given it back."""
    t = tables.treatment.c
    query = sa.select(t.id).where(t.drug == giving.drug, t.id.in_(_reaching(giving)))
    return tuple(work.connection.execute(query.order_by(t.id)).scalars())


def _waiting(work: Work, giving: Giving) -> list[str]:
    r, t = tables.request.c, tables.treatment.c
    query = (
        sa.select(r.id)
        .join(tables.treatment, t.id == r.treatment_id)
        .where(
            t.drug == giving.drug,
            r.commissioner == giving.giver,
            r.state.in_(sorted(OPEN_STATES)),
        )
    )
    return list(work.connection.execute(query).scalars())


def _read(work: Work, ids: Sequence[str]) -> list[_Whole]:
    """Treatments with what is cut on them, a few queries for them all."""
    t, s, r = tables.treatment, tables.segment, tables.request
    of: dict[str, _Whole] = {}
    with work.beyond_scope():  # the giver pays for a part of each; another's segment stays
        for row in work.connection.execute(sa.select(t).where(t.c.id.in_(ids))).mappings():
            of[row["id"]] = _Whole(store.as_record(TreatmentRecord, row), [], [])
        in_force = sa.select(s).where(s.c.treatment_id.in_(ids), s.c.superseded_at.is_(None))
        for row in work.connection.execute(in_force.order_by(s.c.from_day, s.c.id)).mappings():
            of[row["treatment_id"]].segments.append(store.as_record(SegmentRecord, row))
        stops = sa.select(r).where(r.c.treatment_id.in_(ids), r.c.kind == Kind.STOP.value)
        for row in work.connection.execute(stops.order_by(r.c.submitted_at, r.c.id)).mappings():
            of[row["treatment_id"]].stops.append(store.as_record(RequestRecord, row))
    return [of[id] for id in ids]


def _hand(work: Work, actor: Actor, whole: _Whole, giving: Giving) -> None:
    """Cut the giver's segments at the day and tell it."""
    instead: dict[str, list[str]] = {}
    stand: list[SegmentRecord] = []
    for segment in whole.segments:
        over = segment.to_day is not None and segment.to_day < giving.from_day
        if over or segment.commissioner != giving.giver:
            stand.append(segment)
            continue
        store.supersede_segment(work, segment.id, work.moment.instant)
        parts = [fresh(work, part) for part in _parts(segment, giving)]
        for part in parts:
            store.add_segment(work, part)
        stand += parts
        instead[segment.id] = [part.id for part in parts]
    for stop in whole.stops:  # what it left is to be taken back if it was entered in error
        rename_cut(work, actor, whole.treatment, stop, instead)
    # Not the receiver's where the last days were another's before.
    last = max((s for s in stand if s.kind == "coverage"), key=lambda s: s.from_day)
    told = {"from_day": giving.from_day.isoformat(), "hand_over": giving.id}
    change_payer(work, actor, whole.treatment, last.commissioner, told)


def _parts(segment: SegmentRecord, giving: Giving) -> tuple[SegmentRecord, ...]:
    day = giving.from_day
    after = replace(segment, commissioner=giving.receiver, from_day=max(day, segment.from_day))
    if segment.from_day >= day:
        return (after,)
    return (replace(segment, to_day=day - _A_DAY), after)
