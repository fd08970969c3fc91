"""Erasing what is kept of a patient beside the record of their treatment.

Gone afterwards: the payloads of the audit log, drafts, answers that were begun and not sent,
stored answers of writes, attached files,
what imports that nobody accepted yet hold, and the free words of declarations, links, objections
and break-glass; those about the patient's invoiced lines are `app.reconciliation.erasing`'s. Kept:
who the patient is, requests with their answers, decisions, approvals and segments, since payment
and the replay of decisions rest on them; and the events of the log, so that its chain stays whole.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, delete, false, null, or_, select, update

from app.approvals import patients
from app.approvals.errors import NotFound
from app.approvals.import_model import (
    ImportState,
    RowFault,
    Verdict,
    verdict_from_json,
    verdict_to_json,
)
from app.audit import Actor, Event, erase, erase_told_of, record
from app.db import tables
from app.db.work import Work
from app.reference_data.nhs_number import format_nhs_number

ERASED: Final = "[erased]"
_D = tables.draft.c
_OF_DRAFT: Final = (_D.id, _D.treatment_id, _D.submitted_request, _D.form, _D.answers)
#: Columns of free words about a patient, by table; each table has `patient_id`.
_WORDS: Final[tuple[tuple[Table, tuple[str, ...]], ...]] = (
    (tables.care_declaration, ("reason",)),
    (tables.patient_link, ("reason", "unlink_reason")),
    (tables.break_glass, ("words",)),
    (tables.patient_objection, ("words", "withdrawal_words")),
    (tables.patient_death, ("taken_back_why",)),
)


@dataclass(frozen=True, slots=True)
class KnownAs:
    """What the records of one person go by: record ids, numbers, and what was made of them.

    `nhs_numbers` are bare; `local_ids` are hospital numbers, whoever gave them.
    """

    records: tuple[str, ...]
    nhs_numbers: tuple[str, ...]
    local_ids: tuple[str, ...]
    birth_dates: frozenset[dt.date]
    treatments: tuple[str, ...]
    requests: tuple[str, ...]
    references: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of their treatments and requests."""
        return (*self.treatments, *self.requests)

    @property
    def numbers(self) -> tuple[str, ...]:
        """NHS numbers, bare and as shown, and hospital numbers, as JSON writes them."""
        shown = [format_nhs_number(number) for number in self.nhs_numbers]
        return tuple(json.dumps(each) for each in (*self.nhs_numbers, *shown, *self.local_ids))


@dataclass(frozen=True, slots=True)
class Erasure:
    """How many of each were erased; answers that were begun count among the drafts."""

    payloads: int
    drafts: int
    answers: int
    words: int
    import_rows: int
    attachments: int


def known_as(work: Work, patient_id: str) -> KnownAs:
    """What every record that stands for the person goes by; the id alone where there is none."""
    same = _records(work, patient_id)
    patient, identifier = tables.patient.c, tables.patient_identifier.c
    treatment, request, approval = tables.treatment.c, tables.request.c, tables.approval.c

    def every(query: Select[Any]) -> tuple[Any, ...]:
        return tuple(work.connection.execute(query).scalars())

    treatments = select(treatment.id).where(treatment.patient_id.in_(same))
    numbers = select(patient.nhs_number).where(patient.id.in_(same))
    return KnownAs(
        records=same,
        nhs_numbers=every(numbers.where(patient.nhs_number.is_not(None))),
        local_ids=every(select(identifier.local_id).where(identifier.patient_id.in_(same))),
        birth_dates=frozenset(every(select(patient.birth_date).where(patient.id.in_(same)))),
        treatments=every(treatments),
        requests=every(select(request.id).where(request.treatment_id.in_(treatments))),
        references=every(select(approval.reference).where(approval.treatment_id.in_(treatments))),
    )


def erase_patient(work: Work, actor: Actor, patient_id: str, reason: str) -> Erasure:
    """Erase it for every record that stands for the person, and record that. For an operator.

    An id without a record has its payloads erased alone. A draft, or an import's row, that names
    the patient by a number that the record does not hold is not found.
    """
    known = known_as(work, patient_id)
    payloads = sum(erase(work, actor, patient_id=each, reason=reason) for each in known.records)
    on_them = {"treatment": known.treatments, "request": known.requests}
    payloads += erase_told_of(work, actor, ("patient", patient_id), on_them, reason)
    done = Erasure(
        payloads,
        _drafts(work, known.ids, known.numbers) + _begun_answers(work, known.ids, known.numbers),
        erase_answers(work, (*known.records, *known.ids, *known.numbers, *known.references)),
        _words(work, known.records),
        _import_rows(work, known),
        erase_attachments(work, known.requests),
    )
    after = {
        "drafts": done.drafts,
        "answers": done.answers,
        "words": done.words,
        "import rows": done.import_rows,
        "attachments": done.attachments,
    }
    record(work, actor, Event("patient's data erased", "patient", patient_id, after=after))
    return done


def _records(work: Work, patient_id: str) -> tuple[str, ...]:
    """The ids of every record of the person; the id itself where there is no record of it."""
    try:
        known = patients.patient(work, patient_id)
    except NotFound:
        return (patient_id,)
    return patients.same_person(work, known.canonical_id)


@dataclass(frozen=True, slots=True)
class Typed:
    """What waits to be sent or accepted: open drafts, answers begun, and rows of imports."""

    drafts: tuple[Any, ...]
    rows: tuple[Mapping[str, Any], ...]

    def names(self, known: KnownAs) -> bool:
        """Whether any of it is of the person."""
        of_draft = (_names(row, known.ids, known.numbers) for row in self.drafts)
        return any(of_draft) or any(_is_of(row, known) for row in self.rows)


def typed_since(work: Work, instant: dt.datetime) -> Typed:
    """What was typed or sent since, and waits still."""
    draft, imports = tables.draft, tables.approval_import
    opened = (draft.c.submitted_request.is_(None), draft.c.discarded_at.is_(None))
    drafts = work.connection.execute(
        select(*_OF_DRAFT).where(*opened, draft.c.changed_at >= instant)
    ).all()
    waiting = select(imports.c.rows).where(
        imports.c.state == ImportState.PREVIEWED.value, imports.c.created_at >= instant
    )
    begun = _begun(work, tables.begun_answers.c.changed_at >= instant)
    rows = (row for several in work.connection.scalars(waiting) for row in several)
    return Typed((*drafts, *begun), tuple(rows))


def _begun(work: Work, *where: ColumnElement[bool]) -> tuple[Any, ...]:
    """Answers that were begun, read as a draft is: their request is what they would lead to."""
    c = tables.begun_answers.c
    like_drafts = (
        c.request_id.label("id"),
        null().label("treatment_id"),
        c.request_id.label("submitted_request"),
        c.form,
        null().label("answers"),
    )
    return tuple(work.connection.execute(select(*like_drafts).where(*where)).all())


@dataclass(frozen=True, slots=True)
class Forms:
    """Ids of drafts, or of imports: those that name the person, and those that were emptied, of
    which nobody can tell."""

    theirs: frozenset[str]
    emptied: frozenset[str]


def drafts_of(work: Work, known: KnownAs) -> Forms:
    """Drafts of the person: by what they led to, or by what is typed in them."""
    rows = work.connection.execute(select(*_OF_DRAFT)).all()
    theirs = frozenset(row.id for row in rows if _names(row, known.ids, known.numbers))
    return Forms(theirs, frozenset(row.id for row in rows if not row.form) - theirs)


def imports_of(work: Work, known: KnownAs) -> Forms:
    """Imports with a row of the person's: by its number, or the treatment that came of it."""
    imports = tables.approval_import.c
    rows = work.connection.execute(select(imports.id, imports.state, imports.rows)).all()

    def is_theirs(row: Mapping[str, Any]) -> bool:
        return row.get("treatment_id") in known.treatments or _is_of(row, known)

    theirs = frozenset(row.id for row in rows if any(is_theirs(each) for each in row.rows))
    forgotten = (row.id for row in rows if row.state == ImportState.DISCARDED)
    return Forms(theirs, frozenset(forgotten) - theirs)


def _drafts(work: Work, ids: tuple[str, ...], numbers: tuple[str, ...]) -> int:
    draft = tables.draft
    rows = work.connection.execute(select(*_OF_DRAFT)).all()
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


def _begun_answers(work: Work, ids: tuple[str, ...], numbers: tuple[str, ...]) -> int:
    """The rows go whole: their requests stay, and nothing of them is a record of its own."""
    begun = tables.begun_answers
    theirs = [row.id for row in _begun(work) if _names(row, ids, numbers)]
    work.connection.execute(delete(begun).where(begun.c.request_id.in_(theirs)))
    return len(theirs)


def _names(row: Any, ids: tuple[str, ...], numbers: tuple[str, ...]) -> bool:
    if row.treatment_id in ids or row.submitted_request in ids:
        return True
    text = json.dumps([row.form, row.answers])
    return any(number in text for number in numbers)


def erase_answers(work: Work, texts: Iterable[str]) -> int:
    """Erase the stored answers that hold one of these texts; returns how many.

    The keys stay, so that a late repeat is never carried out as a second write.
    """
    answer = tables.idempotent_answer
    tells: list[ColumnElement[bool]] = [
        answer.c.body.contains(each, autoescape=True) for each in texts
    ]
    done = work.connection.execute(
        update(answer).where(or_(false(), *tells)).values(body=None, headers={})
    )
    return done.rowcount


def _import_rows(work: Work, known: KnownAs) -> int:
    """What previews of imports keep of the person until they are accepted; the rows are rejected.

    Each is counted as it would have been: its number and the old reference stay.
    """
    imports = tables.approval_import
    count = 0
    waiting = select(imports.c.id, imports.c.rows).where(
        imports.c.state == ImportState.PREVIEWED.value
    )
    for row in work.connection.execute(waiting.with_for_update()).all():
        rows = [_without(each) if _is_of(each, known) else each for each in row.rows]
        changed = sum(before is not after for before, after in zip(row.rows, rows, strict=True))
        if changed:
            count += changed
            work.connection.execute(update(imports).where(imports.c.id == row.id).values(rows=rows))
    return count


def _is_of(row: Mapping[str, Any], known: KnownAs) -> bool:
    candidate = row.get("candidate")
    if candidate is None:
        return False
    return candidate["nhs_number"] in known.nhs_numbers or candidate["local_id"] in known.local_ids


def _without(row: Mapping[str, Any]) -> dict[str, Any]:
    verdict = replace(
        verdict_from_json(row),
        verdict=Verdict.REJECTED,
        faults=(RowFault(None, "what it said of the patient was erased; it is not imported"),),
        notes=(),
    )
    return verdict_to_json(verdict)


def erase_attachments(work: Work, ids: Sequence[str]) -> int:
    """What was attached to the person's requests; that there was something stays."""
    attachment = tables.request_attachment
    theirs = attachment.c.request_id.in_(ids)
    work.connection.execute(
        update(attachment)
        .where(theirs, attachment.c.removed_why.is_not(None))
        .values(removed_why=ERASED)
    )
    done = work.connection.execute(
        update(attachment)
        .where(theirs, or_(attachment.c.content.is_not(None), attachment.c.title != ERASED))
        .values(content=None, title=ERASED)
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
