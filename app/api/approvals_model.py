"""Approvals as documents."""

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from app.api.decisions_model import DecidingPolicy, deciding_policy
from app.api.documents import Document
from app.api.next_steps import after_approval
from app.api.types import Day
from app.approvals.lifecycle import ApprovalState
from app.approvals.model import ApprovalRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.replaying import version_of
from app.db.work import Work


class ApprovalDocument(Document):
    """The permission that a positive decision gives, known by its reference."""

    reference: str
    state: ApprovalState
    basis: Literal["policy", "panel", "individual funding", "group approval", "imported"]
    covers_from: Day
    covers_to: Day | None = Field(description="The last covered day; null has no end")
    start_by: Day | None = Field(description="The last day for the first dose")
    late: bool = Field(description="The form came after the first dose it covers")
    retrospective_reason: str | None
    terms: dict[str, Any]
    provider: str
    commissioner: str
    treatment_id: str
    request_id: str | None
    policy: DecidingPolicy | None = Field(description="null for an approval that was imported")
    legacy_reference: str | None
    proved: bool = Field(description="Whether this service made the decision itself")
    issued_at: AwareDatetime
    version: int
    next: str = Field(description="What to do next")


def approval_document(
    work: Work, office: Office, approval: ApprovalRecord, treatment: TreatmentRecord
) -> ApprovalDocument:
    """An approval, with what to do next as of today."""
    digest = approval.policy_hash
    policy = None if digest is None else deciding_policy(version_of(work, office.library, digest))
    return ApprovalDocument(
        reference=approval.reference,
        state=approval.state,
        basis=approval.basis.value,
        covers_from=approval.covers_from,
        covers_to=approval.covers_to,
        start_by=approval.start_by,
        late=approval.late,
        retrospective_reason=approval.retrospective_reason,
        terms=approval.terms,
        provider=approval.provider,
        commissioner=approval.commissioner,
        treatment_id=approval.treatment_id,
        request_id=approval.request_id,
        policy=policy,
        legacy_reference=approval.legacy_reference,
        proved=approval.proved,
        issued_at=approval.issued_at,
        version=approval.version,
        next=after_approval(approval, treatment.first_dose, work.moment.day),
    )
