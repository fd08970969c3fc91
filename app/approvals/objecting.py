"""A patient's objection to being shown beyond those who treat them, and its withdrawal.

It restricts display and never payment: no claim by another trust is answered, no search of a
provider that does not hold the treatment finds it, and no payer learns who the patient is.
Approvals go on covering supplies, and pseudonyms go on standing for the patient. Break-glass stays
open, for the patient's own safety, and says that there is an objection.
"""

import datetime as dt
from typing import Final

from sqlalchemy import ColumnElement, Select, func, insert, select, update

from app.approvals import patients
from app.approvals.errors import PatientObjects, TransitionNotAllowed
from app.approvals.model import PatientRecord
from app.approvals.permissions import Action, check_can
from app.approvals.telling import tell_holders
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

_TABLE = tables.patient_objection
RECORDED = "objection to display recorded"
WITHDRAWN = "objection to display withdrawn"
#: How long before it is seen an objection may have been recorded.
ON_ITS_WAY: Final = dt.timedelta(minutes=1)


def record_objection(work: Work, caller: Caller, patient_id: str, words: str) -> PatientRecord:
    """Record that a patient of the caller's objects; TransitionNotAllowed where one stands."""
    check_can(caller, Action.RECORD_OBJECTION)
    person = patients.lock_person(work, patients.own_record(work, caller, patient_id))
    if stands(work, person):
        raise TransitionNotAllowed("An objection of this patient stands already. Nothing to add.")
    work.connection.execute(
        insert(_TABLE).values(
            id=work.new_id(),
            patient_id=person.id,
            organisation=caller.organisation,
            words=words,
            recorded_at=work.moment.instant,
            recorded_by=caller.id,
        )
    )
    tell_holders(work, caller, RECORDED, person, {"words": words})
    return person


def withdraw_objection(work: Work, caller: Caller, patient_id: str, words: str) -> PatientRecord:
    """Record that the patient takes it back; TransitionNotAllowed where none stands."""
    check_can(caller, Action.RECORD_OBJECTION)
    person = patients.lock_person(work, patients.own_record(work, caller, patient_id))
    same = patients.same_person(work, person.canonical_id)
    with work.beyond_scope():  # the patient's own act, whichever of their providers wrote it down
        done = work.connection.execute(
            update(_TABLE)
            .where(_TABLE.c.patient_id.in_(same), _TABLE.c.withdrawn_at.is_(None))
            .values(
                withdrawn_at=work.moment.instant, withdrawn_by=caller.id, withdrawal_words=words
            )
        )
    if not done.rowcount:
        raise TransitionNotAllowed("No objection of this patient stands. Nothing to take back.")
    tell_holders(work, caller, WITHDRAWN, person, {"words": words})
    return person


def stands(work: Work, person: PatientRecord) -> bool:
    """Whether an objection of the person stands, whoever wrote it down."""
    same = patients.same_person(work, person.canonical_id)
    query = select(func.count()).where(
        _TABLE.c.patient_id.in_(same), _TABLE.c.withdrawn_at.is_(None)
    )
    with work.beyond_scope():
        return bool(work.connection.execute(query).scalar_one())


def any_since(work: Work, instant: dt.datetime) -> bool:
    """Whether anybody's objection that stands was recorded since, or was on its way just before."""
    since = _TABLE.c.recorded_at >= instant - ON_ITS_WAY
    query = select(_TABLE.c.id).where(since, _TABLE.c.withdrawn_at.is_(None)).limit(1)
    with work.beyond_scope():
        return work.connection.execute(query).first() is not None


def check_may_be_identified(work: Work, person: PatientRecord) -> None:
    """Raise PatientObjects where a payer must not learn who the patient is."""
    if stands(work, person):
        raise PatientObjects(
            "The patient objects to being identified outside their care. Validate by the "
            "pseudonym, or ask the provider that invoiced; the approval covers supplies as before."
        )


def objects(patient_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Condition: the person of a patient record objects to being shown."""
    return patients.holds_of(_TABLE, _TABLE.c.withdrawn_at.is_(None), patient_id)


def objecting_ids() -> Select[tuple[str]]:
    """The ids of every record of those who object, as a query."""
    patient = tables.patient.c
    canonical = (
        select(func.coalesce(patient.linked_to, patient.id).label("id"))
        .join(_TABLE, _TABLE.c.patient_id == patient.id)
        .where(_TABLE.c.withdrawn_at.is_(None))
    )
    linked = select(patient.id).where(patient.linked_to.in_(canonical))
    return select(canonical.union(linked).subquery().c.id)


def identities(work: Work) -> tuple[frozenset[str], frozenset[str]]:
    """NHS numbers and hospital numbers of those who object: to take them out of a file."""
    patient, identifier = tables.patient.c, tables.patient_identifier.c
    with work.beyond_scope():  # to hide a number it must be known; the caller is told none
        numbers = work.connection.execute(
            select(patient.nhs_number).where(
                patient.id.in_(objecting_ids()), patient.nhs_number.is_not(None)
            )
        ).scalars()
        local = work.connection.execute(
            select(identifier.local_id).where(identifier.patient_id.in_(objecting_ids()))
        ).scalars()
        return frozenset(each for each in numbers if each), frozenset(local)
