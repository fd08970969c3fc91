"""Treatments, their segments and their patient as documents."""

from dataclasses import replace
from typing import Literal

from pydantic import AwareDatetime, Field

from app.api.approvals_model import ApprovalDocument, approval_document
from app.api.documents import Document
from app.api.requests_model import RequestSummary, request_summary
from app.api.types import Day, ExactNumber
from app.api.veil import Veil, gives_care
from app.approvals import objecting, patients
from app.approvals.model import PatientRecord, SegmentRecord, TreatmentRecord, TreatmentView
from app.approvals.office import Office
from app.approvals.permissions import may_see_price
from app.auth.model import Caller
from app.db.work import Work
from app.reference_data.nhs_number import format_nhs_number


class PatientDocument(Document):
    """A patient record. Identifiers are shown to the care team only; others see a pseudonym."""

    id: str | None = Field(description="null for readers outside the care team")
    linked_to: str | None = Field(
        description="The record that now stands for this patient; null outside the care team"
    )
    pseudonym: str | None = Field(
        description="For readers outside the care team: the same for the same patient wherever "
        "your organisation reads, and another for every other organisation"
    )
    nhs_number: str | None = Field(description="As 3-3-4; null for readers outside the care team")
    no_nhs_number_reason: str | None
    local_id: str | None = Field(description="The hospital number at your organisation")
    birth_date: Day | None = Field(description="null for readers outside the care team")
    birth_year: int | None = Field(description="null once the record's retention is over")
    sex: str
    died_on: Day | None = Field(
        description="As the care team recorded it; null for readers outside the care team"
    )
    objects_to_display: bool = Field(
        description="The patient objects to being shown beyond those who treat them"
    )


_SegmentKind = Literal["coverage", "pause", "elsewhere"]
_KINDS: dict[str, _SegmentKind] = {
    "coverage": "coverage",
    "pause": "pause",
    "elsewhere": "elsewhere",
}


class SegmentDocument(Document):
    """Days of a treatment over which its provider, product, dose and funding stay the same."""

    kind: _SegmentKind = Field(
        description="*elsewhere*: days on which others than the NHS paid, and nothing is covered"
    )
    from_day: Day
    to_day: Day | None = Field(description="The last day; null has no end")
    provider: str
    supplying_providers: list[str]
    commissioner: str
    product: str | None
    route_of_administration: str | None
    dose_amount: ExactNumber | None
    dose_unit: str | None
    dose_every_days: int | None
    unit_price_cap: ExactNumber | None = Field(
        description="Confidential: null for others than this provider and this commissioner"
    )
    price_unit: str | None
    quantity_cap: ExactNumber | None
    quantity_unit: str | None
    funding_origin: str
    request_id: str | None


class TreatmentDocument(Document):
    """One patient, one drug, one indication, with what became of it."""

    id: str
    drug: str
    indication: str
    policy: str
    provider: str
    commissioner: str
    first_dose: Day | None
    not_started_on: Day | None
    stopped_on: Day | None
    stop_reason: str | None
    created_at: AwareDatetime
    version: int = Field(description="The number in the ETag")
    patient: PatientDocument
    segments: list[SegmentDocument] = Field(description="In order of their first days")
    requests: list[RequestSummary] = Field(description="Those you may see, oldest first")
    approvals: list[ApprovalDocument] = Field(description="Oldest first")


class TreatmentSummary(Document):
    """A treatment in short."""

    id: str
    drug: str
    indication: str
    policy: str
    provider: str
    commissioner: str
    first_dose: Day | None
    not_started_on: Day | None
    stopped_on: Day | None
    version: int


def treatment_summary(treatment: TreatmentRecord) -> TreatmentSummary:
    """A treatment in short."""
    return TreatmentSummary(
        **{name: getattr(treatment, name) for name in TreatmentSummary.model_fields}
    )


def treatment_document(
    work: Work, office: Office, caller: Caller, view: TreatmentView
) -> TreatmentDocument:
    """A treatment in full, as of today."""
    treatment = view.treatment
    same = (*TreatmentSummary.model_fields, "stop_reason", "created_at")
    document = TreatmentDocument(
        **{name: getattr(treatment, name) for name in same},
        patient=patient_document(work, office, caller, view.patient),
        segments=[segment_document(caller, segment) for segment in view.segments],
        requests=[request_summary(request) for request in view.requests],
        approvals=[
            approval_document(work, office, caller, approval, treatment, among=view.approvals)
            for approval in view.approvals
        ],
    )
    hidden: TreatmentDocument = Veil.over_treatment(work, caller, treatment.id).over(document)
    return hidden


def patient_document(
    work: Work, office: Office, caller: Caller, patient: PatientRecord
) -> PatientDocument:
    """A patient record, with identifiers only for a reader who gives care."""
    if gives_care(caller):
        return identified(work, caller.organisation, patient)
    return PatientDocument(
        id=None,
        linked_to=None,
        pseudonym=patients.pseudonym_of(work, office, caller.organisation, patient),
        nhs_number=None,
        no_nhs_number_reason=patient.no_nhs_number_reason,
        local_id=None,
        birth_date=None,
        birth_year=_year(patient),
        sex=patient.sex,
        died_on=None,
        objects_to_display=objecting.stands(work, patient),
    )


def identified(work: Work, provider: str, patient: PatientRecord) -> PatientDocument:
    """A patient record with its identifiers, and the hospital number at this provider."""
    number = patient.nhs_number
    return PatientDocument(
        id=patient.id,
        linked_to=patient.linked_to,
        pseudonym=None,
        nhs_number=None if number is None else format_nhs_number(number),
        no_nhs_number_reason=patient.no_nhs_number_reason,
        local_id=patients.local_id_of(work, provider, patient.id),
        birth_date=None if patient.has_ended else patient.birth_date,
        birth_year=_year(patient),
        sex=patient.sex,
        died_on=patients.day_of_death(work, patient),
        objects_to_display=objecting.stands(work, patient),
    )


def _year(patient: PatientRecord) -> int | None:
    return None if patient.has_ended else patient.birth_date.year


def segment_document(caller: Caller, segment: SegmentRecord) -> SegmentDocument:
    """A segment, with its price for those two only who agreed it."""
    renamed = {"kind", "route_of_administration", "funding_origin"}
    if not may_see_price(caller, segment.provider, segment.commissioner):
        segment = replace(segment, unit_price_cap=None, price_unit=None)
    same = {
        name: getattr(segment, name) for name in SegmentDocument.model_fields if name not in renamed
    }
    return SegmentDocument(
        **same,
        kind=_KINDS[segment.kind],
        route_of_administration=segment.route,
        funding_origin=segment.funding_origin.value,
    )
