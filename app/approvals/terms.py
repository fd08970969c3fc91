"""What the approval's terms decide by themselves: a product, a dose, a day in the past. Pure."""

import datetime as dt
from decimal import Decimal

from app.approvals.coverage import check_retrospective
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import RequestDetails
from app.policy import Kind, Outcome, PolicyVersion

_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}


def decide_change(
    version: PolicyVersion, kind: Kind, details: RequestDetails
) -> tuple[Outcome, str]:
    """The outcome of a switch or a dose change, and why; ValueError for any other kind."""
    if kind is Kind.SWITCH:
        return decide_switch(version, details)
    if kind is Kind.DOSE_CHANGE:
        return decide_dose(version, details)
    raise ValueError(f"a {kind} is not decided by the approval's terms")


def decide_switch(version: PolicyVersion, details: RequestDetails) -> tuple[Outcome, str]:
    """Approved between products that the policy funds; anything else is referred."""
    terms = version.approval
    if terms.products and details.product not in terms.products:
        return Outcome.REFERRED, "The policy does not list that product, so the panel decides."
    if terms.interchangeable:
        return Outcome.APPROVED, "The policy calls its products interchangeable."
    if terms.products:
        return Outcome.APPROVED, "The policy funds both products."
    return Outcome.REFERRED, "The policy names no products, so the panel decides."


def decide_dose(version: PolicyVersion, details: RequestDetails) -> tuple[Outcome, str]:
    """Approved up to the policy's largest dose in its own unit; otherwise referred."""
    limit = version.approval.max_dose
    dose = details.dose
    if dose is None:
        raise DetailsNotAccepted("details.dose", "A dose change needs the new dose. Give it.")
    if limit is None:
        return Outcome.REFERRED, "The policy states no largest dose, so the panel decides."
    most = f"{format(limit.amount, 'f')} {limit.unit} per {limit.per}"
    if dose.unit != limit.unit:
        return (
            Outcome.REFERRED,
            f"The policy's largest dose is in {limit.unit}; the two cannot be compared.",
        )
    if dose.amount > limit.amount:
        return Outcome.REFERRED, f"The dose is above the policy's {most}."
    days = interval_days(limit.per)
    if days is None or dose.every_days is None:
        return (
            Outcome.REFERRED,
            f"Whether the dose keeps to {most} cannot be told without its interval.",
        )
    if dose.amount * days > limit.amount * dose.every_days:
        return Outcome.REFERRED, f"Given that often, the dose is above {most}."
    return Outcome.APPROVED, f"Within the policy's {most}."


def interval_days(per: str) -> Decimal | None:
    """The days in a dose limit's interval, e.g. '28 days', '2 weeks', 'day'; None if unclear."""
    words = per.strip().split()
    number, unit = (words[0], words[1]) if len(words) == 2 else ("1", words[0] if words else "")
    size = _DAYS.get(unit)
    if size is None or not (number.isascii() and number.isdigit()):
        return None
    return Decimal(number) * size


def dose_to_refer(version: PolicyVersion, details: RequestDetails) -> str | None:
    """Why a first request or a continuation that names a dose needs people; None if it does not.

    Otherwise a dose above the policy's could be had by naming it on a continuation.
    """
    if details.dose is None or version.approval.max_dose is None:
        return None
    outcome, why = decide_dose(version, details)
    return why if outcome is Outcome.REFERRED else None


def check_change_day(
    version: PolicyVersion,
    kind: Kind,
    details: RequestDetails,
    retrospective_reason: str | None,
    today: dt.date,
) -> None:
    """Raise DetailsNotAccepted for a switch that would cover past supplies without permission.

    Between interchangeable products nothing is covered that was not. A dose is a fact of the
    treatment and changes no coverage.
    """
    if kind is not Kind.SWITCH or details.from_day is None or details.from_day >= today:
        return
    outcome, _ = decide_switch(version, details)
    if outcome is Outcome.APPROVED and version.approval.interchangeable:
        return
    if retrospective_reason is None:
        raise DetailsNotAccepted(
            "details.from_day",
            "The policy does not cover this product for days before the form. Give today or a "
            "later day, or a reason that the policy permits.",
        )
    check_retrospective(
        version.approval, today, details.from_day, retrospective_reason, "details.from_day"
    )
