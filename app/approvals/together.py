"""Drugs that are not funded together: what a patient's other approvals say about a first request.

Of another provider's approval nothing more is told than that one exists.
"""

import datetime as dt
from dataclasses import dataclass

from app.approvals import patients, store
from app.approvals.cutting import give_way
from app.approvals.model import PatientRecord, RequestRecord, TreatmentRecord
from app.approvals.standing import STANDING, covered_to, is_live
from app.audit import Actor
from app.db.work import Work
from app.policy import PolicyVersion


@dataclass(frozen=True, slots=True)
class Clash:
    """A live treatment whose drug is barred together with the requested one."""

    treatment: TreatmentRecord
    covered_to: dt.date | None
    overlap_days: int
    reason: str

    def ends_by(self, starts: dt.date) -> dt.date:
        """The last day that the running approval may cover when the new one starts on a day."""
        return starts + dt.timedelta(days=self.overlap_days - 1)

    def is_over_by(self, starts: dt.date) -> bool:
        return self.covered_to is not None and self.covered_to <= self.ends_by(starts)


def clashes(
    work: Work, person: PatientRecord, version: PolicyVersion, on: dt.date
) -> tuple[Clash, ...]:
    """The patient's live treatments barred by this version, or whose approval bars its drug."""
    found = []
    same = patients.same_person(work, person.canonical_id)
    for treatment in store.all_treatments_of(work, same):
        if treatment.drug == version.drug or not is_live(work, treatment, on):
            continue
        barred = _barred(work, version, treatment)
        if barred is not None:
            _, to_day = covered_to(work, treatment.id)
            found.append(Clash(treatment, to_day, *barred))
    return tuple(found)


def _barred(
    work: Work, version: PolicyVersion, treatment: TreatmentRecord
) -> tuple[int, str] | None:
    """The permitted overlap and the reason, by this version or by the running approval."""
    for term in version.approval.barred_with or ():
        if treatment.drug in term.drugs:
            return term.overlap_days, term.reason
    with work.beyond_scope():  # another provider's approval may bar this drug
        approvals = store.approvals_of(work, treatment.id)
    for approval in approvals:
        if approval.state not in STANDING:
            continue
        for carried in approval.terms.get("barred_with") or ():
            if version.drug in carried["drugs"]:
                return carried["overlap_days"], carried["reason"]
    return None


def why_not_together(
    work: Work,
    person: PatientRecord,
    version: PolicyVersion,
    provider: str,
    starts: dt.date,
    switching_from: str | None,
) -> tuple[str, ...]:
    """Why people must decide a first request, one reason for each running barred approval.

    None is given for one that ends in time, nor for one of the same provider that the request
    says the patient is switching from: its coverage then ends when the new one's begins.
    """
    reasons = []
    for clash in clashes(work, person, version, work.moment.day):
        if clash.is_over_by(starts):
            continue
        if clash.treatment.provider != provider:
            reasons.append(
                "An approval exists at another provider for a drug that is not funded together "
                "with this one. Ask that provider to record that its treatment ended, if the "
                "patient is switching; otherwise the panel decides."
            )
        elif clash.treatment.drug != switching_from:
            reasons.append(_own(clash))
    return tuple(reasons)


def _own(clash: Clash) -> str:
    overlap = (
        f" The two may overlap by {clash.overlap_days} days when switching."
        if clash.overlap_days
        else ""
    )
    return (
        f"The patient has a running approval for {clash.treatment.drug}, which is not funded "
        f"together with this drug: {clash.reason.rstrip('.')}. If the patient is switching, name "
        f"that drug in 'switching_from'.{overlap} Otherwise the panel decides."
    )


def switched_from(
    work: Work,
    person: PatientRecord,
    version: PolicyVersion,
    provider: str,
    starts: dt.date,
    drug: str | None,
) -> tuple[Clash, ...]:
    """The provider's own running approvals that approving the switch from a drug ends early."""
    if drug is None:
        return ()
    return tuple(
        clash
        for clash in clashes(work, person, version, work.moment.day)
        if clash.treatment.provider == provider
        and clash.treatment.drug == drug
        and not clash.is_over_by(starts)
    )


def end_switched_from(
    work: Work,
    actor: Actor,
    person: PatientRecord,
    version: PolicyVersion,
    request: RequestRecord,
    starts: dt.date,
) -> None:
    """End the provider's own approval that the patient switches from, after the overlap."""
    drug = request.details.get("switching_from")
    for clash in switched_from(work, person, version, request.provider, starts, drug):
        day = clash.ends_by(starts) + dt.timedelta(days=1)
        why = f"switched to {version.drug}"
        give_way(work, actor, clash.treatment, day, request.id, why)
