"""The SQL of imports: the import itself, the references it brought, and its patients."""

import hashlib
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import RowMapping, and_, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from app.approvals import patients
from app.approvals.errors import NotFound
from app.approvals.import_model import Candidate, ImportState
from app.approvals.model import ApprovalRecord, PatientDetails, PatientRecord, TreatmentRecord
from app.approvals.store import all_requests_of, as_record, treatments_for
from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import PolicyVersion

#: An export names neither; both stay open until somebody who knows records them.
SEX = "not known"


def open_import(work: Work, caller: Caller, digest: str, file_name: str) -> RowMapping:
    """The organisation's import of this very file, begun if it is new, locked."""
    imports = tables.approval_import
    dialect: Any = postgresql if work.on_postgres else sqlite
    work.connection.execute(
        dialect.insert(imports)
        .values(
            id=work.new_id(),
            organisation=caller.organisation,
            sha256=digest,
            file_name=file_name,
            state=ImportState.PREVIEWED.value,
            rows=[],
            created_at=work.moment.instant,
            created_by=caller.id,
        )
        .on_conflict_do_nothing(index_elements=["organisation", "sha256"])
    )
    mine = and_(imports.c.organisation == caller.organisation, imports.c.sha256 == digest)
    return work.connection.execute(select(imports).where(mine).with_for_update()).mappings().one()


def find_import(work: Work, caller: Caller, import_id: str, lock: bool = False) -> RowMapping:
    """An import of the caller's organisation; NotFound otherwise."""
    imports = tables.approval_import
    query = select(imports).where(
        and_(imports.c.id == import_id, imports.c.organisation == caller.organisation)
    )
    found = work.connection.execute(query.with_for_update() if lock else query)
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound("import")
    return row


def save_import(
    work: Work, caller: Caller, import_id: str, event: Event, changes: dict[str, Any]
) -> None:
    """Change an import and record it, together."""
    imports = tables.approval_import
    work.connection.execute(update(imports).where(imports.c.id == import_id).values(**changes))
    record(work, caller.actor(), event)


def hold_provider(work: Work, provider: str) -> None:
    """Let imports into one provider run one after the other; SQLite has one writer anyway."""
    if not work.on_postgres:
        return
    name = hashlib.sha256(f"import:{provider}".encode()).digest()
    key = int.from_bytes(name[:8], "big", signed=True)
    work.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def imported_as(work: Work, provider: str, legacy_reference: str) -> ApprovalRecord | None:
    """The approval that an earlier import made of the old reference, whoever pays for it.

    A provider's old reference is of one approval. Callers tell those alone who have a part in it.
    """
    approval = tables.approval
    query = select(approval).where(
        and_(approval.c.provider == provider, approval.c.legacy_reference == legacy_reference)
    )
    with work.beyond_scope():
        row = work.connection.execute(query).mappings().one_or_none()
    return None if row is None else as_record(ApprovalRecord, row)


def imported_treatment(
    work: Work, person: PatientRecord, candidate: Candidate, version: PolicyVersion
) -> TreatmentRecord | None:
    """A running treatment that earlier rows made for the same patient, policy and organisations.

    Treatments with a request of this service's own are left alone: their history is known.
    """
    same = patients.same_person(work, person.canonical_id)
    wanted = (candidate.provider, candidate.commissioner, candidate.policy)
    for treatment in treatments_for(work, same, version.drug, version.indication.key):
        theirs = (treatment.provider, treatment.commissioner, treatment.policy)
        running = treatment.stopped_on is None and treatment.not_started_on is None
        if theirs == wanted and running and not all_requests_of(work, treatment.id):
            return treatment
    return None


# --- patients -----------------------------------------------------------------------------------


def find_patient(work: Work, caller: Caller, candidate: Candidate) -> PatientRecord | None:
    """The patient's record, locked, if there is one. Raises PatientContradiction.

    Hospital numbers are the row's provider's, also where its commissioner imports it, who does not
    see them otherwise.
    """
    at_provider = replace(caller, organisation=candidate.provider)
    with work.beyond_scope():
        found = patients.find_existing(work, at_provider, details_of(candidate))
    if found is not None:
        patients.lock_person(work, found)
    return found


def keep_patient(
    work: Work, caller: Caller, candidate: Candidate, found: PatientRecord | None
) -> PatientRecord:
    """The record, added if it is new, with the hospital number beside it.

    Both are the row's provider's, whoever imports it: a commissioner writes them on its behalf.
    """
    person = found or _add_patient(work, caller, candidate)
    if candidate.local_id is not None:
        with work.beyond_scope():
            _keep_local_id(work, candidate, candidate.local_id, person)
    return person


def _add_patient(work: Work, caller: Caller, candidate: Candidate) -> PatientRecord:
    added = PatientRecord(
        id=work.new_id(),
        nhs_number=candidate.nhs_number,
        no_nhs_number_reason=None,  # the old system does not say why
        registered_by=candidate.provider,
        birth_date=candidate.birth_date,
        sex=SEX,
        linked_to=None,
    )
    with work.beyond_scope():
        work.connection.execute(
            insert(tables.patient).values(**asdict(added), created_at=work.moment.instant)
        )
    patients.lock_person(work, added)
    event = Event(
        action="patient added",
        object_type="patient",
        object_id=added.id,
        patient_id=added.id,
        after={"no_nhs_number_reason": None, "origin": "import"},
    )
    record(work, caller.actor(), event)
    return added


def _keep_local_id(work: Work, candidate: Candidate, local_id: str, person: PatientRecord) -> None:
    identifier = tables.patient_identifier
    held = select(identifier.c.id).where(
        and_(identifier.c.organisation == candidate.provider, identifier.c.local_id == local_id)
    )
    if work.connection.execute(held).first() is not None:
        return
    work.connection.execute(
        insert(identifier).values(
            id=work.new_id(),
            organisation=candidate.provider,
            local_id=local_id,
            patient_id=person.id,
            gp_practice=None,
            recorded_at=work.moment.instant,
        )
    )


def details_of(candidate: Candidate) -> PatientDetails:
    return PatientDetails(
        birth_date=candidate.birth_date,
        sex=SEX,
        nhs_number=candidate.nhs_number,
        local_id=candidate.local_id,
    )
