"""Telling everybody who holds something of a patient, by their change feeds."""

from collections.abc import Mapping
from typing import Any

from app.approvals import patients, store
from app.approvals.model import PatientRecord
from app.audit import Event, record
from app.auth.model import Caller
from app.db.work import Work


def tell_holders(
    work: Work, caller: Caller, action: str, person: PatientRecord, after: Mapping[str, Any]
) -> None:
    """One event of the patient with `after`, and one on each treatment of theirs without it.

    A feed names the action and the treatment only, so no other provider reads the words.
    """
    told = Event(
        action=action,
        object_type="patient",
        object_id=person.id,
        patient_id=person.id,
        after=after,
    )
    record(work, caller.actor(), told)
    same = patients.same_person(work, person.canonical_id)
    for treatment in store.all_treatments_of(work, same):
        event = Event(
            action=action,
            object_type="treatment",
            object_id=treatment.id,
            treatment_id=treatment.id,
            patient_id=treatment.patient_id,
        )
        record(work, caller.actor(), event)
