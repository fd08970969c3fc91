"""Who the patient is: finding, adding, linking and unlinking patient records.

An NHS number leads to one record for the whole service; a hospital number to one record of that
hospital. Whatever contradicts the record stops the submission with a question; nothing is merged
by guessing. No message repeats an identifier or a date.
"""

import datetime as dt
import hashlib
from dataclasses import asdict, replace

from sqlalchemy import and_, insert, select, text, update

from app.approvals.errors import AlreadyLinked, DetailsNotAccepted, NotFound, PatientContradiction
from app.approvals.model import PatientDetails, PatientRecord
from app.approvals.permissions import Action, check_can
from app.approvals.store import as_record
from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number

#: No living patient is older; an earlier year is a slip of the keyboard.
EARLIEST_BIRTH_YEAR = 1900
SEXES = ("male", "female", "indeterminate", "not known")


def check_details(details: PatientDetails, today: dt.date) -> PatientDetails:
    """The details with a normalised NHS number; DetailsNotAccepted names the field to mend."""
    if details.birth_date > today:
        raise DetailsNotAccepted("patient.birth_date", "The birth date lies in the future.")
    if details.birth_date.year < EARLIEST_BIRTH_YEAR:
        raise DetailsNotAccepted("patient.birth_date", "The birth date is before 1900: check it.")
    if details.sex not in SEXES:
        raise DetailsNotAccepted("patient.sex", f"Give the sex as one of {', '.join(SEXES)}.")
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
    _serialise(work, _lock_names(caller, details))
    found = _by_nhs_number(work, details) or _by_local_id(work, caller, details)
    _check_local_id(work, caller, details, found)
    if found is None:
        found = _add(work, caller, details)
    elif found.birth_date != details.birth_date:
        raise contradiction()
    _keep_local_id(work, caller, details, found)
    return found


def find_existing(work: Work, caller: Caller, details: PatientDetails) -> PatientRecord | None:
    """The record that the details lead to, without adding anything; contradictions as above."""
    found = _by_nhs_number(work, details) or _by_local_id(work, caller, details)
    _check_local_id(work, caller, details, found)
    if found is not None and found.birth_date != details.birth_date:
        raise contradiction()
    return found


def contradiction() -> PatientContradiction:
    """The question to ask when a birth date differs from the record's. It repeats neither."""
    return PatientContradiction(
        "The birth date given differs from the one on this patient's record. Which is right? "
        "Check the NHS number and the birth date against the patient's notes; if the record is "
        "wrong, have it corrected before you submit."
    )


def patient(work: Work, patient_id: str) -> PatientRecord:
    """The record of that id. Callers have already found something of it that they may see."""
    row = (
        work.connection.execute(select(tables.patient).where(tables.patient.c.id == patient_id))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound("patient")
    return as_record(PatientRecord, row)


def same_person(work: Work, canonical_id: str) -> tuple[str, ...]:
    """The ids of every record that stands for this person, the canonical one first."""
    others = work.connection.execute(
        select(tables.patient.c.id)
        .where(tables.patient.c.linked_to == canonical_id)
        .order_by(tables.patient.c.id)
    ).scalars()
    return (canonical_id, *others)


def lock_person(work: Work, record_of: PatientRecord) -> None:
    """Hold the person, so that two requests for one patient are decided one after the other."""
    _serialise(work, [f"person:{record_of.canonical_id}"])


def local_id_of(work: Work, organisation: str, patient_id: str) -> str | None:
    """The patient's hospital number at one organisation, if it gave one."""
    identifier = tables.patient_identifier.c
    return work.connection.execute(
        select(identifier.local_id)
        .where(and_(identifier.patient_id == patient_id, identifier.organisation == organisation))
        .order_by(identifier.recorded_at.desc())
        .limit(1)
    ).scalar_one_or_none()


# --- linking ------------------------------------------------------------------------------------


def link(work: Work, caller: Caller, patient_id: str, to: str, reason: str) -> PatientRecord:
    """Record that two of the caller's patient records are one person; `to` stands for both.

    Raises AlreadyLinked when either is linked already, when both carry NHS numbers, when the birth
    dates differ, or when both have a live approval for the same drug and indication.
    """
    check_can(caller, Action.LINK_PATIENTS)
    first, second = _own(work, caller, patient_id), _own(work, caller, to)
    _serialise(work, sorted([f"person:{first.id}", f"person:{second.id}"]))
    _check_linkable(work, first, second)
    work.connection.execute(
        insert(tables.patient_link).values(
            id=work.new_id(),
            patient_id=first.id,
            linked_to=second.id,
            linked_at=work.moment.instant,
            linked_by=caller.id,
            reason=reason,
        )
    )
    linked = _point(work, first, second.id)
    live = tables.live_treatment
    work.connection.execute(
        update(live).where(live.c.patient_id == first.id).values(patient_id=second.id)
    )
    _log(work, caller, "patient linked", first, {"linked_to": second.id, "reason": reason})
    return linked


def unlink(work: Work, caller: Caller, patient_id: str, reason: str) -> PatientRecord:
    """Take a link back, on record; the live approvals of each record go back to it."""
    check_can(caller, Action.LINK_PATIENTS)
    linked = _own(work, caller, patient_id)
    if linked.linked_to is None:
        raise AlreadyLinked("This patient record is not linked to another. Nothing to take back.")
    _serialise(work, [f"person:{linked.linked_to}"])
    links = tables.patient_link
    work.connection.execute(
        update(links)
        .where(and_(links.c.patient_id == linked.id, links.c.unlinked_at.is_(None)))
        .values(unlinked_at=work.moment.instant, unlinked_by=caller.id, unlink_reason=reason)
    )
    live, treatment = tables.live_treatment, tables.treatment
    own = select(treatment.c.id).where(treatment.c.patient_id == linked.id)
    work.connection.execute(
        update(live).where(live.c.treatment_id.in_(own)).values(patient_id=linked.id)
    )
    _log(work, caller, "patient unlinked", linked, {"linked_to": None, "reason": reason})
    return _point(work, linked, None)


def _check_linkable(work: Work, first: PatientRecord, second: PatientRecord) -> None:
    if first.id == second.id:
        raise AlreadyLinked("A record cannot be linked to itself.")
    if first.linked_to is not None or second.linked_to is not None:
        raise AlreadyLinked("One of the records is linked already. Unlink it first.")
    if len(same_person(work, first.id)) > 1:
        raise AlreadyLinked("Other records are linked to the first one. Unlink them first.")
    if first.nhs_number is not None and second.nhs_number is not None:
        raise AlreadyLinked(
            "Both records carry an NHS number, and they differ. One person has one number: have "
            "it corrected in the spine before anything is linked."
        )
    if first.nhs_number is not None:
        raise AlreadyLinked("Link the record without an NHS number to the one that has it.")
    if first.birth_date != second.birth_date:
        raise AlreadyLinked("The two records have different birth dates. Check which is right.")
    live = tables.live_treatment.c
    held = [
        set(
            work.connection.execute(
                select(live.drug, live.indication).where(live.patient_id == one.id)
            ).tuples()
        )
        for one in (first, second)
    ]
    if held[0] & held[1]:
        raise AlreadyLinked(
            "Both records have a live approval for the same drug and indication. Stop one of the "
            "treatments, or have its approval withdrawn, before linking."
        )


def _own(work: Work, caller: Caller, patient_id: str) -> PatientRecord:
    """A patient record known to the caller's organisation: it registered or identified it."""
    identifier = tables.patient_identifier.c
    known = select(identifier.patient_id).where(identifier.organisation == caller.organisation)
    row = (
        work.connection.execute(
            select(tables.patient).where(
                and_(
                    tables.patient.c.id == patient_id,
                    (tables.patient.c.registered_by == caller.organisation)
                    | tables.patient.c.id.in_(known),
                )
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound("patient")
    return as_record(PatientRecord, row)


def _point(work: Work, one: PatientRecord, to: str | None) -> PatientRecord:
    work.connection.execute(
        update(tables.patient).where(tables.patient.c.id == one.id).values(linked_to=to)
    )
    return replace(one, linked_to=to)


def _log(
    work: Work, caller: Caller, action: str, one: PatientRecord, after: dict[str, str | None]
) -> None:
    event = Event(
        action=action,
        object_type="patient",
        object_id=one.id,
        patient_id=one.id,
        before={"linked_to": one.linked_to},
        after=dict(after),
    )
    record(work, caller.actor(), event)


# --- finding and adding -------------------------------------------------------------------------


def _lock_names(caller: Caller, details: PatientDetails) -> list[str]:
    names = []
    if details.nhs_number:
        names.append(f"nhs:{details.nhs_number}")
    if details.local_id:
        names.append(f"local:{caller.organisation}:{details.local_id}")
    return sorted(names)


def _serialise(work: Work, names: list[str]) -> None:
    """Wait for other transactions on the same names. SQLite has one writer, so it need not."""
    if work.connection.dialect.name != "postgresql":
        return
    for name in names:
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        work.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _by_nhs_number(work: Work, details: PatientDetails) -> PatientRecord | None:
    if details.nhs_number is None:
        return None
    row = (
        work.connection.execute(
            select(tables.patient).where(tables.patient.c.nhs_number == details.nhs_number)
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else as_record(PatientRecord, row)


def _by_local_id(work: Work, caller: Caller, details: PatientDetails) -> PatientRecord | None:
    if not details.local_id or details.nhs_number is not None:
        return None
    holder = _holder(work, caller, details.local_id)
    return None if holder is None else patient(work, holder)


def _holder(work: Work, caller: Caller, local_id: str) -> str | None:
    identifier = tables.patient_identifier.c
    return work.connection.execute(
        select(identifier.patient_id).where(
            and_(identifier.organisation == caller.organisation, identifier.local_id == local_id)
        )
    ).scalar_one_or_none()


def _check_local_id(
    work: Work, caller: Caller, details: PatientDetails, found: PatientRecord | None
) -> None:
    if not details.local_id:
        return
    holder = _holder(work, caller, details.local_id)
    if holder is None or (found is not None and holder == found.id):
        return
    other = patient(work, holder)
    if found is not None and other.canonical_id == found.canonical_id:
        return
    raise PatientContradiction(
        "This hospital number belongs to another patient record of your organisation. Which is "
        "right? Check both numbers; if they are the same person, link the two records first."
    )


def _add(work: Work, caller: Caller, details: PatientDetails) -> PatientRecord:
    added = PatientRecord(
        id=work.new_id(),
        nhs_number=details.nhs_number,
        no_nhs_number_reason=details.no_nhs_number_reason,
        registered_by=caller.organisation,
        birth_date=details.birth_date,
        sex=details.sex,
        linked_to=None,
    )
    work.connection.execute(
        insert(tables.patient).values(**asdict(added), created_at=work.moment.instant)
    )
    event = Event(
        action="patient added",
        object_type="patient",
        object_id=added.id,
        patient_id=added.id,
        before=None,
        after={"no_nhs_number_reason": details.no_nhs_number_reason},
    )
    record(work, caller.actor(), event)
    return added


def _keep_local_id(
    work: Work, caller: Caller, details: PatientDetails, found: PatientRecord
) -> None:
    if not details.local_id or _holder(work, caller, details.local_id) is not None:
        return
    work.connection.execute(
        insert(tables.patient_identifier).values(
            id=work.new_id(),
            organisation=caller.organisation,
            local_id=details.local_id,
            patient_id=found.id,
            gp_practice=details.gp_practice,
            recorded_at=work.moment.instant,
        )
    )
