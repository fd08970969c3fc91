"""Erasing what is kept of a patient beside the record of their treatment.

Gone afterwards: the payloads of the audit log, drafts, stored answers of writes, and the free words
of declarations, links, objections and break-glass. Kept: who the patient is, requests with their
answers, decisions, approvals and segments, since payment and the replay of decisions rest on them;
and the events of the log, so that its chain stays whole.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, false, or_, select, update

from app.approvals import patients
from app.approvals.errors import NotFound
from app.audit import Actor, Event, erase, record
from app.db import tables
from app.db.work import Work
from app.reference_data.nhs_number import format_nhs_number

ERASED: Final = "[erased]"
#: Columns of free words about a patient, by table; each table has `patient_id`.
_WORDS: Final[tuple[tuple[Table, tuple[str, ...]], ...]] = (
    (tables.care_declaration, ("reason",)),
    (tables.patient_link, ("reason", "unlink_reason")),
    (tables.break_glass, ("words",)),
    (tables.patient_objection, ("words", "withdrawal_words")),
    (tables.patient_death, ("taken_back_why",)),
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """How many of each were erased."""

    payloads: int
    drafts: int
    answers: int
    words: int


def erase_patient(work: Work, actor: Actor, patient_id: str, reason: str) -> Erasure:
    """Erase it for every record that stands for the person, and record that. For an operator.

    An id without a record has its payloads erased alone. A draft that names the patient by a number
    that the record does not hold is not found.
    """
    same = _records(work, patient_id)
    numbers = _numbers(work, same)
    ids = _ids(work, same)
    payloads = sum(erase(work, actor, patient_id=each, reason=reason) for each in same)
    done = Erasure(
        payloads,
        _drafts(work, ids, numbers),
        _answers(work, same, ids, numbers),
        _words(work, same),
    )
    after = {"drafts": done.drafts, "answers": done.answers, "words": done.words}
    record(work, actor, Event("patient's data erased", "patient", patient_id, after=after))
    return done


def _records(work: Work, patient_id: str) -> tuple[str, ...]:
    """The ids of every record of the person; the id itself where there is no record of it."""
    try:
        known = patients.patient(work, patient_id)
    except NotFound:
        return (patient_id,)
    return patients.same_person(work, known.canonical_id)


def _numbers(work: Work, same: tuple[str, ...]) -> tuple[str, ...]:
    """NHS numbers, bare and as shown, and hospital numbers, as JSON writes them."""
    patient, identifier = tables.patient.c, tables.patient_identifier.c
    nhs = select(patient.nhs_number).where(patient.id.in_(same), patient.nhs_number.is_not(None))
    local = select(identifier.local_id).where(identifier.patient_id.in_(same))
    found = [n for n in work.connection.execute(nhs).scalars() if n]
    shown = [format_nhs_number(number) for number in found]
    hospital = work.connection.execute(local).scalars().all()
    return tuple(json.dumps(each) for each in (*found, *shown, *hospital))


def _ids(work: Work, same: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of the person's treatments and of the requests on them."""
    treatment, request = tables.treatment.c, tables.request.c
    treatments = select(treatment.id).where(treatment.patient_id.in_(same))
    requests = select(request.id).where(request.treatment_id.in_(treatments))
    return tuple(
        id_ for query in (treatments, requests) for id_ in work.connection.execute(query).scalars()
    )


def _drafts(work: Work, ids: tuple[str, ...], numbers: tuple[str, ...]) -> int:
    draft = tables.draft
    rows = work.connection.execute(
        select(
            draft.c.id,
            draft.c.treatment_id,
            draft.c.submitted_request,
            draft.c.form,
            draft.c.answers,
        )
    ).all()
    theirs = [row.id for row in rows if _names(row, ids, numbers)]
    empty: dict[str, Any] = {}
    closed = {"form": empty, "answers": empty}
    work.connection.execute(update(draft).where(draft.c.id.in_(theirs)).values(**closed))
    work.connection.execute(
        update(draft)
        .where(
            draft.c.id.in_(theirs),
            draft.c.discarded_at.is_(None),
            draft.c.submitted_request.is_(None),
        )
        .values(discarded_at=work.moment.instant)
    )
    return len(theirs)


def _names(row: Any, ids: tuple[str, ...], numbers: tuple[str, ...]) -> bool:
    if row.treatment_id in ids or row.submitted_request in ids:
        return True
    text = json.dumps([row.form, row.answers])
    return any(number in text for number in numbers)


def _answers(
    work: Work, same: tuple[str, ...], ids: tuple[str, ...], numbers: tuple[str, ...]
) -> int:
    """The keys stay, so that a late repeat is never carried out as a second write."""
    answer = tables.idempotent_answer
    tells: list[ColumnElement[bool]] = [
        answer.c.body.contains(each, autoescape=True) for each in (*same, *ids, *numbers)
    ]
    done = work.connection.execute(
        update(answer).where(or_(false(), *tells)).values(body=None, headers={})
    )
    return done.rowcount


def _words(work: Work, same: tuple[str, ...]) -> int:
    count = 0
    for table, columns in _WORDS:
        for name in columns:
            column = table.c[name]
            done = work.connection.execute(
                update(table)
                .where(table.c.patient_id.in_(same), column.is_not(None), column != ERASED)
                .values({name: ERASED})
            )
            count += done.rowcount
    return count
