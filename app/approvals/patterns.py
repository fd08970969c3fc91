"""What the pattern of a treatment, and the patient's other ones, say about a request.

Each reason that comes of it sends the request to people, whatever the criteria say.
"""

import datetime as dt

from app.approvals.conversion import conversion_to_refer
from app.approvals.errors import DetailsNotAccepted
from app.approvals.issuing import next_course
from app.approvals.model import PatientRecord, RequestDetails, TreatmentRecord
from app.approvals.together import why_not_together
from app.db.work import Work
from app.policy import PolicyVersion


def first_for_people(
    work: Work,
    person: PatientRecord | None,
    version: PolicyVersion,
    provider: str,
    details: RequestDetails,
    first_dose: dt.date | None,
) -> tuple[str, ...]:
    """Why people must decide a first request: another drug runs, or how to judge is not said."""
    today = work.moment.day
    starts = max(today, first_dose or today)
    together = (
        why_not_together(work, person, version, provider, starts, details.switching_from)
        if person is not None
        else ()
    )
    return (*together, *conversion_to_refer(version, details))


def next_for_people(
    work: Work, treatment: TreatmentRecord, version: PolicyVersion
) -> tuple[str, ...]:
    """Why people must decide a continuation: no further course, or not within its window."""
    if not version.approval.courses:
        return ()
    _, why = next_course(work, treatment, version, work.moment.day)
    return (why,) if why is not None else ()


def check_may_continue(version: PolicyVersion) -> None:
    """Raise DetailsNotAccepted for an episode of so many doses: a new one is a new request."""
    if version.approval.doses is not None:
        raise DetailsNotAccepted(
            "kind",
            f"The policy funds one episode of at most {version.approval.doses} doses at a time. "
            "Send an initiation for a new episode; it is judged on the findings of that time.",
        )
