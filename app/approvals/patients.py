"""Linking and unlinking patient records, on record; and the names of `identity` for other rooms.

A link says that two records are one person: the second then stands for both. It is made by people,
never by guessing, and can be taken back.
"""

from dataclasses import replace

from sqlalchemy import ColumnElement, Table, exists, insert, or_, select, update

from app.approvals import store
from app.approvals.errors import AlreadyLinked, DetailsNotAccepted, NotFound, RecordEnded
from app.approvals.identity import add as add_record
from app.approvals.identity import check_details as check_details
from app.approvals.identity import contradiction as contradiction
from app.approvals.identity import day_of_death as day_of_death
from app.approvals.identity import find_existing as find_existing
from app.approvals.identity import has_number as has_number
from app.approvals.identity import identify as identify
from app.approvals.identity import known_by as known_by
from app.approvals.identity import local_id_of as local_id_of
from app.approvals.identity import lock_person as lock_person
from app.approvals.identity import patient as patient
from app.approvals.identity import same_person as same_person
from app.approvals.identity import serialise as serialise
from app.approvals.model import PatientDetails, PatientRecord
from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.approvals.standing import is_live
from app.approvals.store import as_record
from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number


def link(work: Work, caller: Caller, patient_id: str, to: str, reason: str) -> PatientRecord:
    """Record that two of the caller's patient records are one person; `to` stands for both.

    Raises AlreadyLinked when either is linked already, when both carry NHS numbers, when the birth
    dates differ, or when both have a live approval for the same drug and indication.
    """
    check_can(caller, Action.LINK_PATIENTS)
    known = [own_record(work, caller, patient_id), own_record(work, caller, to)]
    serialise(work, sorted({f"person:{one.canonical_id}" for one in known}))
    # Read again: another link may have been made while this one waited.
    first, second = own_record(work, caller, patient_id), own_record(work, caller, to)
    _check_linkable(work, first, second)
    return _link(work, caller, first, second, reason)


def record_nhs_number(
    work: Work, caller: Caller, patient_id: str, nhs_number: str, reason: str
) -> PatientRecord:
    """Record that a patient known by hospital number only has been given an NHS number.

    The record of that number, added where there is none, is linked to: it stands for both from
    now on. Raises AlreadyLinked as `link` does, and DetailsNotAccepted for a number that cannot
    be one. Returns the linked record.
    """
    check_can(caller, Action.LINK_PATIENTS)
    try:
        number = parse_nhs_number(nhs_number)
    except InvalidNhsNumber as error:
        raise DetailsNotAccepted("nhs_number", str(error)) from None
    known = own_record(work, caller, patient_id)
    serialise(work, [f"nhs:{number}"])
    details = PatientDetails(birth_date=known.birth_date, sex=known.sex, nhs_number=number)
    numbered = find_existing(work, caller, details) or add_record(work, caller, details)
    serialise(work, sorted({f"person:{one.canonical_id}" for one in (known, numbered)}))
    first, second = own_record(work, caller, patient_id), patient(work, numbered.id)
    _check_linkable(work, first, second)
    return _link(work, caller, first, second, reason)


def pseudonym_of(work: Work, office: Office, organisation: str, one: PatientRecord) -> str | None:
    """What stands for the patient before an organisation; None when no key is set, or nobody
    knows any more who it was.

    Of the NHS number of the person, and so what a submission's lines carry for them; a person
    without one is known by the record that stands for them.
    """
    key = office.pseudonyms.key_of(organisation)
    if key is None or one.has_ended:
        return None
    person = one if one.linked_to is None else patient(work, one.linked_to)
    number = one.nhs_number or person.nhs_number
    return key.of_record(person.id) if number is None else key.of_nhs_number(number)


def _link(
    work: Work, caller: Caller, first: PatientRecord, second: PatientRecord, reason: str
) -> PatientRecord:
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
    with work.beyond_scope():  # one person's approvals, whichever provider holds them
        work.connection.execute(
            update(live).where(live.c.patient_id == first.id).values(patient_id=second.id)
        )
    _log(work, caller, "patient linked", first, {"linked_to": second.id, "reason": reason})
    return linked


def unlink(work: Work, caller: Caller, patient_id: str, reason: str) -> PatientRecord:
    """Take a link back, on record; the live approvals of each record go back to it."""
    check_can(caller, Action.LINK_PATIENTS)
    lock_person(work, own_record(work, caller, patient_id))
    linked = own_record(work, caller, patient_id)
    if linked.linked_to is None:
        raise AlreadyLinked("This patient record is not linked to another. Nothing to take back.")
    links = tables.patient_link
    work.connection.execute(
        update(links)
        .where(links.c.patient_id == linked.id, links.c.unlinked_at.is_(None))
        .values(unlinked_at=work.moment.instant, unlinked_by=caller.id, unlink_reason=reason)
    )
    live, treatment = tables.live_treatment, tables.treatment
    own = select(treatment.c.id).where(treatment.c.patient_id == linked.id)
    with work.beyond_scope():
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
    _check_not_both_live(work, first, second)


def _check_not_both_live(work: Work, first: PatientRecord, second: PatientRecord) -> None:
    """One person has one live approval for a drug and indication; a lapsed one gives way."""
    kept = _held(work, second)
    for key, treatment_id in _held(work, first).items():
        if key not in kept:
            continue
        standing = [one for one in (treatment_id, kept[key]) if _still_live(work, one)]
        if len(standing) > 1:
            raise AlreadyLinked(
                "Both records have a live approval for the same drug and indication. Stop one of "
                "the treatments, or have its approval withdrawn, before linking."
            )
        lapsed = kept[key] if standing == [treatment_id] else treatment_id
        store.clear_live(work, lapsed)


def _held(work: Work, one: PatientRecord) -> dict[tuple[str, str], str]:
    """The treatments marked live on a record, by drug and indication."""
    live = tables.live_treatment.c
    query = select(live.drug, live.indication, live.treatment_id).where(live.patient_id == one.id)
    with work.beyond_scope():
        rows = work.connection.execute(query).all()
    return {(row.drug, row.indication): row.treatment_id for row in rows}


def _still_live(work: Work, treatment_id: str) -> bool:
    return is_live(work, store.treatment_of(work, treatment_id), work.moment.day)


def holds_of(
    table: Table, stands: ColumnElement[bool], patient_id: ColumnElement[str]
) -> ColumnElement[bool]:
    """Condition: a row of the table that stands is about the person of a patient record.

    Each way from one record to another is a look-up of its own by an index: row-level security asks
    its question of the rows found, where a list of everybody would have it asked of every patient.
    """
    of, other = table.c.patient_id, tables.patient.alias()
    record = tables.patient.alias()
    now = select(record.c.linked_to).where(record.c.id == patient_id)
    leads_to = now.correlate_except(record).scalar_subquery()
    direct = [select(of).where(stands, of == each) for each in (patient_id, leads_to)]
    linked = [
        select(of).join(other, other.c.id == of).where(stands, other.c.linked_to == each)
        for each in (patient_id, leads_to)
    ]
    return or_(
        *(exists(each.correlate_except(table)) for each in direct),
        *(exists(each.correlate_except(table, other)) for each in linked),
    )


def own_record(work: Work, caller: Caller, patient_id: str) -> PatientRecord:
    """A patient record known to the caller's organisation: it registered or identified it.

    Raises NotFound, and RecordEnded for one whose identity is no longer kept.
    """
    identifier = tables.patient_identifier.c
    known = select(identifier.patient_id).where(identifier.organisation == caller.organisation)
    row = (
        work.connection.execute(
            select(tables.patient).where(
                tables.patient.c.id == patient_id,
                (tables.patient.c.registered_by == caller.organisation)
                | tables.patient.c.id.in_(known),
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound("patient")
    found = as_record(PatientRecord, row)
    if found.has_ended:
        raise RecordEnded
    return found


def check_kept(work: Work, patient_id: str) -> None:
    """Raise RecordEnded where who the patient was is no longer kept."""
    if patient(work, patient_id).has_ended:
        raise RecordEnded


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
