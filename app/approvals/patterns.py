"""What the pattern of a treatment, and the patient's other ones, say about a request.

Each reason that comes of it sends the request to people, whatever the criteria say.
"""

import datetime as dt

from app.approvals.conversion import conversion_to_refer
from app.approvals.details import details_from_json
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.issuing import next_course
from app.approvals.model import PatientRecord, RequestDetails, RequestRecord, TreatmentRecord
from app.approvals.together import switched_from, why_not_together
from app.db.work import Work
from app.policy import Kind, PolicyVersion
from app.reference_data.drugs import load_drugs


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


def check_still_alone(
    work: Work, person: PatientRecord, version: PolicyVersion, request: RequestRecord
) -> None:
    """Raise TransitionNotAllowed where a barred approval came after the policy's decision.

    A request may wait for the trust's pharmacist while another provider's is approved. Sent back
    and amended it is decided afresh, and goes to the panel.
    """
    if request.kind is not Kind.INITIATION:
        return
    today = work.moment.day
    starts = max(today, request.first_dose or today)
    switching = details_from_json(request.details).switching_from
    for why in why_not_together(work, person, version, request.provider, starts, switching):
        raise TransitionNotAllowed(
            f"This came up after the policy's decision. {why} Return the request to the clinician "
            "with the reason; amended, it is decided afresh."
        )


def would_end(
    work: Work,
    person: PatientRecord | None,
    version: PolicyVersion,
    provider: str,
    details: RequestDetails,
    first_dose: dt.date | None,
) -> tuple[str, ...]:
    """In words, which of the provider's own approvals approving a first request would end."""
    if person is None:
        return ()
    today = work.moment.day
    starts = max(today, first_dose or today)
    ended = switched_from(work, person, version, provider, starts, details.switching_from)
    return tuple(
        f"Your approval for {_drug(clash.treatment.drug)} would end with "
        f"{clash.ends_by(starts):%-d %B %Y}."
        for clash in ended
    )


def _drug(key: str) -> str:
    known = load_drugs().drugs.get(key)
    return known.name if known else key


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
