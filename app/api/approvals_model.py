"""Approvals as documents."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field

from app.api.decisions_model import DecidingPolicy, deciding_policy
from app.api.documents import Document
from app.api.next_steps import after_approval
from app.api.types import Day
from app.approvals.ending import ending_of
from app.approvals.lifecycle import ApprovalState
from app.approvals.model import ApprovalRecord, RequestRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.permissions import may_see_price
from app.approvals.phases import dated_phases
from app.approvals.replaying import version_of_approval
from app.approvals.standing import phase_clock
from app.auth.model import Caller
from app.db.work import Work

_PRICE: Final = frozenset({"unit_price_cap", "price_unit"})


class DatedPhaseDocument(Document):
    """A phase of a treatment and the largest dose in it."""

    name: str
    from_day: Day
    to_day: Day | None = Field(description="The last day; null has no end")
    max_dose: dict[str, str] | None


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
    phases: list[DatedPhaseDocument] = Field(
        description="The phases of dose with their days, counted from the first dose, or from the "
        "first covered day until it is recorded"
    )
    last_continuation: Day | None = Field(
        description="The last day on which the policy takes a continuation; null has none"
    )
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
    work: Work,
    office: Office,
    caller: Caller,
    approval: ApprovalRecord,
    treatment: TreatmentRecord,
    request: RequestRecord | None = None,
    among: Sequence[ApprovalRecord] = (),
) -> ApprovalDocument:
    """An approval, with what to do next as of today; its price for those who agreed it.

    `request` is the one that gave rise to it, and `among` are those of its treatment that the
    caller may see, where they are at hand.
    """
    ending = ending_of(office.library_at(work), treatment.policy, work.moment.day)
    with _whole(work, caller, treatment):
        version = version_of_approval(work, office.library_at(work), approval, request)
        phases = _phases(work, approval, treatment)
    policy = None if version is None else deciding_policy(version)
    return ApprovalDocument(
        reference=approval.reference,
        state=approval.state,
        basis=approval.basis.value,
        covers_from=approval.covers_from,
        covers_to=approval.covers_to,
        start_by=approval.start_by,
        late=approval.late,
        retrospective_reason=approval.retrospective_reason,
        terms=_terms(caller, approval),
        phases=phases,
        last_continuation=ending.last_continuation,
        provider=approval.provider,
        commissioner=approval.commissioner,
        treatment_id=approval.treatment_id,
        request_id=approval.request_id,
        policy=policy,
        legacy_reference=approval.legacy_reference,
        proved=approval.proved,
        issued_at=approval.issued_at,
        version=approval.version,
        next=after_approval(approval, treatment.first_dose, work.moment.day, ending, among),
    )


def _whole(work: Work, caller: Caller, treatment: TreatmentRecord) -> AbstractContextManager[None]:
    """An approval's policy and the days of its phases follow from rows that a supplier lacks."""
    holds = caller.organisation in (treatment.provider, treatment.commissioner)
    return nullcontext() if holds else work.beyond_scope()


def _terms(caller: Caller, approval: ApprovalRecord) -> dict[str, Any]:
    if may_see_price(caller, approval.provider, approval.commissioner):
        return approval.terms
    return {name: None if name in _PRICE else each for name, each in approval.terms.items()}


def _phases(
    work: Work, approval: ApprovalRecord, treatment: TreatmentRecord
) -> list[DatedPhaseDocument]:
    if not approval.terms.get("phases"):
        return []
    clock = phase_clock(work, treatment.id, treatment.first_dose) or approval.covers_from
    return [
        DatedPhaseDocument(
            name=phase.name,
            from_day=phase.from_day,
            to_day=phase.to_day,
            max_dose=dict(phase.max_dose) if phase.max_dose else None,
        )
        for phase in dated_phases(approval.terms, clock)
    ]
