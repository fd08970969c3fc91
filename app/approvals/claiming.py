"""A receiving trust claims a treatment that another holds, and learns enough to carry it on.

It knows the patient by NHS number and birth date and declares that it cares for them. It sees the
approval, its dates and the baseline, and no more; the holder is told through its change feed. The
treatment stays where it is until a transfer is asked for and consented to: what the claimant
supplies before that is queried in reconciliation as *not the approved provider*.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, select

from app.approvals import issuing, objecting, patients, searching, store
from app.approvals.lifecycle import ApprovalState
from app.approvals.model import ApprovalRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.permissions import Action, can, check_can
from app.approvals.replaying import version_of_approval
from app.approvals.submitting import earlier_revisions
from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

CLAIMED = "treatment claimed by another provider"
#: So long the holder's page of a treatment tells of a claim; the change feed and trail keep it.
TOLD_FOR: Final = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the claimant learns. `baseline` holds answers by question, as they were decided on."""

    approval: ApprovalRecord | None
    first_dose: dt.date | None = None
    baseline: Mapping[str, Any] = field(default_factory=dict)
    objected: bool = False  # the patient objects to being shown: nothing else is told


@dataclass(frozen=True, slots=True)
class Claimed:
    """That another organisation claimed a treatment, and when."""

    organisation: str
    at: dt.datetime


def claim(
    work: Work,
    office: Office,
    caller: Caller,
    nhs_number: str,
    birth_date: dt.date,
    drug: str,
    indication: str,
    care_reason: str,
) -> Claim:
    """Claim another provider's live treatment; an empty claim where there is none to be told of.

    The declaration of care is kept and audited, and so is the claim, on the treatment that it
    tells of. A birth date that does not fit the NHS number learns nothing.
    """
    check_can(caller, Action.DECLARE_CARE)
    held = searching.declared_treatments(
        work, caller, (nhs_number, birth_date), drug, indication, care_reason, office.guesses
    )
    for treatment in held:
        if treatment.provider == caller.organisation:
            continue
        if issuing.is_live(work, treatment, work.moment.day):
            person = patients.patient(work, treatment.patient_id)
            if objecting.stands(work, person):
                return Claim(None, objected=True)
            return _told(work, office, caller, treatment)
    return Claim(None)


def _told(work: Work, office: Office, caller: Caller, treatment: TreatmentRecord) -> Claim:
    with work.beyond_scope():  # another provider's: approval, dates and baseline only
        live = [
            approval
            for approval in store.approvals_of(work, treatment.id)
            if approval.state is ApprovalState.LIVE
        ]
        approval = live[-1] if live else None
        version = (
            None
            if approval is None
            else version_of_approval(work, office.library_at(work), approval)
        )
        baseline: dict[str, Any] = {}
        if version is not None:
            carried = {name for name, each in version.questions.items() if each.carried}
            for revision in earlier_revisions(work, treatment):  # the approved come last, and win
                baseline |= {n: a for n, a in revision.answers.items() if n in carried}
    event = Event(
        action=CLAIMED,
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        patient_id=treatment.patient_id,
        after={"organisation": caller.organisation},
    )
    record(work, caller.actor(), event)
    return Claim(approval, treatment.first_dose, baseline)


def claimed(work: Work, caller: Caller, treatment_id: str) -> tuple[Claimed, ...]:
    """Who claimed a treatment that the caller's organisation prescribes, each once, newest first.

    For its care team only, and of the last `TOLD_FOR`. Who took the treatment over is told of what
    others than itself claimed.
    """
    if not can(caller, Action.RECORD_START):
        return ()
    treatment = store.find_treatment(work, caller, treatment_id)
    if treatment.provider != caller.organisation:
        return ()
    event = tables.audit_event.c
    query = (
        select(event.organisation, func.max(event.at))
        .where(
            event.treatment_id == treatment_id,
            event.action == CLAIMED,
            event.organisation != caller.organisation,
            event.at >= work.moment.instant - TOLD_FOR,
        )
        .group_by(event.organisation)
    )
    with work.beyond_scope():  # the claimant's act, told to whom it is about
        found = [Claimed(who, at) for who, at in work.connection.execute(query)]
    return tuple(sorted(found, key=lambda each: each.at, reverse=True))
