"""What a panel or a commissioner sends about a request that was referred to it."""

from typing import Annotated, Literal

from pydantic import Field

from app.api.documents import Document
from app.api.fields import (
    Amount,
    CriterionId,
    PlausibleDay,
    Reason,
    ShortText,
)
from app.api.request_bodies import example
from app.approvals.model import (
    Basis,
)
from app.approvals.overturning import Ruling
from app.approvals.reviewing import FundingDecision, Refusal

FundingBasis = Literal["individual funding", "group approval"]

#: Said by each member with each decision of a panel, see `app.approvals.interests`.
NoInterest = Annotated[
    bool,
    Field(
        description="The member declares that they have no interest in this request. A panel's "
        "member must; where the commissioner decides itself, it may. A member who has one declares "
        "it with 'declare-interest' instead, and another decides"
    ),
]


class PanelDeclineBody(Document):
    """Why the panel declines, with the member's declaration."""

    model_config = example(
        {"reason": "The alternatives have not been tried.", "declares_no_interest": True}
    )

    reason: Reason
    declares_no_interest: NoInterest = False


class OverturnBody(Document):
    """Why an urgent start is overturned, and what that means for doses given before."""

    model_config = example(
        {
            "reason": "The condition that was treated is not one that the policy funds.",
            "doses_given": "paid",
            "paid_to": "2026-06-15",
            "declares_no_interest": True,
        }
    )

    reason: Reason
    doses_given: Literal["paid", "not paid"] = Field(
        description="Whether doses given under the urgent start are paid for. Only they: what is "
        "paid for is no approval to go on"
    )
    paid_to: PlausibleDay | None = Field(
        default=None,
        description="The last day on which a dose given is paid for, from the first dose to the "
        "day of the decision; by default that day. Only where they are paid",
    )
    declares_no_interest: NoInterest = False

    def to_ruling(self) -> Ruling:
        """The ruling as the approvals room takes it."""
        return Ruling(self.reason, self.doses_given == "paid", self.paid_to)


class RefuseFundingBody(Document):
    """Why funding outside the policy is refused; of an urgent start, what that means for doses."""

    model_config = example({"reason": "Others like this patient are not funded either."})

    reason: Reason
    doses_given: Literal["paid", "not paid"] | None = Field(
        default=None,
        description="Whether doses given under an urgent start are paid for. Needed where "
        "`doses_given_since` is told, and only there: what is paid for is no approval to go on",
    )
    paid_to: PlausibleDay | None = Field(
        default=None,
        description="The last day on which a dose given is paid for, from the first dose to the "
        "day of the decision; by default that day. Only where they are paid",
    )

    def to_refusal(self) -> Refusal:
        """The refusal as the approvals room takes it."""
        paid = None if self.doses_given is None else self.doses_given == "paid"
        return Refusal(self.reason, paid, self.paid_to)


class InterestBody(Document):
    """The interest that a member of the panel declares, in words, without a patient's name."""

    model_config = example({"interest": "The applicant is a member of my own department."})

    interest: Reason


class QuestionBody(Document):
    """What the panel asks of the clinician."""

    model_config = example(
        {
            "question": "Which treatments were tried before, and for how long?",
            "declares_no_interest": True,
        }
    )

    question: Reason
    declares_no_interest: NoInterest = False


class PanelApprovalBody(Document):
    """The panel's reason, and the criteria that it waives where the policy lets it."""

    model_config = example(
        {"reason": "Agreed at the panel's meeting.", "waived": [], "declares_no_interest": True}
    )

    reason: Reason
    waived: Annotated[list[CriterionId], Field(max_length=50)] = Field(default_factory=list)
    declares_no_interest: NoInterest = False


class FundingBody(Document):
    """A commissioner's own approval outside the policy, with its terms."""

    model_config = example(
        {
            "basis": "individual funding",
            "case_reference": "IFR-2026-0001",
            "from_day": "2026-06-15",
            "to_day": "2027-06-14",
            "terms": "One year, then a review by the individual funding panel.",
            "reason": "Exceptional clinical circumstances were shown.",
        }
    )

    basis: FundingBasis
    case_reference: ShortText
    from_day: PlausibleDay
    to_day: PlausibleDay | None = None
    terms: Reason
    reason: Reason
    unit_price_cap: Amount | None = None
    price_unit: ShortText | None = None
    quantity_cap: Amount | None = None
    quantity_unit: ShortText | None = None
    despite_notice: Reason | None = Field(
        default=None, description="Why it is funded although a safety notice suspends new starts"
    )

    def to_decision(self) -> FundingDecision:
        """The funding decision as the approvals room takes it."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return FundingDecision(**{**given, "basis": Basis(self.basis)})
