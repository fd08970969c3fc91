"""What an approved request does to the treatment: it begins or changes coverage."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from app.approvals import issuing, patients, store
from app.approvals.carried_terms import terms_of as terms_of
from app.approvals.cutting import end_approvals
from app.approvals.cutting import fresh as fresh
from app.approvals.downtime import day_of_form, marked
from app.approvals.errors import TransitionNotAllowed
from app.approvals.model import Basis, RequestRecord, SegmentRecord, TreatmentRecord
from app.approvals.succeeding import is_moving, move_to
from app.approvals.together import end_switched_from
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
    """Carry out an approved request. `from_day` is the day on which it was decided.

    Raises TransitionNotAllowed when the treatment has moved on since the request was sent.
    """
    issuing.check_may_take_effect(work, treatment, request)
    if request.kind in (Kind.INITIATION, Kind.CONTINUATION):
        grant(work, caller, treatment, request, version, decision_id, basis, from_day)
        return
    if not issuing.is_live(work, treatment, work.moment.day):
        raise TransitionNotAllowed(
            f"The treatment's approval has run out, so a {request.kind} has nothing to change. "
            "Withdraw the request and send a continuation."
        )
    # What the terms did not allow is covered from the panel's day on, never before it.
    not_before = from_day if basis is Basis.PANEL else None
    if request.kind is Kind.SWITCH:
        product = request.details["product"]
        change_from(work, treatment, request, lambda s: replace(s, product=product), not_before)
    elif request.kind is Kind.DOSE_CHANGE:
        until = request.details.get("to_day")
        last = dt.date.fromisoformat(until) if until else None
        dose = _with_dose(request.details["dose"])
        change_from(work, treatment, request, dose, not_before, last)
    elif request.kind is Kind.TRANSFER:
        hand_over(work, caller, treatment, request)


@dataclass(frozen=True, slots=True)
class Recut:
    """The segments that a change took out of force, and those that it put in their place."""

    superseded: tuple[str, ...]
    added: tuple[str, ...]


def change_from(
    work: Work,
    treatment: TreatmentRecord,
    request: RequestRecord,
    change: Callable[[SegmentRecord], SegmentRecord] | None,
    not_before: dt.date | None = None,
    until: dt.date | None = None,
) -> Recut:
    """Change, or with None end, the coverage from the request's day on; earlier days stand.

    `until` is the last day of a change that is temporary: what was before follows it.

    Segments are never edited: one that is cut is superseded by its parts.
    """
    day = dt.date.fromisoformat(request.details["from_day"])
    if not_before is not None:
        day = max(day, not_before)
    superseded: list[str] = []
    added: list[str] = []
    for segment in store.segments_of(work, treatment.id):
        if segment.kind != "coverage" or (segment.to_day is not None and segment.to_day < day):
            continue
        if until is not None and segment.from_day > until:
            continue
        store.supersede_segment(work, segment.id, work.moment.instant)
        superseded.append(segment.id)
        parts = []
        if segment.from_day < day:
            parts.append(replace(segment, to_day=day - dt.timedelta(days=1)))
        if change is not None:
            after = replace(segment, from_day=max(day, segment.from_day), request_id=request.id)
            changed = change(after)
            if until is None or (segment.to_day is not None and segment.to_day <= until):
                parts.append(changed)
            else:
                parts.append(replace(changed, to_day=until))
                parts.append(replace(segment, from_day=until + dt.timedelta(days=1)))
        for part in parts:
            new = fresh(work, part)
            store.add_segment(work, new)
            added.append(new.id)
    return Recut(tuple(superseded), tuple(added))


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

    `from_day` is the day on which the answers that were approved came in, or the panel decided; by
    default the day of the form. See `coverage` for what each day means.
    """
    submitted_on = day_of_form(work, request)
    if basis is Basis.POLICY and from_day == london_day(request.submitted_at):
        from_day = submitted_on  # decided as it came in, by nobody but the policy
    cover = issuing.cover_of(work, treatment, request, version, submitted_on, from_day)
    cover = marked(cover, request)
    actor = caller.actor()
    moving = is_moving(treatment, request)
    if moving:
        treatment = move_to(work, actor, treatment, request, version, cover.from_day)
    if request.kind is Kind.INITIATION:
        person = patients.patient(work, treatment.patient_id)
        end_switched_from(work, actor, person, version, request, cover.from_day)
    approval = issuing.issue(
        work,
        actor,
        treatment,
        request,
        cover,
        basis,
        decision_id,
        terms_of(version),
    )
    if moving:
        why = f"goes on under {version.policy}"
        end_approvals(work, actor, treatment, request.id, why, but=approval.id)
