"""What a commissioner decides: funding outside the policy, and approvals under query."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from app.approvals import issuing, store
from app.approvals.coverage import Cover
from app.approvals.deciding import add_decision, hold, move, open_request
from app.approvals.details import check_amount
from app.approvals.doses_given import OVERTURNED, DosesGiven, given_since
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.lifecycle import (
    RESOLUTIONS,
    ApprovalEvent,
    RequestEvent,
    RequestState,
    next_approval_state,
    next_states,
)
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    RequestRecord,
    RequestView,
    Route,
    TreatmentRecord,
)
from app.approvals.notices import suspending_funding
from app.approvals.office import Office
from app.approvals.overturning import Ruling, rule, ruled
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.replaying import version_of_request
from app.approvals.views import request_view
from app.audit import Event
from app.auth.model import Caller
from app.clock import london_day
from app.db.work import Work
from app.policy import Kind, Notice
from app.policy.notices import notice_to_json, reason_of

OUTSIDE_POLICY = frozenset({Basis.INDIVIDUAL_FUNDING, Basis.GROUP_APPROVAL})
LONGEST_UNIT = 40


@dataclass(frozen=True, slots=True)
class FundingDecision:
    """A commissioner's own approval outside the policy, with free terms."""

    basis: Basis  # individual funding | group approval
    case_reference: str
    from_day: dt.date
    to_day: dt.date | None
    terms: str
    reason: str
    unit_price_cap: Decimal | None = None
    price_unit: str | None = None
    quantity_cap: Decimal | None = None
    quantity_unit: str | None = None
    despite_notice: str | None = None  # why it is funded although a safety notice suspends it


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why funding outside the policy is refused, and what that means for doses given before.

    `doses_paid` is None where none were. `paid_to` is by default the day of the decision.
    """

    reason: str
    doses_paid: bool | None = None
    paid_to: dt.date | None = None


def record_funding(
    work: Work,
    office: Office,
    caller: Caller,
    request_id: str,
    funding: FundingDecision,
    expected_version: int | None,
) -> RequestView:
    """Record an individual funding or group approval of a request, with its free terms.

    A new start that a safety notice suspends is funded only with a reason for going against it,
    and the decision names the notice; a group approval, which looks at no one patient, not at all
    under one that refuses (ADR 36): TransitionNotAllowed.
    Its days and caps are the commissioner's own. Days before the form are marked late. Raises
    DetailsNotAccepted for days that an approval of the treatment covers already.
    """
    request, treatment = open_request(
        work, caller, Action.FUND, request_id, expected_version, lambda r: r.commissioner
    )
    if request.kind not in (Kind.INITIATION, Kind.CONTINUATION):
        raise TransitionNotAllowed(f"A {request.kind} is not funded by itself.")
    _check_funding(funding)
    library = office.library_at(work)
    notices = suspending_funding(work, library, treatment.drug, request)
    _check_despite(funding, notices)
    stored = add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="commissioner",
        outcome="approved",
        findings=[],
        missing=[],
        reasons=[funding.reason, *_told(funding, notices)],
        waived=[],
        reason=funding.reason,
        notices=[notice_to_json(each) for each in notices] or None,
    )
    moved = move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.FUND,
        RequestState.APPROVED,
        reason=funding.reason,
    )
    late = funding.from_day < london_day(request.submitted_at)
    issuing.issue(
        work,
        caller.actor(),
        treatment,
        moved,
        Cover(funding.from_day, funding.to_day, None, late),
        funding.basis,
        stored.id,
        _free_terms(funding),
        issuing.Caps(
            funding.unit_price_cap,
            funding.price_unit,
            funding.quantity_cap,
            funding.quantity_unit,
        ),
    )
    return request_view(work, caller, request_id)


def refuse_funding(
    work: Work,
    office: Office,
    caller: Caller,
    request_id: str,
    refusal: Refusal,
    expected_version: int | None,
) -> RequestView:
    """Decline a request for individual funding or a group approval, with the reason.

    Nothing about it stops a running treatment. Where doses were given under an urgent start before
    it, the refusal says whether they are paid for, as a panel's does (ADR 73). Raises
    DetailsNotAccepted where it does not, or says it of another request; TransitionNotAllowed for a
    request that is asked of the policy: its panel, or the commissioner in a panel's place, declines
    that.
    """
    request, treatment = open_request(
        work, caller, Action.FUND, request_id, expected_version, lambda r: r.commissioner
    )
    if request.route is Route.POLICY:
        raise TransitionNotAllowed(
            "The request is asked of the policy, not for funding outside it. Whoever decides in "
            "the panel's place declines it."
        )
    step, to = RequestEvent.REFUSE_FUNDING, RequestState.DECLINED
    next_states(request.state, step)
    given = _of_doses_given(request, treatment, refusal, work.moment.day)
    told = None if given is None else given.to_json()
    stored = add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="commissioner",
        outcome="declined" if given is None else OVERTURNED,
        findings=[],
        missing=[],
        reasons=[refusal.reason],
        waived=[],
        reason=refusal.reason,
        audited=None if told is None else {"doses_given": told},
        doses_given=told,
    )
    moved = move(work, caller, treatment, request, step, to, reason=refusal.reason)
    if given is not None:
        version = version_of_request(work, office.library_at(work), request)
        basis = Basis(request.route.value)
        rule(work, version, caller, treatment, moved, given, stored.id, basis)
    return request_view(work, caller, request_id)


def _of_doses_given(
    request: RequestRecord, treatment: TreatmentRecord, refusal: Refusal, today: dt.date
) -> DosesGiven | None:
    """What the refusal says of doses given; None where none were given before the form."""
    if given_since(request, today) is None:
        if refusal.doses_paid is not None or refusal.paid_to is not None:
            raise DetailsNotAccepted(
                "doses_given",
                "The request tells of no doses given under an urgent start, so there is nothing "
                "to say of them. Leave it out.",
            )
        return None
    if refusal.doses_paid is None:
        raise DetailsNotAccepted(
            "doses_given",
            "The request tells of an urgent start: doses were given before it was decided. Say "
            "whether they are paid for: 'paid' or 'not paid'.",
        )
    ruling = Ruling(refusal.reason, refusal.doses_paid, refusal.paid_to)
    return ruled(request, treatment, ruling, today)


def _check_despite(funding: FundingDecision, notices: tuple[Notice, ...]) -> None:
    """Raise TransitionNotAllowed where the funding does not answer for a safety notice."""
    group = funding.basis is Basis.GROUP_APPROVAL
    for notice in notices:
        if group and notice.refuses:
            raise TransitionNotAllowed(
                f"{reason_of(notice)} A group approval looks at no one patient, so it cannot go "
                "against it. Decline the request, or record an individual funding decision."
            )
        if not (funding.despite_notice or "").strip():
            raise TransitionNotAllowed(
                f"{reason_of(notice)} To fund this patient all the same, say why in "
                "`despite_notice`; the decision will name the notice."
            )


def _told(funding: FundingDecision, notices: tuple[Notice, ...]) -> list[str]:
    """The notices that it goes against, and the commissioner's reason for that."""
    if not notices:
        return []
    why = f"Funded all the same: {(funding.despite_notice or '').strip()}"
    return [*(reason_of(each) for each in notices), why]


def _check_funding(funding: FundingDecision) -> None:
    if funding.basis not in OUTSIDE_POLICY:
        raise DetailsNotAccepted(
            "basis", "A commissioner records an individual funding or a group approval here."
        )
    if funding.to_day is not None and funding.to_day < funding.from_day:
        raise DetailsNotAccepted("to_day", "The last covered day is before the first one.")
    for name in ("unit_price", "quantity"):
        cap = getattr(funding, f"{name}_cap")
        field = "price_unit" if name == "unit_price" else "quantity_unit"
        unit = getattr(funding, field)
        if cap is not None:
            check_amount(f"{name}_cap", cap)
        if (cap is None) != (unit is None) or (unit is not None and len(unit) > LONGEST_UNIT):
            raise DetailsNotAccepted(
                field, f"A cap needs its unit, of at most {LONGEST_UNIT} characters."
            )


def _free_terms(funding: FundingDecision) -> dict[str, object]:
    def text(amount: Decimal | None) -> str | None:
        return None if amount is None else format(amount, "f")

    return {
        "case_reference": funding.case_reference,
        "terms": funding.terms,
        "unit_price_cap": text(funding.unit_price_cap),
        "price_unit": funding.price_unit,
        "quantity_cap": text(funding.quantity_cap),
        "quantity_unit": funding.quantity_unit,
    }


def resolve_query(
    work: Work,
    caller: Caller,
    reference: str,
    resolution: ApprovalEvent,
    reason: str,
    expected_version: int | None,
) -> ApprovalRecord:
    """The commissioner upholds an approval under query, withdraws it, or confirms the error.

    A withdrawn approval covers nothing; its segments are superseded, never deleted.
    """
    check_can(caller, Action.RESOLVE_QUERY)
    if resolution not in RESOLUTIONS:
        raise TransitionNotAllowed(
            f"A query is resolved by one of: {', '.join(sorted(RESOLUTIONS))}."
        )
    known = store.find_approval(work, caller, reference)
    _check_pays(caller, known, store.treatment_of(work, known.treatment_id))
    treatment = hold(work, caller, known.treatment_id)
    approval = store.find_approval(work, caller, reference, lock=True)
    store.check_version(approval.version, expected_version)
    to = next_approval_state(approval.state, resolution)
    if resolution is ApprovalEvent.UPHOLD and treatment.stopped_on is not None:
        to = next_approval_state(to, ApprovalEvent.END)
    changed = store.change_approval(
        work,
        approval,
        {"state": to},
        caller.actor(),
        Event(
            action=f"approval: {resolution}",
            object_type="approval",
            object_id=approval.id,
            treatment_id=treatment.id,
            request_id=approval.request_id,
            patient_id=treatment.patient_id,
            before={"state": approval.state},
            after={"state": to, "reason": reason},
            policy_hash=approval.policy_hash,
        ),
    )
    if resolution is not ApprovalEvent.UPHOLD:
        _take_out(work, treatment, approval)
    return changed


def _check_pays(caller: Caller, approval: ApprovalRecord, treatment: TreatmentRecord) -> None:
    """Raise NotAllowed unless the caller's organisation approved it or pays for the treatment now.

    Whoever approved may have handed the treatment on and no longer see it.
    """
    is_handed_to = caller.organisation == treatment.commissioner
    payer = treatment.commissioner if is_handed_to else approval.commissioner
    check_acts_for(caller, Action.RESOLVE_QUERY, payer)


def _take_out(work: Work, treatment: TreatmentRecord, approval: ApprovalRecord) -> None:
    for segment in store.segments_of(work, treatment.id):
        if segment.approval_id == approval.id:
            store.supersede_segment(work, segment.id, work.moment.instant)
    if not issuing.is_live(work, treatment, work.moment.day):
        store.clear_live(work, treatment.id)
