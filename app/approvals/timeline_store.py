"""The SQL of a patient's timeline: each question is a look-up by ids, of so many at most."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import func, select, tuple_

from app.approvals import patients, store
from app.approvals.happenings import Decided, StatedBy
from app.approvals.model import PatientRecord, RequestRecord, TreatmentRecord
from app.approvals.objecting import stands
from app.approvals.permissions import PROVIDER_ROLES
from app.approvals.scope import visible_treatments
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

_T = TypeVar("_T")
#: What the log calls these steps (`starting`, `issuing`; `erasing`).
_FIRST_DOSE: Final = "first dose recorded"
_ERASED: Final = "patient's data erased"


def others_of(
    work: Work, caller: Caller, known: TreatmentRecord, person: PatientRecord, most: int
) -> tuple[str, ...]:
    """The patient's other treatments that the caller may see, the newest first, `most` at most.

    As a search of the patient finds them: of one who objects, whoever treats the patient finds
    their own hospital's alone, and others none. Of a person who is no longer known there is no
    telling which belong together.
    """
    if person.has_ended:
        return ()
    own = caller.role in PROVIDER_ROLES
    objects = stands(work, person)
    if objects and not own:
        return ()
    treatment = tables.treatment.c
    same = patients.same_person(work, person.canonical_id)
    query = (
        select(treatment.id)
        .where(
            treatment.patient_id.in_(same),
            treatment.id != known.id,
            visible_treatments(caller),
        )
        .order_by(treatment.created_at.desc(), treatment.id)
        .limit(most)
    )
    if objects:
        query = query.where(treatment.provider == caller.organisation)
    return tuple(work.connection.execute(query).scalars())


def decisions_of(work: Work, requests: Sequence[str]) -> Mapping[str, Sequence[Decided]]:
    """Request → its decisions, oldest first."""
    c = tables.decision.c
    columns = (c.request_id, c.number, c.made_by, c.outcome, c.decided_at)
    found: dict[str, list[Decided]] = defaultdict(list)
    for some in _parts(requests):
        query = select(*columns).where(c.request_id.in_(some)).order_by(c.request_id, c.number)
        for row in work.connection.execute(query):
            found[row.request_id].append(Decided(*row))
    return found


def answers_of(work: Work, requests: Sequence[RequestRecord]) -> Mapping[str, Mapping[str, Any]]:
    """Request → its newest answers, as stored; empty where they were erased."""
    c = tables.request_revision.c
    newest = [(each.id, each.revision) for each in requests]
    return {
        row.request_id: row.answers
        for some in _parts(newest)
        for row in work.connection.execute(
            select(c.request_id, c.answers).where(tuple_(c.request_id, c.revision).in_(some))
        )
    }


def begun_by(work: Work, treatments: Sequence[str]) -> Mapping[str, StatedBy]:
    """Treatment → who last recorded its first dose; those that came with an import have nobody."""
    e = tables.audit_event.c
    # Along the key of a treatment's own steps: it may have been read many thousand times.
    query = (
        select(e.object_id, e.organisation, e.role, e.at)
        .where(e.object_type == "treatment", e.object_id.in_(treatments), e.action == _FIRST_DOSE)
        .order_by(e.object_id, e.object_number)
    )
    with work.beyond_scope():  # a supplier may have recorded it for whoever prescribes
        rows = work.connection.execute(query).all()
    return {row.object_id: StatedBy(row.organisation, row.role, row.at) for row in rows}


def erased_at(work: Work, person: PatientRecord) -> dt.datetime | None:
    """When what is kept of the patient was last erased; None where it never was."""
    e = tables.audit_event.c
    same = patients.same_person(work, person.canonical_id)
    query = select(func.max(e.at)).where(
        e.object_type == "patient", e.object_id.in_(same), e.action == _ERASED
    )
    with work.beyond_scope():
        found: dt.datetime | None = work.connection.execute(query).scalar_one()
    return found


def _parts(rows: Sequence[_T]) -> Sequence[Sequence[_T]]:
    return [rows[at : at + store.BATCH] for at in range(0, len(rows), store.BATCH)]
