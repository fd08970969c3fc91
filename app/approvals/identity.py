"""Who the patient is: finding and adding patient records.

An NHS number leads to one record for the whole service; a hospital number to one record of that
hospital. Whatever contradicts the record stops the submission with a question; nothing is merged
by guessing. No message repeats an identifier or a date.
"""

import datetime as dt
import hashlib
import re
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, select, text

from app.approvals import added
from app.approvals.errors import DetailsNotAccepted, NotFound, PatientContradiction, RecordEnded
from app.approvals.model import PatientDetails, PatientRecord
from app.approvals.store import all_treatments_of, as_record, columns_of
from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.statements import Row, Sending, Statement
from app.db.work import Work
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number

#: No living patient is older; an earlier year is a slip of the keyboard.
EARLIEST_BIRTH_YEAR = 1900
SEXES = ("male", "female", "indeterminate", "not known")
LONGEST_LOCAL_ID = 20
_PRACTICE = re.compile(r"[A-Z0-9]{6}")
#: Takes the locks one after the other, in the order given.
_WAIT = Statement(
    text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) key")
)
#: What a block of `Work.keeping` keeps of a person that it has locked.
_LOCKED, _PATIENT, _SAME, _DEATH = "locked person", "patient", "same person", "death"
_ADD = Statement(insert(tables.patient))
_KEEP = Statement(insert(tables.patient_identifier))
_BY_NUMBER = select(tables.patient).where(tables.patient.c.nhs_number == bindparam("number"))
_NUMBERED = Statement(_BY_NUMBER)
_NUMBERED_AND_BORN = Statement(
    _BY_NUMBER.where(tables.patient.c.birth_date == bindparam("birth_date"))
)
_BY_ID = Statement(select(tables.patient).where(tables.patient.c.id == bindparam("asked")))
_HOLDER = Statement(
    select(tables.patient_identifier.c.patient_id).where(
        tables.patient_identifier.c.organisation == bindparam("whose"),
        tables.patient_identifier.c.local_id == bindparam("number"),
    )
)
_LINKED = Statement(
    select(tables.patient.c.id)
    .where(tables.patient.c.linked_to == bindparam("canonical"))
    .order_by(tables.patient.c.id)
)
_DEATHS = select(func.min(tables.patient_death.c.died_on)).where(
    tables.patient_death.c.patient_id.in_(bindparam("same", expanding=True)),
    tables.patient_death.c.taken_back_at.is_(None),
)


def check_details(details: PatientDetails, today: dt.date) -> PatientDetails:
    """The details with a normalised NHS number; DetailsNotAccepted names the field to mend."""
    if details.birth_date > today:
        raise DetailsNotAccepted("patient.birth_date", "The birth date lies in the future.")
    if details.birth_date.year < EARLIEST_BIRTH_YEAR:
        raise DetailsNotAccepted("patient.birth_date", "The birth date is before 1900: check it.")
    if details.sex not in SEXES:
        raise DetailsNotAccepted("patient.sex", f"Give the sex as one of {', '.join(SEXES)}.")
    _check_local_codes(details)
    if details.nhs_number is None:
        return _check_without_number(details)
    if details.no_nhs_number_reason is not None:
        raise DetailsNotAccepted(
            "patient.no_nhs_number_reason",
            "Give either an NHS number or a reason for having none, not both.",
        )
    try:
        return replace(details, nhs_number=parse_nhs_number(details.nhs_number))
    except InvalidNhsNumber as error:
        raise DetailsNotAccepted("patient.nhs_number", str(error)) from None


def _check_local_codes(details: PatientDetails) -> None:
    if details.local_id is not None and not 1 <= len(details.local_id) <= LONGEST_LOCAL_ID:
        raise DetailsNotAccepted(
            "patient.local_id", f"Give a hospital number of 1 to {LONGEST_LOCAL_ID} characters."
        )
    if details.gp_practice is not None and not _PRACTICE.fullmatch(details.gp_practice):
        raise DetailsNotAccepted(
            "patient.gp_practice",
            "Give the practice's code: six capital letters and digits.",
        )


def _check_without_number(details: PatientDetails) -> PatientDetails:
    if details.no_nhs_number_reason is None:
        raise DetailsNotAccepted(
            "patient.nhs_number",
            "Give the NHS number, or a reason for having none (newborn, unregistered, overseas, "
            "withheld).",
        )
    if not details.local_id:
        raise DetailsNotAccepted(
            "patient.local_id",
            "Without an NHS number the hospital number is needed to know the patient again.",
        )
    return details


def identify(work: Work, caller: Caller, details: PatientDetails) -> PatientRecord:
    """The patient's record, found or added, locked until the transaction ends.

    Raises PatientContradiction when birth date or hospital number lead elsewhere.
    """
    serialise(work, _lock_names(caller, details))
    holder = _ask_holder(work, caller, details)
    found = _by_nhs_number(work, details) or _by_local_id(work, details, holder)
    known = _check_local_id(work, found, holder)
    if found is None:
        found = add(work, caller, details)
    elif found.birth_date != details.birth_date:
        raise contradiction(found)
    if not known:
        _keep_local_id(work, caller, details, found)
    return found


def find_existing(work: Work, caller: Caller, details: PatientDetails) -> PatientRecord | None:
    """The record that the details lead to, without adding anything; contradictions as above."""
    holder = _ask_holder(work, caller, details)
    found = _by_nhs_number(work, details) or _by_local_id(work, details, holder)
    _check_local_id(work, found, holder)
    if found is not None and found.birth_date != details.birth_date:
        raise contradiction(found)
    return found


def contradiction(found: PatientRecord | None = None) -> PatientContradiction:
    """The question to ask when a birth date differs from the record's. It repeats neither."""
    return PatientContradiction(
        "The birth date given differs from the one on this patient's record. Which is right? "
        "Check the NHS number and the birth date against the patient's notes; if the record is "
        "wrong, have it corrected before you submit.",
        found,
    )


def patient(work: Work, patient_id: str) -> PatientRecord:
    """The record of that id. Callers have already found something of it that they may see."""
    if (_PATIENT, patient_id) in work.kept:
        kept: PatientRecord = work.kept[_PATIENT, patient_id]
        return kept
    row = _row(work, _BY_ID, {"asked": patient_id})
    if row is None:
        raise NotFound("patient")
    return as_record(PatientRecord, row)


def known_by(work: Work, nhs_number: str, birth_date: dt.date) -> PatientRecord | None:
    """The record of an NHS number, if the birth date fits it too, whoever registered it.

    Raises DetailsNotAccepted for what cannot be an NHS number. A birth date that does not fit
    gives the same as a number that nobody has.
    """
    try:
        number = parse_nhs_number(nhs_number)
    except InvalidNhsNumber as error:
        raise DetailsNotAccepted("nhs_number", str(error)) from None
    row = _row(work, _NUMBERED_AND_BORN, {"number": number, "birth_date": birth_date})
    return None if row is None else as_record(PatientRecord, row)


def has_number(work: Work, nhs_number: str) -> bool:
    """Whether anybody's record has this NHS number, whoever registered it."""
    return _row(work, _NUMBERED, {"number": nhs_number}) is not None


def same_person(work: Work, canonical_id: str) -> tuple[str, ...]:
    """The ids of every record that stands for this person, the canonical one first."""
    key = (_SAME, canonical_id)
    if key in work.kept:
        same: tuple[str, ...] = work.kept[key]
        return same
    with work.beyond_scope():
        linked = work.ask(_LINKED, {"canonical": canonical_id})
    same = (canonical_id, *(row["id"] for row in linked))
    if (_LOCKED, canonical_id) in work.kept:
        work.kept[key] = same
    return same


def day_of_death(work: Work, person: PatientRecord) -> dt.date | None:
    """The day of the person's death, whoever recorded it; None while they live.

    Whoever records a death, or takes it back, holds the person.
    """
    key = (_DEATH, person.canonical_id)
    if key in work.kept:
        known: dt.date | None = work.kept[key]
        return known
    same = same_person(work, person.canonical_id)
    with work.beyond_scope():
        died_on: dt.date | None = work.connection.execute(_DEATHS, {"same": same}).scalar_one()
    if (_LOCKED, person.canonical_id) in work.kept:
        work.kept[key] = died_on
    return died_on


def _row(work: Work, query: Statement, values: dict[str, Any]) -> Row | None:
    """A patient's row, whoever registered it: one person is one record for the whole service."""
    with work.beyond_scope():
        found = work.ask(query, values)
    return found[0] if found else None


def lock_person(work: Work, record_of: PatientRecord) -> PatientRecord:
    """Hold the person, so that two requests for one patient are decided one after the other.

    Returns the record as it is after the wait: it may have been linked or unlinked meanwhile.
    Raises RecordEnded for one whose identity is no longer kept.
    """
    if (_LOCKED, record_of.canonical_id) in work.kept and (_PATIENT, record_of.id) in work.kept:
        return patient(work, record_of.id)
    held = record_of
    while True:
        serialise(work, [f"person:{held.canonical_id}"])
        with work.beyond_scope():
            fresh = patient(work, held.id)
            if fresh.has_ended:
                raise RecordEnded
            if fresh.canonical_id == held.canonical_id:
                _keep_locked(work, fresh)
                return fresh
        held = fresh


def _keep_locked(work: Work, fresh: PatientRecord) -> None:
    """Read at once what rules ask of a locked person, whichever organisation wrote it."""
    if work.keeps:
        work.kept[_LOCKED, fresh.canonical_id] = True
        work.kept[_PATIENT, fresh.id] = fresh
        all_treatments_of(work, same_person(work, fresh.canonical_id))
        day_of_death(work, fresh)


def local_id_of(work: Work, organisation: str, patient_id: str) -> str | None:
    """The patient's hospital number at one organisation, if it gave one."""
    identifier = tables.patient_identifier.c
    return work.connection.execute(
        select(identifier.local_id)
        .where(and_(identifier.patient_id == patient_id, identifier.organisation == organisation))
        .order_by(identifier.recorded_at.desc())
        .limit(1)
    ).scalar_one_or_none()


# --- finding and adding -------------------------------------------------------------------------


def _lock_names(caller: Caller, details: PatientDetails) -> list[str]:
    names = []
    if details.nhs_number:
        names.append(f"nhs:{details.nhs_number}")
    if details.local_id:
        names.append(f"local:{caller.organisation}:{details.local_id}")
    return sorted(names)


def serialise(work: Work, names: list[str]) -> None:
    """Wait for other transactions on the same names. SQLite has one writer, so it need not."""
    if not work.on_postgres:
        return
    digests = (hashlib.sha256(name.encode()).digest() for name in names)
    keys = [int.from_bytes(digest[:8], "big", signed=True) for digest in digests]
    if keys:
        work.write(_WAIT, {"keys": keys})


def _by_nhs_number(work: Work, details: PatientDetails) -> PatientRecord | None:
    if details.nhs_number is None:
        return None
    row = _row(work, _NUMBERED, {"number": details.nhs_number})
    return None if row is None else as_record(PatientRecord, row)


def _ask_holder(work: Work, caller: Caller, details: PatientDetails) -> Sending | None:
    """Ask who has the hospital number; answered together with the next question."""
    if not details.local_id:
        return None
    return work.wonder(_HOLDER, {"whose": caller.organisation, "number": details.local_id})


def _by_local_id(
    work: Work, details: PatientDetails, holder: Sending | None
) -> PatientRecord | None:
    if holder is None or details.nhs_number is not None:
        return None
    rows = work.answer(holder)
    return patient(work, rows[0]["patient_id"]) if rows else None


def _check_local_id(work: Work, found: PatientRecord | None, holder: Sending | None) -> bool:
    """Whether the hospital number is on record already; PatientContradiction for another's."""
    rows = [] if holder is None else work.answer(holder)
    if not rows:
        return False
    held_by = rows[0]["patient_id"]
    if found is not None and held_by == found.id:
        return True
    other = patient(work, held_by)
    if found is not None and other.canonical_id == found.canonical_id:
        return True
    raise PatientContradiction(
        "This hospital number belongs to another patient record of your organisation. Which is "
        "right? Check both numbers. If they are one person, link the two records first; if the "
        "patient has been given an NHS number since, record it on the patient's record first."
    )


def add(work: Work, caller: Caller, details: PatientDetails) -> PatientRecord:
    new = PatientRecord(
        id=work.new_id(),
        nhs_number=details.nhs_number,
        no_nhs_number_reason=details.no_nhs_number_reason,
        registered_by=caller.organisation,
        birth_date=details.birth_date,
        sex=details.sex,
        linked_to=None,
    )
    work.write(_ADD, {**columns_of(new), "created_at": work.moment.instant})
    event = Event(
        action="patient added",
        object_type="patient",
        object_id=new.id,
        patient_id=new.id,
        before=None,
        after={"no_nhs_number_reason": details.no_nhs_number_reason},
    )
    record(work, caller.actor(), event)
    _keep_new(work, new)
    return new


def _keep_new(work: Work, new: PatientRecord) -> None:
    """A record that nobody else sees yet is locked by that, and nothing can hang on it."""
    added.note_person(work, new.id)
    if work.keeps:
        work.kept[_LOCKED, new.id] = True
        work.kept[_PATIENT, new.id] = new
        work.kept[_SAME, new.id] = (new.id,)
        work.kept[_DEATH, new.id] = None


def _keep_local_id(
    work: Work, caller: Caller, details: PatientDetails, found: PatientRecord
) -> None:
    if not details.local_id:
        return
    work.write(
        _KEEP,
        {
            "id": work.new_id(),
            "organisation": caller.organisation,
            "local_id": details.local_id,
            "patient_id": found.id,
            "gp_practice": details.gp_practice,
            "recorded_at": work.moment.instant,
        },
    )
