"""A patient's death, as the care team records it; and taking a wrong record of it back.

It ends what is due: no list of reviews names the patient any more, and no request is taken for a
treatment decided on after it. What was decided on before goes to people, however late its form
comes. It changes no coverage: a stop does that, with the reason *died*.
"""

import datetime as dt

from sqlalchemy import ColumnElement, insert, update

from app.approvals import patients
from app.approvals.errors import DetailsNotAccepted, PatientDied, TransitionNotAllowed
from app.approvals.model import PatientRecord
from app.approvals.permissions import Action, check_can
from app.approvals.telling import tell_holders
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

_TABLE = tables.patient_death
RECORDED = "death recorded"
CORRECTED = "record of death taken back"
FOR_PEOPLE = "The record says that the patient has died, so people decide on what was done before."


def record_death(work: Work, caller: Caller, patient_id: str, died_on: dt.date) -> PatientRecord:
    """Record the day of a patient's death.

    Raises DetailsNotAccepted for a day in the future or before the birth, and TransitionNotAllowed
    where a death is on record.
    """
    check_can(caller, Action.RECORD_DEATH)
    person = patients.lock_person(work, patients.own_record(work, caller, patient_id))
    if died_on > work.moment.day:
        raise DetailsNotAccepted("died_on", "The day lies in the future. Check it.")
    if died_on < person.birth_date:
        raise DetailsNotAccepted("died_on", "The day is before the patient's birth. Check it.")
    if patients.day_of_death(work, person) is not None:
        raise TransitionNotAllowed(
            "A death is on this patient's record already. If it is wrong, take it back first."
        )
    work.connection.execute(
        insert(_TABLE).values(
            id=work.new_id(),
            patient_id=person.id,
            organisation=caller.organisation,
            died_on=died_on,
            recorded_at=work.moment.instant,
            recorded_by=caller.id,
        )
    )
    tell_holders(work, caller, RECORDED, person, {"died_on": died_on.isoformat()})
    return person


def take_back_death(work: Work, caller: Caller, patient_id: str, reason: str) -> PatientRecord:
    """Take a wrong record of death back; TransitionNotAllowed where there is none."""
    check_can(caller, Action.RECORD_DEATH)
    person = patients.lock_person(work, patients.own_record(work, caller, patient_id))
    same = patients.same_person(work, person.canonical_id)
    with work.beyond_scope():  # whoever got it wrong: the patient's treatment waits for this
        done = work.connection.execute(
            update(_TABLE)
            .where(_TABLE.c.patient_id.in_(same), _TABLE.c.taken_back_at.is_(None))
            .values(
                taken_back_at=work.moment.instant, taken_back_by=caller.id, taken_back_why=reason
            )
        )
    if not done.rowcount:
        raise TransitionNotAllowed("No death is on this patient's record. Nothing to take back.")
    tell_holders(work, caller, CORRECTED, person, {"reason": reason})
    return person


def check_decided_in_life(work: Work, person: PatientRecord, decision_to_treat: dt.date) -> None:
    """Raise PatientDied for a treatment that was decided on after the patient's death."""
    died_on = patients.day_of_death(work, person)
    if died_on is not None and decision_to_treat > died_on:
        raise PatientDied(
            "The record says that the patient died before this decision to treat. If the patient "
            "lives, take the record of death back first, and treat them meanwhile as they need; "
            "if the day of the decision is wrong, correct it."
        )


def late_for_people(work: Work, person: PatientRecord | None) -> tuple[str, ...]:
    """Why people must decide a request that comes after the patient's death."""
    if person is None or patients.day_of_death(work, person) is None:
        return ()
    return (FOR_PEOPLE,)


def has_died(patient_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Condition: the death of the person of a patient record is recorded."""
    return patients.holds_of(_TABLE, _TABLE.c.taken_back_at.is_(None), patient_id)
