"""Handing a drug's treatments to another commissioner: one proposes it, another confirms it.

Both are of the commissioner that pays, which gives: nobody can take. Until it is confirmed nothing
is handed over. What a proposal shows is what the act counts before it begins, and it is confirmed
only while it would still touch the same. Many treatments are handed over by the worker (ADR 77).
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import sqlalchemy as sa

from app.approvals import second_person
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.handing_model import Asked as Asked
from app.approvals.handing_model import Charged as Charged
from app.approvals.handing_model import HandOver as HandOver
from app.approvals.office import same_person
from app.approvals.permissions import Action, check_can
from app.approvals.reassigning import STALE, Effect, Giving, foreseen, give, touched_now
from app.approvals.second_person import CONFIRMABLE, CONFIRMED, SHOWN, WAITING
from app.audit import Event, record
from app.auth.holders import check_person, check_two_named
from app.auth.model import Caller
from app.db import jobs, tables
from app.db.tables import hand_over as hand_overs
from app.db.tables import job as job_table
from app.db.work import Work
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations

LONGEST_WHY: Final = 500
_NAME: Final = 120
_APRIL: Final = 4
#: So many treatments are handed over as they are confirmed; more by the worker, as a job.
MOST_AT_ONCE: Final = 200
JOB: Final = "hand treatments over"
UNDER_WAY: Final = "under way"  # confirmed, and the worker's to do


# --- proposing ----------------------------------------------------------------------------------


def preview(work: Work, caller: Caller, asked: Asked) -> Effect:
    """What the hand-over would touch now. Raises what proposing it would."""
    check_can(caller, Action.HAND_OVER)
    check_person(work, caller, "propose a hand-over")
    _check(work, caller.organisation, asked)
    giving = Giving("", caller.organisation, asked.receiver, asked.drug, asked.from_day)
    return foreseen(work, giving)


def propose(
    work: Work, caller: Caller, asked: Asked, effect: Effect, charged: Charged | None
) -> HandOver:
    """Propose what `preview` showed; nothing is handed over yet.

    Raises DetailsNotAccepted, TransitionNotAllowed where the same waits already, and NotAllowed
    for a credential that is tied to no person.
    """
    check_can(caller, Action.HAND_OVER)
    check_person(work, caller, "propose a hand-over")
    _check(work, caller.organisation, asked)
    _check_none_waits(work, caller.organisation, asked)
    made = _made(work, caller.organisation, asked, (caller.id, caller.name), effect)
    if charged is not None:
        made = replace(made, **asdict(charged))
    work.connection.execute(sa.insert(hand_overs).values(**asdict(made)))
    record(work, caller.actor(), _event("propose hand-over", made))
    return proposal(work, caller, made.id)


def _check(work: Work, giver: str, asked: Asked) -> None:
    if asked.receiver == giver:
        raise DetailsNotAccepted("receiver", "A commissioner cannot hand treatments to itself.")
    found = load_organisations().find(asked.receiver, asked.from_day)
    if found is None or found.kind != "commissioner":
        raise DetailsNotAccepted(
            "receiver", "No commissioner with that code is open on that day. Check the code."
        )
    if asked.drug not in load_drugs().drugs:
        raise DetailsNotAccepted("drug", "No drug of that key is known. Take one of the list.")
    own = load_organisations().find(giver, asked.from_day)
    earliest = _earliest(work, giver, asked.drug)
    if own is None or asked.from_day < earliest:
        raise DetailsNotAccepted(
            "from_day",
            f"Its first day is {earliest:%-d %B %Y} at the earliest: you paid for no treatment "
            "with the drug before, and that is the first day of the last financial year. Give "
            "that day or a later one."
            if own is not None
            else "Your organisation was not open on that day. Give a later one.",
        )
    if asked.from_day > work.moment.day + CONFIRMABLE:
        raise DetailsNotAccepted(
            "from_day",
            f"A hand-over is proposed at most {CONFIRMABLE.days} days before its first day. "
            "Propose it nearer to that.",
        )
    if not asked.why.strip() or len(asked.why) > LONGEST_WHY:
        raise DetailsNotAccepted("why", f"Say why, in at most {LONGEST_WHY} characters.")


def _earliest(work: Work, giver: str, drug: str) -> dt.date:
    """From when on it may begin: the giver's first day of the drug, or the last financial year.

    Whichever is earlier: a delegation of 1 April is handed over also where the first treatment
    began in May. Before both nothing could go over.
    """
    year = work.moment.day.year - (2 if work.moment.day.month < _APRIL else 1)
    year_began = dt.date(year, _APRIL, 1)
    s, t, r = tables.segment.c, tables.treatment.c, tables.request.c
    joined = tables.treatment, t.id == s.treatment_id
    covered = (
        sa.select(sa.func.min(s.from_day))
        .join(*joined)
        .where(t.drug == drug, s.commissioner == giver, s.superseded_at.is_(None))
    )
    asked = (
        sa.select(sa.func.min(r.decision_to_treat))
        .join(tables.treatment, t.id == r.treatment_id)
        .where(t.drug == drug, r.commissioner == giver)
    )
    found = [work.connection.execute(query).scalar_one() for query in (covered, asked)]
    days: list[dt.date] = [year_began, *(day for day in found if day is not None)]
    return min(days)


def _check_none_waits(work: Work, giver: str, asked: Asked) -> None:
    c = hand_overs.c
    query = sa.select(c.id).where(
        c.organisation == giver,
        c.receiver == asked.receiver,
        c.drug == asked.drug,
        c.from_day == asked.from_day,
        c.state.in_((WAITING, UNDER_WAY)),
        c.proposed_at > work.moment.instant - CONFIRMABLE,
    )
    if work.connection.execute(query).first() is not None:
        raise TransitionNotAllowed("The same proposal waits for a second person already.")


def _made(work: Work, giver: str, asked: Asked, by: tuple[str, str], effect: Effect) -> HandOver:
    return HandOver(
        id=work.new_id(),
        organisation=giver,
        receiver=asked.receiver,
        drug=asked.drug,
        from_day=asked.from_day,
        why=asked.why.strip(),
        state=WAITING,
        treatments=effect.treatments,
        approvals=effect.approvals,
        segments=effect.segments,
        waiting=effect.waiting,
        lines=None,
        accepted=None,
        queried=None,
        touched=effect.touched,
        proposed_by=by[0],
        proposed_by_name=by[1][:_NAME],
        proposed_at=work.moment.instant,
    )


# --- deciding -----------------------------------------------------------------------------------


def confirm(work: Work, caller: Caller, id: str) -> HandOver:
    """Confirm what another person proposed: the treatments are handed over now, or by the worker.

    Raises NotAllowed for one's own proposal, also under another credential of one's own, and
    TransitionNotAllowed for one that was decided, is too old, would touch something else by now,
    or whose first day has not come: until then the receiver is not to see whom it will pay for.
    """
    check_can(caller, Action.HAND_OVER)
    found = _undecided(work, caller, id)
    ask = "Ask another commissioner of your organisation."
    second_person.check_confirms(work, caller, found, "confirm that hand-over", ask)
    _check_day(work, found.from_day)
    if is_of_many(found):
        return _queue(work, caller, found)
    give(work, caller.actor(), found.giving, found.touched)
    return _confirmed(work, caller, found)


def _queue(work: Work, caller: Caller, found: HandOver) -> HandOver:
    """Let the worker hand over what its second person confirmed."""
    if is_stale(work, found):
        raise TransitionNotAllowed(STALE)
    own = caller.organisation
    payload = {"hand_over": found.id, "caller": asdict(caller)}
    jobs.enqueue(work, JOB, organisation=own, created_by=caller.id, payload=payload)
    queued = _set_state(work, found, UNDER_WAY)
    record(work, caller.actor(), _event("confirm hand-over", queued, found))
    return queued


def carry_out(work: Work, caller: Caller, id: str, told: Callable[[int], None]) -> HandOver:
    """Hand over what `caller` confirmed and the worker has in hand; `told` hears of the treatments.

    One that would touch something else by now waits again, as it was proposed: nothing is done.
    """
    found = _record(second_person.found(work, hand_overs, caller.organisation, id, lock=True))
    if found.state != UNDER_WAY:
        return found
    try:
        give(work, caller.actor(), found.giving, found.touched, told)
    except TransitionNotAllowed:
        back = _set_state(work, found, WAITING)
        record(work, caller.actor(), _event("put hand-over back", back, found))
        return back
    return _confirmed(work, caller, found)


def job_of(work: Work, found: HandOver) -> jobs.Job | None:
    """The newest job that hands it over, of those that its organisation asked for last."""
    c = job_table.c
    newest = (
        sa.select(c.id, c.payload)
        .where(c.organisation == found.organisation, c.kind == JOB)
        .order_by(c.created_at.desc(), c.id.desc())
        .limit(SHOWN)
    )
    rows = work.connection.execute(newest)
    id_ = next((row.id for row in rows if row.payload["hand_over"] == found.id), None)
    return None if id_ is None else jobs.find(work, id_, found.organisation)


def _undecided(work: Work, caller: Caller, id: str) -> HandOver:
    """A proposal that waits, held: also one whose job has failed, which handed nothing over."""
    row = second_person.found(work, hand_overs, caller.organisation, id, lock=True)
    if row.state == UNDER_WAY:
        found = _record(row)
        job = job_of(work, found)
        if job is not None and job.state != "failed":
            raise TransitionNotAllowed(
                "It was confirmed and is being handed over. Load its page again in a while."
            )
        return _set_state(work, found, WAITING)
    return _record(second_person.waiting(work, hand_overs, caller.organisation, id))


def _set_state(work: Work, found: HandOver, state: str) -> HandOver:
    change = sa.update(hand_overs).where(hand_overs.c.id == found.id).values(state=state)
    work.connection.execute(change)
    return replace(found, state=state)


def _confirmed(work: Work, caller: Caller, found: HandOver) -> HandOver:
    more = {"decided_by_name": caller.name[:_NAME], "number": _next_number(work, found.drug)}
    changes = second_person.decide(work, caller, hand_overs, found.id, CONFIRMED, **more)
    action = "hand over" if found.state == UNDER_WAY else "confirm hand-over"
    return _decided(work, caller, found, changes, action)


def decline(work: Work, caller: Caller, id: str) -> HandOver:
    """Decline a proposal, or take one's own back. Nothing is handed over."""
    check_can(caller, Action.HAND_OVER)
    found = _undecided(work, caller, id)
    name = caller.name[:_NAME]
    state = second_person.DECLINED
    changes = second_person.decide(work, caller, hand_overs, id, state, decided_by_name=name)
    return _decided(work, caller, found, changes, "decline hand-over")


def hand_over_by_two(
    work: Work,
    caller: Caller,
    asked: Asked,
    by: str,
    seconded_by: str,
    *,
    registered: bool = False,
) -> HandOver:
    """Hand over at once, for two people who are named: the command line, where nobody signs in.

    `caller` is the operator, for the commissioner. Raises what proposing and confirming do, and
    CallerNotAccepted where both names are one person's, or with `registered` nobody's.
    """
    check_can(caller, Action.HAND_OVER)
    if not by.strip() or not seconded_by.strip() or same_person(by, seconded_by):
        raise DetailsNotAccepted(
            "seconded_by", "A hand-over takes two people. Name a second one, not the same."
        )
    check_two_named(work, by, seconded_by, registered=registered)
    _check(work, caller.organisation, asked)
    _check_day(work, asked.from_day)
    giving = Giving(work.new_id(), caller.organisation, asked.receiver, asked.drug, asked.from_day)
    effect = give(work, caller.actor(), giving)
    made = replace(
        _made(work, caller.organisation, asked, (caller.id, by.strip()), effect),
        id=giving.id,
        state=CONFIRMED,
        decided_by=caller.id,
        decided_by_name=seconded_by.strip()[:_NAME],
        decided_at=work.moment.instant,
        number=_next_number(work, asked.drug),
    )
    work.connection.execute(sa.insert(hand_overs).values(**asdict(made)))
    record(work, caller.actor(), _event("hand over", made))
    return made


def _check_day(work: Work, from_day: dt.date) -> None:
    if from_day > work.moment.day:
        raise TransitionNotAllowed(
            f"Its first day is {from_day:%-d %B %Y}. Until then the treatments are yours, and the "
            "other commissioner sees none of them: confirm it on that day or later."
        )


def _next_number(work: Work, drug: str) -> int:
    """After `give`, which lets nobody else confirm one of the drug."""
    query = sa.select(sa.func.max(hand_overs.c.number)).where(hand_overs.c.drug == drug)
    with work.beyond_scope():
        return (work.connection.execute(query).scalar_one_or_none() or 0) + 1


def _decided(
    work: Work, caller: Caller, found: HandOver, changes: Mapping[str, Any], action: str
) -> HandOver:
    decided = replace(found, **changes)
    record(work, caller.actor(), _event(action, decided, found))
    return decided


def _event(action: str, made: HandOver, before: HandOver | None = None) -> Event:
    told = ("receiver", "drug", "from_day", "why", "state", "treatments", "segments", "waiting")
    after = {name: getattr(made, name) for name in told}
    after["from_day"] = made.from_day.isoformat()
    after |= {"by": made.proposed_by_name, "seconded_by": made.decided_by_name}
    was = None if before is None else {"state": before.state, "proposed_by": before.proposed_by}
    return Event(action, "hand-over", made.id, before=was, after=after)


# --- reading ------------------------------------------------------------------------------------


def proposals(
    work: Work,
    caller: Caller,
    limit: int = SHOWN,
    after: second_person.Place | None = None,
    without: str | None = None,
) -> tuple[HandOver, ...]:
    """The organisation's own: those that wait first, then the newest.

    `after`: only those behind a place. `without`: a state that is left out.
    """
    check_can(caller, Action.HAND_OVER)
    rows = second_person.listed(work, hand_overs, caller.organisation, limit, after, without)
    return tuple(_record(row) for row in rows)


def proposal(work: Work, caller: Caller, id: str) -> HandOver:
    """One of the organisation's own; NotFound for another's, also for one that it received."""
    check_can(caller, Action.HAND_OVER)
    return _record(second_person.found(work, hand_overs, caller.organisation, id))


def is_of_many(found: HandOver) -> bool:
    """Whether it would touch more treatments than are handed over as they are confirmed."""
    return found.treatments > MOST_AT_ONCE


def is_stale(work: Work, found: HandOver) -> bool:
    """Whether a proposal that waits would touch something else than it was made for."""
    return found.state == WAITING and touched_now(work, found.giving) != found.touched


def _record(row: Any) -> HandOver:
    return HandOver(**row._mapping)
