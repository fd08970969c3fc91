"""That somebody read a record: an event of its own each time, told apart from every change.

Each reading is an object by itself, with one event. So readers wait neither for each other nor for
whoever changes the record, and the change feed leaves them out by their kind. The record is named
by its treatment and request, or, where it has neither, by `names`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.audit.log import READING, record
from app.audit.model import Actor, Event
from app.db.work import Work


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. `names` goes to an erasable payload, as does the link to the patient."""

    action: str
    treatment_id: str | None = None
    request_id: str | None = None
    patient_id: str | None = None
    policy_hash: str | None = None
    names: Mapping[str, Any] | None = None


def record_reading(work: Work, actor: Actor, reading: Reading) -> None:
    """Add the event of one reading; saved, or not, with the rest of the transaction."""
    event = Event(
        action=reading.action,
        object_type=READING,
        object_id=work.new_id(),
        treatment_id=reading.treatment_id,
        request_id=reading.request_id,
        patient_id=reading.patient_id,
        policy_hash=reading.policy_hash,
        after=reading.names,
    )
    record(work, actor, event)
