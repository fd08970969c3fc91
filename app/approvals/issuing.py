"""Issuing an approval: the one place where a reference is minted and coverage begins.

Two requests can never make two live approvals for one patient, drug and indication: the person is
locked, the live treatment is looked up, and the key of `live_treatment` refuses what slips by.
This holds for every approval, a continuation's too: its treatment may have lapsed meanwhile and
another provider's may have become the live one.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.approvals import added, patients, reference, store
from app.approvals.coverage import Cover, continuation_cover, course_cover, initiation_cover
from app.approvals.cutting import give_way
from app.approvals.errors import AlreadyApproved, DetailsNotAccepted, TransitionNotAllowed
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
from app.approvals.new_days import Caps as Caps
from app.approvals.new_days import new_segment
from app.approvals.paying import add_days, follow_payer
from app.approvals.standing import STANDING, has_standing
from app.approvals.standing import covered_to as covered_to
from app.approvals.standing import is_live as is_live
from app.approvals.succeeding import is_moving
from app.audit import Actor, Event
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion

#: Days on which others than the NHS paid: on record, and never covered.
ELSEWHERE = "elsewhere"


def check_none_live(
    work: Work,
    person: PatientRecord,
    drug: str,
    indication: str,
    provider: str,
    on: dt.date,
    but: str | None = None,
    supersedes: Sequence[str] = (),
) -> None:
    """Raise AlreadyApproved when a live approval for the person, drug and indication exists.

    `but` is a treatment that does not count; nor do the provider's own under the policies that
    the new approval `supersedes`. Of another provider's treatment nothing more is said
    than that it exists.
    """
    same = patients.same_person(work, person.canonical_id)
    for treatment in store.treatments_for(work, same, drug, indication):
        if treatment.id == but or not is_live(work, treatment, on):
            continue
        if treatment.provider == provider:
            if treatment.policy in supersedes:
                continue
            raise AlreadyApproved(
                "This patient already has a live approval for this drug and indication at your "
                "organisation. Send a continuation, a switch or a dose change on that treatment; "
                "if it never began, record that it was not started and send this again."
            )
        raise AlreadyApproved(
            "An approval for this patient, drug and indication exists at another provider. Ask "
            "that provider to transfer the treatment to you."
        )


def check_may_take_effect(work: Work, treatment: TreatmentRecord, request: RequestRecord) -> None:
    """Raise TransitionNotAllowed when the treatment has moved on since the request was sent.

    A request may wait for weeks; meanwhile its treatment may have stopped or changed hands, or
    the approval that a continuation continues may have been withdrawn.
    """
    if treatment.stopped_on is not None or treatment.not_started_on is not None:
        raise TransitionNotAllowed(
            "The treatment was recorded as stopped or not started since this request was sent. "
            "Withdraw the request; to start again, send a new initiation."
        )
    if request.provider != treatment.provider:
        raise TransitionNotAllowed(
            "The treatment has moved to another provider since this request was sent. Withdraw "
            "the request; that provider can send its own."
        )
    if request.kind is not Kind.INITIATION and not has_standing(work, treatment.id):
        raise TransitionNotAllowed(
            "The treatment has no standing approval to build on: it was withdrawn or taken back. "
            "Withdraw the request and send a new initiation."
        )


def cover_of(
    work: Work,
    treatment: TreatmentRecord,
    request: RequestRecord,
    version: PolicyVersion,
    submitted_on: dt.date,
    decided_on: dt.date | None = None,
) -> Cover:
    """The days that approving this request covers, by the policy's terms."""
    if request.kind is Kind.INITIATION:
        return initiation_cover(
            version.approval,
            submitted_on,
            request.first_dose,
            request.retrospective_reason,
            decided_on,
        )
    starts = decided_on or submitted_on
    if version.approval.courses:
        return next_course(work, treatment, version, starts)[0]
    if is_moving(treatment, request):
        return continuation_cover(version.approval, submitted_on, None, starts)
    found, to_day = covered_to(work, request.treatment_id)
    if found and to_day is None:
        return Cover(starts, None, None, late=False)
    return continuation_cover(version.approval, submitted_on, to_day, decided_on)


def issue(
    work: Work,
    actor: Actor,
    treatment: TreatmentRecord,
    request: RequestRecord,
    cover: Cover,
    basis: Basis,
    decision_id: str,
    terms: dict[str, Any],
    caps: Caps | None = None,
) -> ApprovalRecord:
    """Mint the reference, store the approval and its segment, and mark the treatment live.

    Raises AlreadyApproved when another approval for the patient, drug and indication is live, and
    TransitionNotAllowed when the treatment has moved on.
    """
    person = patients.lock_person(work, patients.patient(work, treatment.patient_id))
    check_may_take_effect(work, treatment, request)
    supersedes = terms.get("supersedes") or ()
    claim(work, person, treatment, request.kind is Kind.INITIATION, supersedes)
    for old in _giving_way(work, person, treatment, supersedes):
        why = f"an approval under {treatment.policy} begins"
        give_way(work, actor, old, cover.from_day, request.id, why)
    cover = _apart(work, person, treatment, cover, basis)
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
    days = add_days(work, treatment, new_segment(work, treatment, request, approval, cover, caps))
    if request.details.get("started_on"):
        _note_earlier_funding(work, treatment, request, approval, cover)
    treatment = follow_payer(work, actor, treatment, days)
    note_first_dose(work, actor, treatment, request)
    return approval


def claim(
    work: Work,
    person: PatientRecord,
    treatment: TreatmentRecord,
    is_first: bool = False,
    supersedes: Sequence[str] = (),
) -> None:
    """Mark the treatment as the live one; AlreadyApproved when another is.

    A first approval also needs its own treatment not to be live already.
    """
    but = None if is_first else treatment.id
    day = work.moment.day
    drug, indication = treatment.drug, treatment.indication
    with added.beyond_scope_for(work, person):
        check_none_live(work, person, drug, indication, treatment.provider, day, but, supersedes)
        held = store.live_treatment_of(work, person.canonical_id, drug, indication)
    if held == treatment.id:
        return
    if held is not None:
        store.clear_live(work, held)  # its coverage has lapsed: check_none_live has just looked
    store.set_live(work, person.canonical_id, drug, indication, treatment.id)


def _giving_way(
    work: Work, person: PatientRecord, treatment: TreatmentRecord, supersedes: Sequence[str]
) -> list[TreatmentRecord]:
    """The provider's own live treatments that the new approval supersedes."""
    if not supersedes:
        return []
    same = patients.same_person(work, person.canonical_id)
    return [
        known
        for known in store.treatments_for(work, same, treatment.drug, treatment.indication)
        if known.id != treatment.id
        and known.policy in supersedes
        and known.provider == treatment.provider
        and is_live(work, known, work.moment.day)
    ]


def next_course(
    work: Work, treatment: TreatmentRecord, version: PolicyVersion, starts: dt.date
) -> tuple[Cover, str | None]:
    """Coverage of the next course of a fixed number, and why people must decide it."""
    given = [
        approval
        for approval in store.approvals_of(work, treatment.id)
        if approval.state in STANDING or approval.state is ApprovalState.ENDED
    ]
    before = given[-1].covers_from if given else starts
    if len(given) == 1 and treatment.first_dose is not None:
        before = max(before, treatment.first_dose)
    return course_cover(version.approval, len(given) + 1, before, starts)


def _apart(
    work: Work,
    person: PatientRecord,
    treatment: TreatmentRecord,
    cover: Cover,
    basis: Basis,
) -> Cover:
    """The cover without the days that the provider's coverage of this patient has already.

    No day of one treatment is covered twice, or a supply could be counted under either approval.
    Coverage without an end gives way to its continuation; any other coverage stands, and the new
    one begins after it. A commissioner's own days are not shifted: they are refused.
    """
    found = taken(work, person, treatment, cover, treatment.provider)
    if not found:
        return cover
    if basis in (Basis.INDIVIDUAL_FUNDING, Basis.GROUP_APPROVAL):
        raise DetailsNotAccepted(
            "from_day",
            "Some of those days are covered by an approval of this treatment already. Let the new "
            "one begin after the last covered day.",
        )
    before = cover.from_day - dt.timedelta(days=1)
    for segment in found:
        if segment.to_day is None and segment.from_day <= before:
            store.supersede_segment(work, segment.id, work.moment.instant)
            ended = replace(segment, id=work.new_id(), to_day=before)
            store.add_segment(work, replace(ended, recorded_at=work.moment.instant))
    last = max((s.to_day for s in found if s.to_day is not None), default=before)
    from_day = last + dt.timedelta(days=1)
    if cover.to_day is not None and from_day > cover.to_day:
        raise AlreadyApproved("Every day that this approval would cover is covered already.")
    return replace(cover, from_day=from_day)


def taken(
    work: Work, person: PatientRecord, treatment: TreatmentRecord, cover: Cover, provider: str
) -> list[SegmentRecord]:
    """What covers these days of the treatment, or of the provider's others of the drug, by day.

    Whoever decides may see none of the others: a panel sees only what was referred to it.
    """
    with added.beyond_scope_for(work, person):
        same = patients.same_person(work, person.canonical_id)
        found = [
            segment
            for known in store.treatments_for(work, same, treatment.drug, treatment.indication)
            for segment in store.segments_of(work, known.id)
            if segment.kind == "coverage"
            and (known.id == treatment.id or segment.provider == provider)
            and (segment.to_day is None or segment.to_day >= cover.from_day)
            and (cover.to_day is None or segment.from_day <= cover.to_day)
        ]
    return sorted(found, key=lambda each: (each.from_day, each.id))


def _note_earlier_funding(
    work: Work,
    treatment: TreatmentRecord,
    request: RequestRecord,
    approval: ApprovalRecord,
    cover: Cover,
) -> None:
    """Keep the days before the NHS took over as a segment of their own, which covers nothing."""
    started = dt.date.fromisoformat(request.details["started_on"])
    last = cover.from_day - dt.timedelta(days=1)
    if started <= last:
        days = Cover(started, last, None, late=False)
        segment = new_segment(work, treatment, request, approval, days, Caps())
        origin = FundingOrigin(request.details["started_under"])
        store.add_segment(work, replace(segment, kind=ELSEWHERE, funding_origin=origin))


def note_first_dose(
    work: Work, actor: Actor, treatment: TreatmentRecord, request: RequestRecord
) -> None:
    """A first dose that the form says has been given is a fact of the treatment from now on."""
    started = request.details.get("started_on")
    given = dt.date.fromisoformat(started) if started else request.first_dose
    if request.kind is not Kind.INITIATION or given is None or given > work.moment.day:
        return
    if treatment.first_dose == given:
        return  # the panel paid for doses given before
    event = Event(
        action="first dose recorded",
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        before={"first_dose": None},
        after={"first_dose": given.isoformat()},
    )
    store.change_treatment(work, treatment, {"first_dose": given}, actor, event)


def _issued(treatment: TreatmentRecord, approval: ApprovalRecord) -> Event:
    names = ("reference", "basis", "covers_from", "covers_to", "late")
    told = {name: getattr(approval, name) for name in names}
    after = {name: None if value is None else str(value) for name, value in told.items()}
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
