"""What callers are shown of a request, a treatment or an approval, and what is logged of it."""

import datetime as dt
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from app.approvals import patients, store
from app.approvals.errors import NotFound
from app.approvals.lifecycle import RequestState
from app.approvals.model import (
    ApprovalRecord,
    RequestView,
    SegmentRecord,
    TreatmentRecord,
    TreatmentView,
)
from app.approvals.permissions import PAYER_ROLES, Action, check_can
from app.approvals.scope import is_elsewhere
from app.auth.model import Caller, Role
from app.db.work import Work


def request_view(work: Work, caller: Caller, request_id: str) -> RequestView:
    """A request with its latest answers and its decisions; NotFound outside the caller's scope."""
    check_can(caller, Action.READ)
    request = store.find_request(work, caller, request_id)
    revision = store.revisions_of(work, request_id)[-1]
    approval, doses_given = store.of_request(work, request_id)
    return RequestView(
        request=request,
        revision=revision,
        overrides=store.overrides_of(work, request_id, revision.revision),
        decisions=store.decisions_of(work, request_id),
        approval=approval,
        doses_given=doses_given,
    )


def treatment_view(work: Work, caller: Caller, treatment_id: str) -> TreatmentView:
    """A treatment with its segments, and the requests and approvals that the caller may see."""
    check_can(caller, Action.READ)
    treatment = store.find_treatment(work, caller, treatment_id)
    part = sees_part(work, caller, treatment)
    # Whether a part is the last is told by the others, which own_part then takes out.
    with work.beyond_scope() if part else nullcontext():
        segments = store.segments_of(work, treatment_id)
    view = TreatmentView(
        treatment=treatment,
        patient=patients.patient(work, treatment.patient_id),
        segments=segments,
        requests=store.requests_of(work, caller, treatment_id),
        approvals=store.approvals_of(work, treatment_id),
    )
    if pays_for_part(caller, segments):
        return paid_part(view, caller.organisation)
    return own_part(view, caller) if part else view


def pays_for_part(caller: Caller, segments: Sequence[SegmentRecord]) -> bool:
    """Whether the caller is of a commissioner, its auditor too, and others pay for some days."""
    payers = {segment.commissioner for segment in segments}
    own = caller.organisation
    audits = caller.role is Role.AUDITOR and own in payers
    return (caller.role in PAYER_ROLES or audits) and bool(payers - {own})


def paid_part(view: TreatmentView, own: str) -> TreatmentView:
    """What a commissioner sees of a treatment: the days that it pays for.

    Nothing of what another pays for before or after them, nor of a stop after its last day. While
    it is asked, and pays for none, it sees the treatment alone.
    """
    segments = tuple(s for s in view.segments if s.commissioner == own)
    paid = {s.approval_id for s in segments}
    covered = [s for s in segments if s.kind == "coverage"]
    first = min((s.from_day for s in covered), default=None)
    goes_on = view.treatment.commissioner == own
    ends = [s.to_day for s in covered]
    last = None if goes_on or None in ends else max((d for d in ends if d), default=None)
    approvals = tuple(a for a in view.approvals if a.id in paid or a.commissioner == own)
    return replace(
        view,
        treatment=view.treatment if goes_on else _until(view.treatment, last),
        segments=segments,
        approvals=tuple(
            a
            if a.commissioner == own or first is None
            else replace(
                a,
                covers_from=max(a.covers_from, first),
                covers_to=_earlier(a.covers_to, last),
            )
            for a in approvals
        ),
    )


def own_approval(
    work: Work, caller: Caller, request: RequestView
) -> tuple[ApprovalRecord, TreatmentRecord] | None:
    """A request's approval and its treatment, no more of them than the treatment's own view tells.

    Who pays, decided or asked is shown the approval of the request also where the treatment has
    moved on to others; a hospital that handed the treatment over, what it held until then.
    """
    if request.approval is None:
        return None
    treatment = request.treatment or store.treatment_of(work, request.request.treatment_id)
    if not sees_part(work, caller, treatment):
        return request.approval, treatment
    part = treatment_view(work, caller, treatment.id)
    for approval in part.approvals:
        if approval.id == request.approval.id:
            return approval, part.treatment
    return None


def approvals_beside(
    work: Work, caller: Caller, treatment: TreatmentRecord
) -> Sequence[ApprovalRecord]:
    """All of a treatment's approvals that the caller may see; none where it is not theirs to see.

    A panel sees what was referred to it, and a payer an approval that it decided, also where the
    treatment itself is hidden from them.
    """
    try:
        return treatment_view(work, caller, treatment.id).approvals
    except NotFound:
        return ()


def sees_part(work: Work, caller: Caller, treatment: TreatmentRecord) -> bool:
    """Whether the caller's hospital sees only a part: it handed the treatment over, or supplies it.

    A supplier that is asked to take the treatment over sees all of it, for as long as it is asked.
    """
    if not is_elsewhere(caller, treatment):
        return False
    every = store.segments_of(work, treatment.id, superseded=True)
    own = caller.organisation
    if own in {segment.provider for segment in every}:
        return True
    supplies = any(s.superseded_at is None and own in s.supplying_providers for s in every)
    return supplies and not any(
        request.counterparty == own and request.state is RequestState.AWAITING_CONSENT
        for request in store.requests_of(work, caller, treatment.id)
    )


def own_part(view: TreatmentView, caller: Caller) -> TreatmentView:
    """What a hospital sees of a treatment that it handed over, or supplies for another.

    Nothing of what came after its last day; of a stop never why.
    """
    own = caller.organisation
    segments = tuple(s for s in view.segments if is_part_of(s, own))
    held = {s.approval_id for s in segments}
    approvals = tuple(a for a in view.approvals if a.provider == own or a.id in held)
    shown = replace(view, segments=segments, approvals=approvals)
    if segments and segments[-1] == view.segments[-1]:  # it supplies up to the end
        return replace(shown, treatment=replace(view.treatment, stop_reason=None))
    last = max((s.to_day for s in segments if s.to_day is not None), default=None)
    return replace(
        shown,
        treatment=_until(view.treatment, last),
        approvals=tuple(replace(a, covers_to=_earlier(a.covers_to, last)) for a in approvals),
    )


def is_part_of(segment: SegmentRecord, own: str) -> bool:
    """Whether these days of a treatment are a provider's: it prescribed then, or supplied."""
    return segment.provider == own or own in segment.supplying_providers


def _until(treatment: TreatmentRecord, last: dt.date | None) -> TreatmentRecord:
    first = treatment.first_dose
    known = first if first is not None and last is not None and first <= last else None
    return replace(
        treatment, first_dose=known, not_started_on=None, stopped_on=None, stop_reason=None
    )


def _earlier(day: dt.date | None, last: dt.date | None) -> dt.date | None:
    return min((each for each in (day, last) if each is not None), default=None)
