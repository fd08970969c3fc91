"""What an approved request does to the treatment: it begins or changes coverage."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.approvals import issuing, store
from app.approvals.model import Basis, RequestRecord, SegmentRecord, TreatmentRecord
from app.audit import Event
from app.auth.model import Caller
from app.clock import london_day
from app.db.work import Work
from app.policy import Kind, PolicyVersion


def take_effect(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    version: PolicyVersion,
    decision_id: str,
    basis: Basis,
    from_day: dt.date | None = None,
) -> None:
    """Carry out an approved request. `from_day` is a panel's own day; else the submission's."""
    if request.kind in (Kind.INITIATION, Kind.CONTINUATION):
        grant(work, caller, treatment, request, version, decision_id, basis, from_day)
    elif request.kind is Kind.SWITCH:
        product = request.details["product"]
        change_from(work, treatment, request, lambda s: replace(s, product=product))
    elif request.kind is Kind.DOSE_CHANGE:
        change_from(work, treatment, request, _with_dose(request.details["dose"]))
    elif request.kind is Kind.TRANSFER:
        hand_over(work, caller, treatment, request)


def change_from(
    work: Work,
    treatment: TreatmentRecord,
    request: RequestRecord,
    change: Callable[[SegmentRecord], SegmentRecord] | None,
) -> None:
    """Change, or with None end, the coverage from the request's day on; earlier days stand.

    Segments are never edited: one that is cut is superseded by its parts.
    """
    day = dt.date.fromisoformat(request.details["from_day"])
    for segment in store.segments_of(work, treatment.id):
        if segment.kind != "coverage" or (segment.to_day is not None and segment.to_day < day):
            continue
        store.supersede_segment(work, segment.id, work.moment.instant)
        if segment.from_day < day:
            before = replace(segment, to_day=day - dt.timedelta(days=1))
            store.add_segment(work, _fresh(work, before))
        if change is not None:
            after = replace(segment, from_day=max(day, segment.from_day), request_id=request.id)
            store.add_segment(work, _fresh(work, change(after)))


def hand_over(
    work: Work, caller: Caller, treatment: TreatmentRecord, request: RequestRecord
) -> None:
    """Move the treatment to the receiving provider, from the day of the transfer."""
    to = request.details["to_provider"]
    change_from(work, treatment, request, lambda s: replace(s, provider=to, supplying_providers=[]))
    event = Event(
        action="treatment transferred",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        before={"provider": treatment.provider},
        after={"provider": to, "from_day": request.details["from_day"]},
    )
    store.change_treatment(work, treatment, {"provider": to}, caller.actor(), event)


def _with_dose(dose: dict[str, Any]) -> Callable[[SegmentRecord], SegmentRecord]:
    return lambda segment: replace(
        segment,
        dose_amount=store.decimal(dose["amount"]),
        dose_unit=dose["unit"],
        dose_every_days=dose.get("every_days"),
    )


def _fresh(work: Work, segment: SegmentRecord) -> SegmentRecord:
    return replace(segment, id=work.new_id(), recorded_at=work.moment.instant, superseded_at=None)


def grant(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    version: PolicyVersion,
    decision_id: str,
    basis: Basis,
    from_day: dt.date | None = None,
) -> None:
    """Issue the approval of an approved request, by the policy's terms.

    Coverage counts from the day of the first submission, or from the day given (a panel's).
    """
    start = from_day or london_day(request.submitted_at)
    cover = issuing.cover_of(work, request, version, start)
    issuing.issue(
        work,
        caller.actor(),
        treatment,
        request,
        cover,
        basis,
        decision_id,
        terms_of(version),
    )


def terms_of(version: PolicyVersion) -> dict[str, Any]:
    """The terms that an approval carries, as plain JSON."""
    terms = version.approval
    dose = terms.max_dose
    return {
        "pattern": terms.pattern,
        "grace_days": terms.grace_days,
        "max_dose": {"amount": str(dose.amount), "unit": dose.unit, "per": dose.per}
        if dose
        else None,
        "products": list(terms.products),
        "interchangeable": terms.interchangeable,
        "source": terms.source,
        "evidence": terms.evidence,
    }
