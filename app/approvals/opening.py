"""Opening a treatment and a request on it."""

import datetime as dt
from typing import Any

from app.approvals import patients, store
from app.approvals.errors import DetailsNotAccepted, RequestAlreadyOpen
from app.approvals.lifecycle import RequestState
from app.approvals.model import PatientRecord, RequestRecord, Route, TreatmentRecord
from app.approvals.office import remember_version
from app.audit import Event
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion


def treatment_for(
    work: Work, caller: Caller, patient: PatientRecord, version: PolicyVersion, commissioner: str
) -> TreatmentRecord:
    """The provider's own treatment that an earlier request opened, or a new one.

    A treatment that was approved once is not begun again: its dates and its first dose are those
    of another course.
    """
    same = patients.same_person(work, patient.canonical_id)
    for known in store.treatments_for(work, same, version.drug, version.indication.key):
        mine = known.provider == caller.organisation and known.policy == version.policy
        if not mine or known.stopped_on is not None or known.not_started_on is not None:
            continue
        if store.open_request(work, known.id, Kind.INITIATION) is not None:
            raise RequestAlreadyOpen(
                "A first request for this patient, drug and indication is still waiting. Amend "
                "or withdraw that one instead of sending another."
            )
        if known.commissioner == commissioner and not store.approvals_of(work, known.id):
            return known
    treatment = TreatmentRecord(
        id=work.new_id(),
        patient_id=patient.id,
        drug=version.drug,
        indication=version.indication.key,
        policy=version.policy,
        provider=caller.organisation,
        commissioner=commissioner,
        first_dose=None,
        not_started_on=None,
        stopped_on=None,
        stop_reason=None,
        created_at=work.moment.instant,
        version=1,
    )
    event = Event(
        action="treatment opened",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        patient_id=patient.id,
        after={"drug": version.drug, "indication": version.indication.key},
    )
    store.add(work, tables.treatment, treatment, caller.actor(), event)
    return treatment


def new_request(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    version: PolicyVersion,
    *,
    kind: Kind,
    route: Route,
    decision_to_treat: dt.date,
    first_dose: dt.date | None,
    retrospective_reason: str | None,
    details: dict[str, Any],
    counterparty: str | None = None,
) -> RequestRecord:
    """Store a new request, not yet decided, with its audit event."""
    remember_version(work, version)
    request = RequestRecord(
        id=work.new_id(),
        treatment_id=treatment.id,
        kind=kind,
        state=RequestState.NEW,
        provider=caller.organisation,
        commissioner=treatment.commissioner,
        panel=None,
        counterparty=counterparty,
        route=route,
        policy=version.policy,
        policy_version=version.version,
        policy_hash=version.hash,
        overlay_hash=None if version.overlay is None else version.overlay.hash,
        decision_to_treat=decision_to_treat,
        first_dose=first_dose,
        retrospective_reason=retrospective_reason,
        details=details,
        submitted_at=work.moment.instant,
        submitted_by=caller.id,
        revision=1,
        version=1,
    )
    event = Event(
        action=f"{kind} submitted",
        object_type="request",
        object_id=request.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        after={"policy": version.policy, "version": version.version, "details": details},
        policy_hash=version.hash,
    )
    store.add(work, tables.request, request, caller.actor(), event)
    return request


def check_days(decision: dt.date, first_dose: dt.date | None, today: dt.date) -> None:
    """Raise DetailsNotAccepted when the days contradict each other or lie in the future."""
    if decision > today:
        raise DetailsNotAccepted(
            "decision_to_treat",
            "The decision to treat lies in the future. Submit once it has been made.",
        )
    if first_dose is not None and first_dose < decision:
        raise DetailsNotAccepted(
            "first_dose", "The first dose is before the decision to treat. Check both days."
        )
