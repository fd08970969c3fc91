"""What the approval's terms decide by themselves: a product, a dose, a day in the past. Pure."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from app.approvals.coverage import after, check_retrospective
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import Dose, RequestDetails
from app.approvals.phases import largest_dose
from app.policy import Context, Escalation, Kind, MaxDose, Outcome, PolicyVersion

_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}


def decide_change(
    version: PolicyVersion, kind: Kind, details: RequestDetails, clock: dt.date | None = None
) -> tuple[Outcome, str]:
    """The outcome of a switch or a dose change, and why; ValueError for any other kind.

    `clock` is the first dose, from which phases count.
    """
    if kind is Kind.SWITCH:
        return decide_switch(version, details)
    if kind is Kind.DOSE_CHANGE:
        return decide_dose(version, details, clock)
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


def decide_dose(
    version: PolicyVersion,
    details: RequestDetails,
    clock: dt.date | None = None,
    day: dt.date | None = None,
) -> tuple[Outcome, str]:
    """Approved up to the policy's largest dose of the day's phase, in its own unit.

    A dose above it is approved on a ground that the policy names, for as long as it says;
    otherwise it is referred. `day` is by default the first day of the change.
    """
    dose = details.dose
    if dose is None:
        raise DetailsNotAccepted("details.dose", "A dose change needs the new dose. Give it.")
    day = details.from_day or day
    limit = version.approval.max_dose if day is None else largest_dose(version.approval, clock, day)
    if limit is None:
        return Outcome.REFERRED, "The policy states no largest dose, so the panel decides."
    why = above(dose, limit)
    if why is None:
        return Outcome.APPROVED, f"Within the policy's {limit}."
    escalation = escalation_for(version, details)
    if escalation is None:
        return Outcome.REFERRED, why
    too_long = _too_long(escalation, details)
    if too_long is not None:
        return Outcome.REFERRED, too_long
    return Outcome.APPROVED, f"Within the policy's {escalation.name}: {escalation.max_dose}."


def above(dose: Dose, limit: MaxDose) -> str | None:
    """Why a dose is not shown to keep to a limit; None if it does."""
    if dose.unit != limit.unit:
        return f"The policy's largest dose is in {limit.unit}; the two cannot be compared."
    if dose.amount > limit.amount:
        return f"The dose is above the policy's {limit}."
    days = interval_days(limit.per)
    if days is None or dose.every_days is None:
        return f"Whether the dose keeps to {limit} cannot be told without its interval."
    if dose.amount * days > limit.amount * dose.every_days:
        return f"Given that often, the dose is above {limit}."
    return None


def escalation_for(version: PolicyVersion, details: RequestDetails) -> Escalation | None:
    """The escalation that permits the dose on the stated ground, if there is one."""
    for each in version.approval.escalations or ():
        stated = details.dose is not None and details.dose_ground in each.grounds
        if stated and details.dose is not None and above(details.dose, each.max_dose) is None:
            return each
    return None


def with_its_end(version: PolicyVersion, details: RequestDetails) -> RequestDetails:
    """The details of a dose change; a temporary escalation without an end is given its last day."""
    escalation = escalation_for(version, details)
    if escalation is None or escalation.lasts is None or details.from_day is None:
        return details
    last = after(details.from_day, escalation.lasts) - dt.timedelta(days=1)
    return replace(details, to_day=details.to_day or last)


def _too_long(escalation: Escalation, details: RequestDetails) -> str | None:
    if escalation.lasts is None:
        return None
    name = f"{escalation.name} is for at most {escalation.lasts}"
    if details.from_day is None or details.to_day is None:
        return f"The policy's {name}; send it as a dose change, with its days."
    if details.to_day >= after(details.from_day, escalation.lasts):
        return f"The policy's {name}; a longer one is for the panel."
    return None


def interval_days(per: str) -> Decimal | None:
    """The days in a dose limit's interval, e.g. '28 days', '2 weeks', 'day'; None if unclear."""
    words = per.strip().split()
    number, unit = (words[0], words[1]) if len(words) == 2 else ("1", words[0] if words else "")
    size = _DAYS.get(unit)
    if size is None or not (number.isascii() and number.isdigit()):
        return None
    return Decimal(number) * size


def dose_to_refer(
    version: PolicyVersion, details: RequestDetails, context: Context | None = None
) -> str | None:
    """Why a first request or a continuation that names a dose needs people; None if it does not.

    Otherwise a dose above the policy's could be had by naming it on a continuation.
    """
    clock = context.first_dose if context else None
    day = context.decision_to_treat if context else None
    if details.dose is None:
        return None
    limited = largest_dose(version.approval, clock, day) if day else version.approval.max_dose
    if limited is None:
        return None
    outcome, why = decide_dose(version, replace(details, from_day=None), clock, day)
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
