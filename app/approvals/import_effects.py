"""What importing one old approval writes: a patient, a treatment, an approval and its coverage.

The approval is marked imported and unproved. It has no request, no decision and no findings,
because none were made here: so its policy's baseline is asked for at the first continuation.
"""

import datetime as dt

from app.approvals import import_store, issuing, reference, store
from app.approvals.effects import terms_of
from app.approvals.errors import AlreadyApproved, PatientContradiction
from app.approvals.guessing import GuessesOfFile
from app.approvals.import_model import Candidate, RowFault, RowVerdict, Verdict
from app.approvals.import_rows import version_on
from app.approvals.library import Library
from app.approvals.lifecycle import ApprovalState
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    FundingOrigin,
    PatientRecord,
    SegmentRecord,
    StopReason,
    TreatmentRecord,
)
from app.approvals.paying import add_days
from app.audit import Event
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import PolicyVersion

_CONTRADICTED = RowFault(
    None,
    "the birth date or the hospital number contradicts the patient's record here; check both "
    "against the notes, and link the records if they are one person",
)
_TOO_MANY = RowFault(
    None,
    "too many rows name patients of other hospitals by a birth date that is not theirs, so this "
    "one was not looked at; check those that are told, and send this row again after an hour",
)
_LIVE = RowFault(
    None,
    "the patient already has a live approval for this drug and indication; send a continuation "
    "on that treatment, or have it transferred",
)
_NOT_YOURS = RowFault(
    None,
    "the provider's old reference is that of an approval which you have no part in; check it",
)
_CHANGED_SINCE = "Later changes in the old system are not taken over: record them here."


def import_one(
    work: Work, library: Library, caller: Caller, candidate: Candidate, guesses: GuessesOfFile
) -> RowVerdict:
    """Import one candidate, or say why not. Everything is checked before anything is written.

    Of another provider's patient nothing is told once `guesses` has no more.
    """
    known = import_store.imported_as(work, candidate.provider, candidate.legacy_reference)
    if known is not None:
        if caller.organisation not in (known.provider, known.commissioner):
            return _rejected(candidate, _NOT_YOURS)
        return _already(candidate, known)
    version = version_on(library, candidate.policy, candidate.covers_from)
    try:
        found = import_store.find_patient(work, caller, candidate)
        if found is not None and not guesses.may_tell(work, found):
            return _rejected(candidate, _TOO_MANY)
        if found is not None and candidate.covers_on(work.moment.day):
            _check_none_live(work, found, candidate, version)
    except PatientContradiction as refused:
        if refused.patient is not None:
            if not guesses.may_tell(work, refused.patient):
                return _rejected(candidate, _TOO_MANY)
            guesses.told(work, refused.patient, import_store.details_of(candidate))
        return _rejected(candidate, _CONTRADICTED)
    except AlreadyApproved:
        return _rejected(candidate, _LIVE)
    person = import_store.keep_patient(work, caller, candidate, found)
    treatment = _treatment(work, caller, candidate, person, version)
    approval = _approval(work, caller, candidate, treatment, version)
    if candidate.ended_on is None:
        _claim(work, person, treatment, candidate.covers_on(work.moment.day))
    return RowVerdict(
        row=candidate.row,
        verdict=Verdict.ACCEPTED,
        notes=candidate.notes,
        legacy_reference=candidate.legacy_reference,
        reference=approval.reference,
        treatment_id=treatment.id,
    )


def _already(candidate: Candidate, known: ApprovalRecord) -> RowVerdict:
    return RowVerdict(
        row=candidate.row,
        verdict=Verdict.ALREADY,
        notes=(_CHANGED_SINCE,),
        legacy_reference=candidate.legacy_reference,
        reference=known.reference,
        treatment_id=known.treatment_id,
    )


def _rejected(candidate: Candidate, fault: RowFault) -> RowVerdict:
    return RowVerdict(
        row=candidate.row,
        verdict=Verdict.REJECTED,
        faults=(fault,),
        legacy_reference=candidate.legacy_reference,
    )


def _check_none_live(
    work: Work, person: PatientRecord, candidate: Candidate, version: PolicyVersion
) -> None:
    issuing.check_none_live(
        work,
        person,
        version.drug,
        version.indication.key,
        candidate.provider,
        work.moment.day,
    )


def _treatment(
    work: Work,
    caller: Caller,
    candidate: Candidate,
    person: PatientRecord,
    version: PolicyVersion,
) -> TreatmentRecord:
    """The running treatment that earlier rows opened, or a new one; an ended one is its own."""
    if candidate.ended_on is None:
        running = import_store.imported_treatment(work, person, candidate, version)
        if running is not None:
            return running
    treatment = TreatmentRecord(
        id=work.new_id(),
        patient_id=person.id,
        drug=version.drug,
        indication=version.indication.key,
        policy=candidate.policy,
        provider=candidate.provider,
        commissioner=candidate.commissioner,
        first_dose=candidate.first_dose,
        not_started_on=None,
        stopped_on=candidate.ended_on,
        stop_reason=StopReason.COURSE_COMPLETE if candidate.course_complete else None,
        created_at=work.moment.instant,
        version=1,
    )
    event = Event(
        action="treatment imported",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        patient_id=person.id,
        after={
            "drug": treatment.drug,
            "indication": treatment.indication,
            "first_dose": _text(treatment.first_dose),
            "stopped_on": _text(treatment.stopped_on),
        },
    )
    store.add(work, tables.treatment, treatment, caller.actor(), event)
    return treatment


def _approval(
    work: Work,
    caller: Caller,
    candidate: Candidate,
    treatment: TreatmentRecord,
    version: PolicyVersion,
) -> ApprovalRecord:
    """The approval under a reference of our own, beside the old one, and its coverage."""
    approval = ApprovalRecord(
        id=work.new_id(),
        reference=reference.mint(work.random_bytes),
        treatment_id=treatment.id,
        request_id=None,
        decision_id=None,
        state=ApprovalState.LIVE if candidate.ended_on is None else ApprovalState.ENDED,
        basis=Basis.IMPORTED,
        covers_from=candidate.covers_from,
        covers_to=candidate.covers_to,
        start_by=None,
        late=False,
        retrospective_reason=None,
        terms=terms_of(version),
        provider=candidate.provider,
        commissioner=candidate.commissioner,
        policy_hash=None,  # no version of ours decided it
        legacy_reference=candidate.legacy_reference,
        proved=False,
        issued_at=work.moment.instant,
        version=1,
    )
    event = Event(
        action="approval imported",
        object_type="approval",
        object_id=approval.id,
        treatment_id=treatment.id,
        patient_id=treatment.patient_id,
        after={
            "reference": approval.reference,
            "legacy_reference": approval.legacy_reference,
            "basis": approval.basis.value,
            "covers_from": _text(approval.covers_from),
            "covers_to": _text(approval.covers_to),
            "proved": False,
        },
    )
    store.add(work, tables.approval, approval, caller.actor(), event)
    add_days(work, treatment, _segment(work, candidate, approval))
    return approval


def _segment(work: Work, candidate: Candidate, approval: ApprovalRecord) -> SegmentRecord:
    return SegmentRecord(
        id=work.new_id(),
        treatment_id=approval.treatment_id,
        approval_id=approval.id,
        request_id=None,
        kind="coverage",
        from_day=candidate.covers_from,
        to_day=candidate.covers_to,
        provider=candidate.provider,
        supplying_providers=[],
        commissioner=candidate.commissioner,
        product=candidate.product,
        route=None,
        dose_amount=None,
        dose_unit=None,
        dose_every_days=None,
        unit_price_cap=None,
        price_unit=None,
        quantity_cap=None,
        quantity_unit=None,
        funding_origin=FundingOrigin.NHS,
        recorded_at=work.moment.instant,
        superseded_at=None,
    )


def _claim(work: Work, person: PatientRecord, treatment: TreatmentRecord, live: bool) -> None:
    """Mark the treatment as the patient's live one, as a native approval would be.

    One whose coverage has lapsed takes the mark only while nobody holds it.
    """
    key = (person.canonical_id, treatment.drug, treatment.indication)
    held = store.live_treatment_of(work, *key)
    if held == treatment.id or (held is not None and not live):
        return
    if held is not None:
        store.clear_live(work, held)  # its coverage has lapsed: the check for a live one has looked
    store.set_live(work, *key, treatment.id)


def _text(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None
