"""What callers send about requests, and how it becomes a command of the approvals room."""

import datetime as dt
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from app.api.documents import Document
from app.api.fields import (
    Amount,
    Answers,
    CriterionId,
    Key,
    LocalId,
    NhsNumber,
    OfficeName,
    PlausibleDay,
    PolicyField,
    Practice,
    QuestionName,
    Reason,
    RegistryId,
    ShortText,
    Unit,
)
from app.api.organisations import commissioner_code, provider_code
from app.api.types import OrganisationCode
from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.model import (
    Dose,
    EmergencyStart,
    FollowUpCommand,
    FundingOrigin,
    InitiationCommand,
    NoNumberReason,
    OverrideGiven,
    PaperForm,
    PatientDetails,
    RequestDetails,
    Route,
    StopReason,
)
from app.policy import Kind
from app.reference_data.nhs_number import format_nhs_number, test_number

Sex = Literal["male", "female", "indeterminate", "not known"]
FollowUpKind = Literal[
    "continuation", "switch", "dose change", "transfer", "pause", "resume", "stop"
]

#: An invented patient's form that meets every criterion of the demonstration's policy.
EXAMPLE_ANSWERS: Final[dict[str, Any]] = {
    "ra_diagnosis": True,
    "das28_at_start": {"value": "6.0", "measured_on": "2026-05-20"},
    "csdmards": [
        {"drug": "methotrexate", "in_combination": True, "responded": False},
        {"drug": "other", "in_combination": True, "responded": False},
    ],
    "with_methotrexate": True,
    "least_expensive": True,
    "screened": True,
    "active_infection": False,
    "dose_mg": {"value": "40", "unit": "mg"},
    "dose_interval_days": {"value": 14, "unit": "days"},
}
EXAMPLE_PATIENT: Final[dict[str, Any]] = {
    "birth_date": "1970-01-01",
    "sex": "female",
    "nhs_number": format_nhs_number(test_number(1)),
    "local_id": "H000001",
}
EXAMPLE_INITIATION: Final[dict[str, Any]] = {
    "policy": "adalimumab-ra-severe",
    "commissioner": "DEMQ1",
    "patient": EXAMPLE_PATIENT,
    "decision_to_treat": "2026-06-10",
    "answers": EXAMPLE_ANSWERS,
    "details": {"product": "imraldi", "dose": {"amount": "40", "unit": "mg", "every_days": 14}},
}
EXAMPLE_CONTINUATION: Final[dict[str, Any]] = {
    "kind": "continuation",
    "decision_to_treat": "2026-06-10",
    "answers": {
        "das28_now": "4.0",
        "with_methotrexate": True,
        "dose_mg": {"value": "40", "unit": "mg"},
        "dose_interval_days": {"value": 14, "unit": "days"},
        "active_infection": False,
        "intolerable_effects": False,
    },
}


def example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": value})


class PatientBody(Document):
    """The patient, as the form names them: an NHS number, or the reason for having none."""

    model_config = example(EXAMPLE_PATIENT)

    birth_date: PlausibleDay
    sex: Sex
    nhs_number: NhsNumber | None = None
    no_nhs_number_reason: Annotated[NoNumberReason, Field(strict=False)] | None = None
    local_id: LocalId | None = None
    gp_practice: Practice | None = None

    def to_details(self) -> PatientDetails:
        """The patient's details as the approvals room takes them."""
        return PatientDetails(**{name: getattr(self, name) for name in type(self).model_fields})


class DoseBody(Document):
    """A prescribed dose: an amount of a unit, every so many days."""

    amount: Amount
    unit: Unit
    every_days: Annotated[int, Field(ge=1, le=3660)] | None = None


class EmergencyBody(Document):
    """Who authorised an urgent start before this form: a role and an office, not a person's name.

    It needs a 'retrospective_reason'; the policy says how many days late the form may come.
    """

    role: OfficeName = Field(examples=["consultant haematologist on call"])
    office: OfficeName = Field(examples=["immunoglobulin panel's emergency line"])
    at: Annotated[AwareDatetime, Field(strict=False)] = Field(
        description="The day and time, with its offset from UTC"
    )

    def to_start(self) -> EmergencyStart:
        """The urgent start as the approvals room takes it."""
        return EmergencyStart(self.role, self.office, self.at)


class PaperBody(Document):
    """A form that was signed on paper while the service could not be reached, entered later.

    The request and the audit log show both times. Only where the commissioner has settled it does
    the form cover from the day of its signature; otherwise from the day of its entry.
    """

    signed_by: OfficeName = Field(
        description="The role of whoever signed, not a person's name",
        examples=["consultant rheumatologist"],
    )
    signed_at: Annotated[AwareDatetime, Field(strict=False)] = Field(
        description="The day and time of the signature, with its offset from UTC"
    )
    reason: Literal["downtime"]
    reference: OfficeName | None = Field(
        default=None,
        description="The number on the paper form, by which it is found again; nothing that tells "
        "who the patient is",
        examples=["W12-0043"],
    )

    def to_form(self) -> PaperForm:
        """The paper form as the approvals room takes it."""
        return PaperForm(self.signed_by, self.signed_at, self.reason, self.reference)


class DetailsBody(Document):
    """What a request says beside its answers; each kind uses some of it."""

    product: Key | None = Field(default=None, examples=["imraldi"])
    route_of_administration: ShortText | None = None
    dose: DoseBody | None = None
    supplying_providers: Annotated[list[OrganisationCode], Field(max_length=10)] = Field(
        default_factory=list
    )
    funding_origin: Annotated[FundingOrigin, Field(strict=False)] | None = Field(
        default=None,
        description="Who pays for the supply. Without it: as on the treatment so far, and for a "
        "first request the NHS",
    )
    from_day: PlausibleDay | None = Field(
        default=None,
        description="The first day of a switch, dose change, transfer, pause or resumption; the "
        "last treated day of a stop",
    )
    to_day: PlausibleDay | None = Field(
        default=None, description="The expected end of a pause; the last day of a temporary dose"
    )
    to_provider: OrganisationCode | None = Field(
        default=None, description="The provider that a transfer asks for its consent"
    )
    stop_reason: Annotated[StopReason, Field(strict=False)] | None = None
    note: Reason | None = None
    registry_id: RegistryId | None = Field(
        default=None,
        description="The patient's own number in the registry or database that the policy "
        "reports to, such as the national immunoglobulin database",
    )
    emergency: EmergencyBody | None = None
    paper: PaperBody | None = None
    product_reason: Key | None = Field(
        default=None,
        description="Why a product that the policy does not put first: a key of its reasons",
    )
    dose_ground: Key | None = Field(
        default=None,
        description="Why a dose above the policy's largest: a key of its escalations' grounds",
    )
    switching_from: Key | None = Field(
        default=None,
        description="The drug that the patient switches from, where the two are not funded "
        "together. Your approval for it ends when this one begins, after the permitted overlap",
    )
    started_under: Annotated[FundingOrigin, Field(strict=False)] | None = Field(
        default=None,
        description="Who paid when the treatment began, where not the NHS. Makes a first request "
        "a conversion: the policy may judge it as of that day",
    )
    started_on: PlausibleDay | None = Field(
        default=None, description="The first dose under that funding; needs `started_under`"
    )

    def to_details(self, today: dt.date) -> RequestDetails:
        """The details, with organisations checked; DetailsNotAccepted names the field."""
        dose = self.dose
        to = self.to_provider
        return RequestDetails(
            product=self.product,
            route_of_administration=self.route_of_administration,
            dose=None if dose is None else Dose(dose.amount, dose.unit, dose.every_days),
            supplying_providers=tuple(
                provider_code(code, f"details.supplying_providers.{place}", today)
                for place, code in enumerate(self.supplying_providers)
            ),
            funding_origin=self.funding_origin,
            from_day=self.from_day,
            to_day=self.to_day,
            to_provider=None if to is None else provider_code(to, "details.to_provider", today),
            stop_reason=self.stop_reason,
            note=self.note,
            registry_id=self.registry_id,
            emergency=None if self.emergency is None else self.emergency.to_start(),
            paper=None if self.paper is None else self.paper.to_form(),
            product_reason=self.product_reason,
            dose_ground=self.dose_ground,
            switching_from=self.switching_from,
            started_under=self.started_under,
            started_on=self.started_on,
        )


class OverrideBody(Document):
    """A clinician's override of a criterion that the policy lets a clinician override."""

    criterion: CriterionId
    reason: QuestionName = Field(description="A key of the criterion's own list of reasons")
    words: Reason = Field(description="The clinician's own words; put no patient's name in them")

    def to_given(self) -> OverrideGiven:
        """The override as the approvals room takes it."""
        return OverrideGiven(self.criterion, self.reason, self.words)


Overrides = Annotated[list[OverrideBody], Field(max_length=50)]


def overrides_given(bodies: list[OverrideBody]) -> tuple[OverrideGiven, ...]:
    """The overrides of a body."""
    return tuple(body.to_given() for body in bodies)


class InitiationBody(Document):
    """A first request: this patient, this policy, this commissioner."""

    model_config = example(EXAMPLE_INITIATION)

    policy: PolicyField
    commissioner: OrganisationCode
    patient: PatientBody
    decision_to_treat: PlausibleDay
    answers: Answers
    first_dose: PlausibleDay | None = None
    details: DetailsBody = DetailsBody()
    retrospective_reason: Key | None = Field(
        default=None,
        description="Why the form comes after the first dose: a key of the policy's own reasons",
    )
    route: Annotated[Route, Field(strict=False)] = Route.POLICY
    overrides: Overrides = Field(default_factory=list)

    def to_command(self, library: Library, today: dt.date) -> InitiationCommand:
        """The command, with policy and organisations known; DetailsNotAccepted names the field."""
        if not library.has(self.policy):
            raise DetailsNotAccepted(
                "policy",
                "The library holds no policy of that key. List the policies to see their keys.",
            )
        return InitiationCommand(
            policy=self.policy,
            commissioner=commissioner_code(self.commissioner, "commissioner", today),
            patient=self.patient.to_details(),
            decision_to_treat=self.decision_to_treat,
            answers=self.answers,
            first_dose=self.first_dose,
            details=self.details.to_details(today),
            retrospective_reason=self.retrospective_reason,
            route=self.route,
            overrides=overrides_given(self.overrides),
        )


class FollowUpBody(Document):
    """A later request on a treatment."""

    model_config = example(EXAMPLE_CONTINUATION)

    kind: FollowUpKind
    decision_to_treat: PlausibleDay
    answers: Answers = Field(default_factory=dict)
    details: DetailsBody = DetailsBody()
    retrospective_reason: Key | None = None
    birth_date: PlausibleDay | None = Field(
        default=None, description="Checked against the patient's record when given"
    )
    overrides: Overrides = Field(default_factory=list)
    policy: PolicyField | None = Field(
        default=None,
        description="A continuation under the successor of the treatment's policy",
    )
    route: Annotated[Route, Field(strict=False)] = Field(
        default=Route.POLICY,
        description="A continuation that the policy does not meet may be asked of the commissioner "
        "outside it; its case goes into details.note",
    )

    def to_command(self, treatment_id: str, today: dt.date) -> FollowUpCommand:
        """The command, with organisations checked; DetailsNotAccepted names the field."""
        return FollowUpCommand(
            treatment_id=treatment_id,
            kind=Kind(self.kind),
            decision_to_treat=self.decision_to_treat,
            answers=self.answers,
            details=self.details.to_details(today),
            retrospective_reason=self.retrospective_reason,
            birth_date=self.birth_date,
            overrides=overrides_given(self.overrides),
            policy=self.policy,
            route=self.route,
        )


class AmendBody(Document):
    """Answers to what was missing or asked; earlier answers stand, null takes one back."""

    model_config = example({"answers": {"das28_at_start": "5.8"}})

    answers: Answers
    overrides: Overrides | None = Field(
        default=None,
        description="Replaces the earlier overrides, an empty list takes them back; left out, "
        "they stand",
    )

    def to_overrides(self) -> tuple[OverrideGiven, ...] | None:
        """The overrides that replace the earlier ones; None: those stand."""
        return None if self.overrides is None else overrides_given(self.overrides)


class ReasonBody(Document):
    """Why this step is taken. It is kept in the audit trail; put no patient's name in it."""

    model_config = example({"reason": "Sent twice by mistake."})

    reason: Reason


class CorrectionBody(Document):
    """Corrected answers, and the names of answers that should never have been given."""

    model_config = example(
        {"answers": {"das28_at_start": "5.6"}, "reason": "The score was copied from another visit."}
    )

    answers: Answers = Field(default_factory=dict)
    entered_in_error: Annotated[list[QuestionName], Field(max_length=200)] = Field(
        default_factory=list
    )
    reason: Reason
