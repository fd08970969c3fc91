"""Frozen types of the approvals room: what callers ask for and what is stored.

Days are Europe/London calendar days, instants are UTC, clinical amounts and money are Decimal.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from app.approvals.lifecycle import ApprovalState, RequestState
from app.policy import Kind, Override


class Route(StrEnum):
    """Who is asked: the policy, or a commissioner outside it."""

    POLICY = "policy"
    INDIVIDUAL_FUNDING = "individual funding"
    GROUP_APPROVAL = "group approval"


class FundingOrigin(StrEnum):
    """Who pays for the supply; only NHS supplies are recoverable from a commissioner."""

    NHS = "NHS"
    FREE_OF_CHARGE = "free of charge"
    EAMS = "EAMS"
    TRIAL = "trial"
    PRIVATE = "private"
    OVERSEAS = "overseas"


class Interest(StrEnum):
    """What a member of a panel declares of their own interests in a request."""

    NONE = "none"
    DECLARED = "declared"


class NoNumberReason(StrEnum):
    """Why a patient has no NHS number on the request."""

    NEWBORN = "newborn"
    UNREGISTERED = "unregistered"
    OVERSEAS = "overseas"
    WITHHELD = "withheld"


class StopReason(StrEnum):
    """Why a treatment stopped, in the clinician's words; a reason is never a refusal."""

    NO_RESPONSE = "no response"
    LOSS_OF_RESPONSE = "loss of response"
    ADVERSE_EFFECT = "adverse effect"
    PREGNANCY = "pregnancy"
    REMISSION = "remission"
    COURSE_COMPLETE = "course complete"
    PATIENT_CHOICE = "patient choice"
    DIED = "died"
    MOVED_AWAY = "moved away"
    OTHER = "other"


class Basis(StrEnum):
    """What an approval rests on."""

    POLICY = "policy"
    PANEL = "panel"
    INDIVIDUAL_FUNDING = "individual funding"
    GROUP_APPROVAL = "group approval"
    IMPORTED = "imported"


#: Why a record has no NHS number once its retention is over. No form may give it.
RECORD_ENDED: Final = "record ended"


@dataclass(frozen=True, slots=True)
class PatientDetails:
    """The patient as a form names them."""

    birth_date: dt.date
    sex: str  # male | female | indeterminate | not known
    nhs_number: str | None = None
    no_nhs_number_reason: NoNumberReason | None = None
    local_id: str | None = None
    gp_practice: str | None = None


@dataclass(frozen=True, slots=True)
class Dose:
    """A prescribed dose: an amount of a unit, every so many days."""

    amount: Decimal
    unit: str
    every_days: int | None = None


@dataclass(frozen=True, slots=True)
class EmergencyStart:
    """Who let an urgent treatment begin before its form: a role and an office, not a name."""

    role: str
    office: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class PaperForm:
    """A form signed on paper while the service could not be reached: a role, not a name.

    `reference` is the paper's own number, by which it is found again.
    """

    signed_by: str
    signed_at: dt.datetime
    reason: str  # downtime
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class RequestDetails:
    """What a request says beside its answers; each kind uses some of it."""

    product: str | None = None
    route_of_administration: str | None = None
    dose: Dose | None = None
    supplying_providers: tuple[str, ...] = ()
    funding_origin: FundingOrigin | None = None  # None: as before, at first the NHS
    from_day: dt.date | None = None  # switch, dose change, transfer, pause, resume, stop
    to_day: dt.date | None = None  # expected end of a pause, last day of a temporary dose
    to_provider: str | None = None  # transfer
    stop_reason: StopReason | None = None
    note: str | None = None
    registry_id: str | None = None  # the patient's id in a national registry or database
    emergency: EmergencyStart | None = None
    product_reason: str | None = None  # why not the best-value product: a key of the policy's
    dose_ground: str | None = None  # why a dose above the largest: a key of the policy's
    switching_from: str | None = None  # the drug whose approval ends when this one begins
    started_under: FundingOrigin | None = None  # who paid before, where not the NHS
    started_on: dt.date | None = None  # the first dose under that funding
    paper: PaperForm | None = None  # entered later from a form signed on paper


@dataclass(frozen=True, slots=True)
class OverrideGiven:
    """A clinician's override as a request carries it; `words` are the clinician's own, stored
    like an answer and never logged."""

    criterion: str
    reason: str
    words: str
    by: str | None = None  # the caller who gave it; the service says so


@dataclass(frozen=True, slots=True)
class InitiationCommand:
    """A first request: this patient, this policy, this commissioner."""

    policy: str
    commissioner: str
    patient: PatientDetails
    decision_to_treat: dt.date
    answers: Mapping[str, Any]
    first_dose: dt.date | None = None
    details: RequestDetails = field(default_factory=RequestDetails)
    retrospective_reason: str | None = None
    route: Route = Route.POLICY
    overrides: tuple[OverrideGiven, ...] = ()


@dataclass(frozen=True, slots=True)
class FollowUpCommand:
    """A later request on a treatment: continuation, switch, dose change, transfer, pause, …"""

    treatment_id: str
    kind: Kind
    decision_to_treat: dt.date
    answers: Mapping[str, Any] = field(default_factory=dict)
    details: RequestDetails = field(default_factory=RequestDetails)
    retrospective_reason: str | None = None
    birth_date: dt.date | None = None  # checked against the record when given
    overrides: tuple[OverrideGiven, ...] = ()
    policy: str | None = None  # a continuation under the successor policy
    route: Route = Route.POLICY  # a continuation may be asked for outside the policy


@dataclass(frozen=True, slots=True)
class PatientRecord:
    id: str
    nhs_number: str | None
    no_nhs_number_reason: str | None
    registered_by: str
    birth_date: dt.date
    sex: str
    linked_to: str | None

    @property
    def has_ended(self) -> bool:
        """Whether who it is was erased at the end of retention; its birth date then tells none."""
        return self.no_nhs_number_reason == RECORD_ENDED

    @property
    def canonical_id(self) -> str:
        """The record that stands for this patient, after any link."""
        return self.linked_to or self.id


@dataclass(frozen=True, slots=True)
class TreatmentRecord:
    id: str
    patient_id: str
    drug: str
    indication: str
    policy: str
    provider: str
    commissioner: str
    first_dose: dt.date | None
    not_started_on: dt.date | None
    stopped_on: dt.date | None
    stop_reason: str | None
    created_at: dt.datetime
    version: int


@dataclass(frozen=True, slots=True)
class RequestRecord:
    id: str
    treatment_id: str
    kind: Kind
    state: RequestState
    provider: str
    commissioner: str
    panel: str | None
    counterparty: str | None
    route: Route
    policy: str
    policy_version: str
    policy_hash: str
    overlay_hash: str | None
    decision_to_treat: dt.date
    first_dose: dt.date | None
    retrospective_reason: str | None
    details: dict[str, Any]
    submitted_at: dt.datetime
    submitted_by: str
    revision: int
    version: int
    answer_by: dt.date | None = None  # while it is referred: by when its panel answers


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """One set of answers of a request, as decided on; amended and corrected sets are kept."""

    request_id: str
    revision: int
    why: str
    answers: dict[str, Any]
    context: dict[str, Any]
    made_at: dt.datetime
    made_by: str
    note: str | None


@dataclass(frozen=True, slots=True)
class OverrideRecord:
    """One override of one set of answers. `relied_on`: the policy's decision needed it."""

    request_id: str
    revision: int
    criterion: str
    section: str
    reason: str
    words: str
    relied_on: bool
    made_by: str
    made_at: dt.datetime

    def as_given(self) -> Override:
        """The override as the policy room takes it."""
        return Override(self.criterion, self.reason, self.made_by)


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    id: str
    request_id: str
    number: int
    revision: int
    made_by: str
    outcome: str
    findings: list[Any]
    missing: list[str]
    reasons: list[str]
    waived: list[str]
    overridden: list[str] | None  # None: stored before there were overrides
    policy_hash: str
    overlay_hash: str | None
    decided_at: dt.datetime
    decided_by: str | None
    reason: str | None
    notices: list[Any] | None = None  # safety notices that suspended it
    interest: str | None = None  # what a panel's member declared, see Interest
    agreed_with: str | None = None  # the member who had voted so before, where two must agree
    doses_given: dict[str, Any] | None = None  # see app.approvals.doses_given


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    id: str
    reference: str
    treatment_id: str
    request_id: str | None
    decision_id: str | None
    state: ApprovalState
    basis: Basis
    covers_from: dt.date
    covers_to: dt.date | None
    start_by: dt.date | None
    late: bool
    retrospective_reason: str | None
    terms: dict[str, Any]
    provider: str
    commissioner: str
    policy_hash: str | None
    legacy_reference: str | None
    proved: bool
    issued_at: dt.datetime
    version: int


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    id: str
    treatment_id: str
    approval_id: str | None
    request_id: str | None
    kind: str
    from_day: dt.date
    to_day: dt.date | None
    provider: str
    supplying_providers: list[str]
    commissioner: str
    product: str | None
    route: str | None
    dose_amount: Decimal | None
    dose_unit: str | None
    dose_every_days: int | None
    unit_price_cap: Decimal | None
    price_unit: str | None
    quantity_cap: Decimal | None
    quantity_unit: str | None
    funding_origin: FundingOrigin
    recorded_at: dt.datetime
    superseded_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request with its latest answers, its decisions and the approval that came of it."""

    request: RequestRecord
    revision: RevisionRecord
    overrides: tuple[OverrideRecord, ...]
    decisions: tuple[DecisionRecord, ...]
    approval: ApprovalRecord | None
    treatment: TreatmentRecord | None = None  # where it was at hand; not part of what is shown
    doses_given: ApprovalRecord | None = None  # pays for doses of an urgent start, overturned

    @property
    def decision(self) -> DecisionRecord | None:
        return self.decisions[-1] if self.decisions else None


@dataclass(frozen=True, slots=True)
class TreatmentView:
    """A treatment with its patient, segments, and the requests and approvals one may see."""

    treatment: TreatmentRecord
    patient: PatientRecord
    segments: tuple[SegmentRecord, ...]
    requests: tuple[RequestRecord, ...]
    approvals: tuple[ApprovalRecord, ...]
