"""What a transaction knows of the people and treatments that it added itself, without asking.

Nobody else sees them before it commits, so nobody else can have linked, treated or approved them:
what was not added here is not there. Only within `Work.keeping`; elsewhere nothing is noted, and
the database is asked.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from app.approvals.model import ApprovalRecord, PatientRecord, SegmentRecord
from app.db.work import Work

_PERSON: Final = "added person"
_TREATMENT: Final = "added treatment"
_ROW: Final = "added row"


@dataclass(slots=True)
class OfTreatment:
    """Everything that hangs on a treatment that this transaction added."""

    approvals: list[ApprovalRecord] = field(default_factory=list)
    segments: list[SegmentRecord] = field(default_factory=list)


def note_person(work: Work, patient_id: str) -> None:
    """A patient record has just been added."""
    if work.keeps:
        work.kept[_PERSON, patient_id] = True


def is_new_person(work: Work, patient_id: str) -> bool:
    """Whether this very transaction added the patient record."""
    return (_PERSON, patient_id) in work.kept


def beyond_scope_for(work: Work, person: PatientRecord) -> AbstractContextManager[None]:
    """The scope in which a person's treatments are looked at; of a new one nothing is asked."""
    return nullcontext() if is_new_person(work, person.id) else work.beyond_scope()


def note_treatment(work: Work, treatment_id: str) -> None:
    """A treatment has just been added, with nothing on it yet."""
    if work.keeps:
        work.kept[_TREATMENT, treatment_id] = OfTreatment()


def note_version(work: Work, row: Any) -> None:
    """A row has just been added, or one that was added here has been changed."""
    if work.keeps and hasattr(row, "version"):
        work.kept[_ROW, row.id] = row.version


def is_own(work: Work, row: Any) -> bool:
    """Whether this very transaction added the row, and left it as it is given."""
    return (_ROW, row.id) in work.kept and bool(work.kept[_ROW, row.id] == row.version)


def note(work: Work, row: Any) -> None:
    """An approval or a segment has just been added."""
    known = of_treatment(work, getattr(row, "treatment_id", ""))
    if known is None:
        return
    if isinstance(row, ApprovalRecord):
        known.approvals.append(row)
    elif isinstance(row, SegmentRecord):
        known.segments.append(row)


def of_treatment(work: Work, treatment_id: str) -> OfTreatment | None:
    """What hangs on a treatment, if this transaction added it; None: ask the database."""
    known: OfTreatment | None = work.kept.get((_TREATMENT, treatment_id))
    return known


def beyond_scope_of(work: Work, treatment_id: str) -> AbstractContextManager[None]:
    """The scope in which to ask what hangs on any provider's treatment; of a new one, none."""
    return nullcontext() if of_treatment(work, treatment_id) else work.beyond_scope()


def forget_treatments(work: Work) -> None:
    """An approval or a segment has been changed: from now on the database is asked."""
    for key in [key for key in work.kept if key[0] == _TREATMENT]:
        del work.kept[key]
