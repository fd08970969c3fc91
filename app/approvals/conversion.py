"""A treatment that began outside NHS funding, and is asked for now: how it is judged. Pure.

A conversion is an initiation. It says under which funding the treatment began and on which day;
where the policy says so, the criteria are judged as of that day, so that a patient is not worse
off for having responded. The approval covers NHS supplies from the decision on, never before.
"""

import datetime as dt

from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import FundingOrigin, RequestDetails
from app.policy import Kind, PolicyVersion


def check_conversion(
    details: RequestDetails, kind: Kind, decision_to_treat: dt.date, first_dose: dt.date | None
) -> None:
    """Raise DetailsNotAccepted where the funding before and its day do not fit together."""
    under, on = details.started_under, details.started_on
    if under is None and on is None:
        return
    if kind is not Kind.INITIATION:
        raise DetailsNotAccepted(
            "details.started_under",
            "Only a first request says how the treatment was funded before. Leave it out.",
        )
    if under is None or on is None:
        raise DetailsNotAccepted(
            "details.started_on" if on is None else "details.started_under",
            "A treatment that began outside NHS funding needs both: who paid, and the day of the "
            "first dose under it.",
        )
    if under is FundingOrigin.NHS:
        raise DetailsNotAccepted(
            "details.started_under",
            "A treatment that the NHS paid for from the start is no conversion. Leave it out.",
        )
    if on > decision_to_treat:
        raise DetailsNotAccepted(
            "details.started_on", "That day is after the decision to treat. Check both days."
        )
    if first_dose is not None:
        raise DetailsNotAccepted(
            "first_dose",
            "The first dose was given under the earlier funding: give its day in 'started_on'.",
        )


def judged_day(
    version: PolicyVersion, details: RequestDetails, decision_to_treat: dt.date
) -> dt.date:
    """The day as of which the criteria look: the start of treatment where the policy says so."""
    conversion = version.approval.conversion
    if details.started_on is None or conversion is None:
        return decision_to_treat
    at_start = conversion.judged_on == "pre_treatment_baseline"
    return details.started_on if at_start else decision_to_treat


def conversion_to_refer(version: PolicyVersion, details: RequestDetails) -> tuple[str, ...]:
    """Why people decide a conversion: the policy does not say how it is judged."""
    if details.started_under is None or version.approval.conversion is not None:
        return ()
    return (
        "The policy does not say how a treatment that began outside NHS funding is judged, so the "
        "panel decides.",
    )
