"""Issuing an approval: the one place where a reference is minted and coverage begins.

Two requests can never make two live approvals for one patient, drug and indication: the person is
locked, the live treatment is looked up, and the key of `live_treatment` refuses what slips by.
"""

import datetime as dt
from dataclasses import asdict
from typing import Any

from app.approvals import patients, reference, store
from app.approvals.coverage import Cover, continuation_cover, initiation_cover
from app.approvals.errors import AlreadyApproved
from app.approvals.lifecycle import ApprovalState
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    FundingOrigin,
    PatientRecord,
    RequestRecord,
    SegmentRecord,
    TreatmentRecord,
)
from app.audit import Actor, Event
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion

_STANDING = frozenset({ApprovalState.LIVE, ApprovalState.UNDER_QUERY})


def covered_to(work: Work, treatment_id: str) -> tuple[bool, dt.date | None]:
    """Whether the treatment has standing coverage at all, and its last covered day (None: open)."""
    standing = {a.id for a in store.approvals_of(work, treatment_id) if a.state in _STANDING}
    days = [
        s.to_day
        for s in store.segments_of(work, treatment_id)
        if s.kind == "coverage" and s.approval_id in standing
    ]
    if not days:
        return False, None
    return True, None if None in days else max(d for d in days if d is not None)


def is_live(work: Work, treatment: TreatmentRecord, on: dt.date) -> bool:
    """Whether an approval of the treatment still covers a day or one after it."""
    found, to_day = covered_to(work, treatment.id)
    return found and treatment.stopped_on is None and (to_day is None or to_day >= on)


def check_none_live(
    work: Work, person: PatientRecord, drug: str, indication: str, provider: str, on: dt.date
) -> None:
    """Raise AlreadyApproved when a live approval for the person, drug and indication exists.

    Of another provider's treatment nothing more is said than that it exists.
    """
    same = patients.same_person(work, person.canonical_id)
    for treatment in store.treatments_for(work, same, drug, indication):
        if not is_live(work, treatment, on):
            continue
        if treatment.provider == provider:
            raise AlreadyApproved(
                "This patient already has a live approval for this drug and indication at your "
                "organisation. Send a continuation, a switch or a dose change on that treatment."
            )
        raise AlreadyApproved(
            "An approval for this patient, drug and indication exists at another provider. Ask "
            "that provider to transfer the treatment to you."
        )


def cover_of(
    work: Work, request: RequestRecord, version: PolicyVersion, submitted_on: dt.date
) -> Cover:
    """The days that approving this request covers, by the policy's terms."""
    if request.kind is Kind.INITIATION:
        return initiation_cover(
            version.approval, submitted_on, request.first_dose, request.retrospective_reason
        )
    found, to_day = covered_to(work, request.treatment_id)
    if found and to_day is None:
        return Cover(submitted_on, None, None, late=False)
    return continuation_cover(version.approval, submitted_on, to_day)


def issue(
    work: Work,
    actor: Actor,
    treatment: TreatmentRecord,
    request: RequestRecord,
    cover: Cover,
    basis: Basis,
    decision_id: str,
    terms: dict[str, Any],
) -> ApprovalRecord:
    """Mint the reference, store the approval and its segment, and mark the treatment live."""
    person = patients.patient(work, treatment.patient_id)
    patients.lock_person(work, person)
    if request.kind is Kind.INITIATION:
        _claim(work, person, treatment, work.moment.day)
    approval = ApprovalRecord(
        id=work.new_id(),
        reference=reference.mint(work.random_bytes),
        treatment_id=treatment.id,
        request_id=request.id,
        decision_id=decision_id,
        state=ApprovalState.LIVE,
        basis=basis,
        covers_from=cover.from_day,
        covers_to=cover.to_day,
        start_by=cover.start_by,
        late=cover.late,
        retrospective_reason=request.retrospective_reason if cover.late else None,
        terms=terms,
        provider=request.provider,
        commissioner=request.commissioner,
        policy_hash=request.policy_hash,
        legacy_reference=None,
        proved=True,
        issued_at=work.moment.instant,
        version=1,
    )
    store.add(work, tables.approval, approval, actor, _issued(treatment, approval))
    store.add_segment(work, _segment(work, treatment, request, approval, cover))
    return approval


def _claim(work: Work, person: PatientRecord, treatment: TreatmentRecord, on: dt.date) -> None:
    check_none_live(work, person, treatment.drug, treatment.indication, treatment.provider, on)
    key = (person.canonical_id, treatment.drug, treatment.indication)
    held = store.live_treatment_of(work, *key)
    if held is not None:
        store.clear_live(work, held)  # its coverage has lapsed: check_none_live has just looked
    store.set_live(work, *key, treatment.id)


def _segment(
    work: Work,
    treatment: TreatmentRecord,
    request: RequestRecord,
    approval: ApprovalRecord,
    cover: Cover,
) -> SegmentRecord:
    """The coverage segment: what the request asked for, else what the last segment had."""
    earlier = [s for s in store.segments_of(work, treatment.id) if s.kind == "coverage"]
    last = earlier[-1] if earlier and request.kind is not Kind.INITIATION else None
    asked = request.details
    dose = asked.get("dose") or {}
    return SegmentRecord(
        id=work.new_id(),
        treatment_id=treatment.id,
        approval_id=approval.id,
        request_id=request.id,
        kind="coverage",
        from_day=cover.from_day,
        to_day=cover.to_day,
        provider=treatment.provider,
        supplying_providers=asked.get("supplying_providers")
        or (last.supplying_providers if last else []),
        commissioner=request.commissioner,
        product=asked.get("product") or (last.product if last else None),
        route=asked.get("route_of_administration") or (last.route if last else None),
        dose_amount=store.decimal(dose.get("amount")) or (last.dose_amount if last else None),
        dose_unit=dose.get("unit") or (last.dose_unit if last else None),
        dose_every_days=dose.get("every_days") or (last.dose_every_days if last else None),
        unit_price_cap=last.unit_price_cap if last else None,
        price_unit=last.price_unit if last else None,
        quantity_cap=last.quantity_cap if last else None,
        quantity_unit=last.quantity_unit if last else None,
        funding_origin=FundingOrigin(asked.get("funding_origin") or FundingOrigin.NHS),
        recorded_at=work.moment.instant,
        superseded_at=None,
    )


def _issued(treatment: TreatmentRecord, approval: ApprovalRecord) -> Event:
    covers = asdict(approval)
    after = {
        name: str(covers[name]) if covers[name] is not None else None
        for name in ("reference", "basis", "covers_from", "covers_to", "late")
    }
    return Event(
        action="approval issued",
        object_type="approval",
        object_id=approval.id,
        treatment_id=treatment.id,
        request_id=approval.request_id,
        patient_id=treatment.patient_id,
        before=None,
        after=after,
        policy_hash=approval.policy_hash,
    )
