"""Audit trails as a reader of one organisation may see them: of a request, or of a patient.

A patient's trail is what is on record of every treatment of theirs that the reader may see, and
no other hospital's.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, false, or_, select

from app.approvals import patients, store
from app.approvals.permissions import Action, check_can
from app.approvals.scope import followed_treatments, visible_requests, visible_treatments
from app.audit import READING, TrailEntry, request_trail
from app.audit.store import entries_where
from app.auth.model import Caller
from app.db.tables import audit_event, audit_payload, request, treatment
from app.db.work import Work

#: How many of an organisation's events are looked through at a time for lists that named a patient.
LOOKED_THROUGH: Final = 3_000
#: Events that one statement names.
_AT_ONCE: Final = 500


def visible_events(caller: Caller) -> ColumnElement[bool]:
    """Condition on `audit_event`: what was done with, or read of, the treatments one may see."""
    event = audit_event.c
    followed = fits(event.treatment_id == treatment.c.id, followed_treatments(caller))
    of_none = and_(
        event.request_id.is_(None), or_(event.organisation == caller.organisation, followed)
    )
    of_request = fits(event.request_id == request.c.id, visible_requests(caller))
    return and_(
        fits(event.treatment_id == treatment.c.id, visible_treatments(caller)),
        or_(of_none, of_request),
    )


def fits(leads: ColumnElement[bool], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the row that an event leads to fits, looked up event by event by its key.

    Not IN or EXISTS: of these PostgreSQL makes the set of all that fit, at each poll, and a payer
    of 1.2 million treatments waited 80 seconds for it.
    """
    found = select(case((condition, 1), else_=0)).where(leads).correlate(audit_event)
    return found.scalar_subquery() == 1


def trail_of_request(
    work: Work, caller: Caller, request_id: str
) -> tuple[str, tuple[TrailEntry, ...]]:
    """A request's treatment, and every event of the request. Raises NotAllowed or NotFound."""
    check_can(caller, Action.READ_AUDIT)
    found = store.find_request(work, caller, request_id)
    return found.treatment_id, request_trail(work, request_id)


@dataclass(frozen=True, slots=True)
class PatientTrail:
    """The events of a patient, oldest first.

    Lists and searches that showed them among others were looked for as far back as the event
    `back_to`, made at `since`; both are None where there is nothing before.
    """

    entries: tuple[TrailEntry, ...]
    back_to: int | None
    since: dt.datetime | None


def trail_of_patient(
    work: Work, caller: Caller, treatment_id: str, before: int | None = None
) -> PatientTrail:
    """Every event that the reader may see of the patient of one treatment.

    Searches and lists that showed the patient among others are told of the reader's own
    organisation, without whom else they showed: those among the last `LOOKED_THROUGH` of its events
    before the event `before`, or among its newest. Raises NotAllowed or NotFound.
    """
    check_can(caller, Action.READ_AUDIT)
    of_one = store.find_treatment(work, caller, treatment_id)
    with work.beyond_scope():  # which records are one person; none of them is told
        person = patients.patient(work, of_one.patient_id)
        same = tuple(patients.same_person(work, person.canonical_id))
    theirs = select(treatment.c.id).where(treatment.c.patient_id.in_(same))
    of_theirs = audit_event.c.treatment_id.in_(theirs)
    found = entries_where(work, and_(of_theirs, visible_events(caller)))
    visible = select(treatment.c.id).where(
        treatment.c.patient_id.in_(same), visible_treatments(caller)
    )
    own = audit_event.c.organisation == caller.organisation
    within = own if before is None else and_(own, audit_event.c.id < before)
    back_to, since = _looked_back_to(work, within)
    if back_to is not None:
        within = and_(within, audit_event.c.id >= back_to)
    among = _among_others(work, within, tuple(work.connection.scalars(visible)))
    whole = tuple(sorted((*found, *among), key=lambda each: each.id))
    return PatientTrail(whole, back_to, since)


def _looked_back_to(
    work: Work, within: ColumnElement[bool]
) -> tuple[int | None, dt.datetime | None]:
    """The last event that is looked at, and when it was; None where there is none behind it."""
    e = audit_event.c
    # Where it lies alone is asked for, of the index: row-level security would look at each event.
    newest = select(e.id).where(within).order_by(e.id.desc())
    with work.beyond_scope():
        ids = work.connection.scalars(newest.offset(LOOKED_THROUGH - 1).limit(2)).all()
    if len(ids) <= 1:
        return None, None
    return ids[0], work.connection.scalars(select(e.at).where(e.id == ids[0])).one()


def _among_others(
    work: Work, within: ColumnElement[bool], treatments: Collection[str]
) -> Iterator[TrailEntry]:
    """Readings among these events that name one of these treatments in their payload."""
    e, p = audit_event.c, audit_payload.c
    newest = (
        select(e.id, e.payload_id, e.object_type, e.treatment_id)
        .where(within)
        .order_by(e.id.desc())
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    named = or_(false(), *(p.body.contains(each, autoescape=True) for each in treatments))
    # Looked up by its key, each reading: of a join PostgreSQL may read every payload there is.
    looked = select(case((named, 1), else_=0)).where(p.id == newest.c.payload_id).correlate(newest)
    query = select(newest.c.id).where(
        newest.c.object_type == READING,
        newest.c.treatment_id.is_(None),
        looked.scalar_subquery() == 1,
    )
    ids = sorted(work.connection.scalars(query))
    for first in range(0, len(ids), _AT_ONCE):
        for each in entries_where(work, e.id.in_(ids[first : first + _AT_ONCE])):
            yield replace(each, after=_narrowed(each.after or {}, treatments))


def _narrowed(after: Mapping[str, Any], treatments: Collection[str]) -> dict[str, Any]:
    """What a reading says, without the other patients' treatments and drafts."""
    kept = {name: value for name, value in after.items() if name != "drafts"}
    if isinstance(kept.get("treatments"), list):
        kept["treatments"] = [each for each in kept["treatments"] if each in treatments]
    return kept
