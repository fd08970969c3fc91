"""Going on under a successor policy: a continuation moves the running treatment to it.

The successor's continuation criteria judge it, with the baseline of the first request. What was
approved under the former policy stays approved up to the day before.
"""

import datetime as dt

from app.approvals import store
from app.approvals.cutting import cut_from
from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.model import RequestRecord, TreatmentRecord
from app.audit import Actor, Event
from app.db.work import Work
from app.policy import Kind, PolicyVersion


def continuing_version(
    library: Library, treatment: TreatmentRecord, policy: str | None, decision_to_treat: dt.date
) -> PolicyVersion:
    """The version that decides a continuation: of the treatment's policy, or of a successor."""
    named = policy or treatment.policy
    if named != treatment.policy and not library.has(named):
        raise DetailsNotAccepted("policy", "The library holds no policy of that key.")
    version = library.deciding(named, Kind.CONTINUATION, decision_to_treat, treatment.commissioner)
    if named != treatment.policy and (
        treatment.policy not in version.succeeds or version.drug != treatment.drug
    ):
        raise DetailsNotAccepted(
            "policy",
            "That policy does not take over running treatments of this one's. Leave it out, or "
            "send an initiation under it.",
        )
    return version


def is_moving(treatment: TreatmentRecord, request: RequestRecord) -> bool:
    """Whether approving the request moves the treatment to another policy."""
    return request.kind is Kind.CONTINUATION and request.policy != treatment.policy


def move_to(
    work: Work,
    actor: Actor,
    treatment: TreatmentRecord,
    request: RequestRecord,
    version: PolicyVersion,
    day: dt.date,
) -> TreatmentRecord:
    """Move the treatment to the request's policy from a day; earlier coverage ends before it."""
    cut_from(work, treatment.id, day)
    store.clear_live(work, treatment.id)
    event = Event(
        action="treatment moved to its successor policy",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        before={"policy": treatment.policy, "indication": treatment.indication},
        after={"policy": version.policy, "indication": version.indication.key},
        policy_hash=version.hash,
    )
    changes = {"policy": version.policy, "indication": version.indication.key}
    return store.change_treatment(work, treatment, changes, actor, event)
