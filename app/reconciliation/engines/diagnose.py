"""Why no pass found a coverage: the outcome of a drug line that nothing covers.

Asked in this order, the first answer deciding: same drug approved for this patient, but not then;
whether approval is needed and a policy held; a request that awaits its decision; an approval of
another drug; none at all.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.reconciliation.engines.index import SnapshotIndex, coverage_order
from app.reconciliation.engines.passes import patient_coverages
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import Coverage, LineOutcome, PendingRequest, PolicyHeld
from app.reconciliation.outcomes import USABLE, check_continuation, check_period, sentence
from app.reconciliation.period import Fit, Period, continuation_overdue, fit, last_day

# Kinds of request that, once approved, would cover a supply that nothing covers now.
GIVES_COVER = frozenset({"initiation", "continuation", "switch", "transfer", "resume"})


class Need(StrEnum):
    """What the policies held say of a drug at a time."""

    REQUIRED = "approval required"
    NOT_REQUIRED = "approval not required"
    NO_POLICY = "no policy held"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with its reason and the coverage that it speaks of.

    `remedy` is one of its own, empty where there is nothing to mend; None takes the outcome's.
    """

    outcome: LineOutcome
    reason: str
    coverage: Coverage | None = None
    remedy: str | None = None


def need_of(prepared: Prepared, index: SnapshotIndex) -> Need:
    """Whether approval is needed, by the policies on the drug in force at the time of supply.

    Where policies on several indications disagree, approval is taken to be needed: the line's
    indication is seldom legible, and one wrong "not needed" would pay without a question.
    """
    held = _held_for(prepared, index)
    if prepared.period is not None:
        first, last = prepared.period.first, prepared.period.last
        held = tuple(p for p in held if p.from_ <= last and first <= (p.to or dt.date.max))
    if not held:
        return Need.NO_POLICY
    return Need.REQUIRED if any(p.approval_required for p in held) else Need.NOT_REQUIRED


def _held_for(prepared: Prepared, index: SnapshotIndex) -> tuple[PolicyHeld, ...]:
    """The entries on the drug that count for the line: its own commissioner's, else the general."""
    held = index.policies.get(prepared.recognition.drug or "", ())
    own = tuple(p for p in held if p.commissioner and p.commissioner == prepared.commissioner)
    return own or tuple(p for p in held if p.commissioner is None)


def diagnose(prepared: Prepared, index: SnapshotIndex) -> Verdict:
    """The outcome of a drug line for which no pass found a coverage."""
    own = patient_coverages(prepared, index)
    same_drug = [c for c in own if c.drug == prepared.recognition.drug]
    need = need_of(prepared, index)
    if need is Need.NOT_REQUIRED:
        return not_required()
    if same_drug:
        return _same_drug(prepared, same_drug, index)
    if need is Need.NO_POLICY:
        return Verdict(
            LineOutcome.NO_POLICY_HELD, "No policy on this drug is held for the time of supply."
        )
    return _nothing_approved(prepared, own, index)


def not_required() -> Verdict:
    """The verdict on a drug whose policies do not ask for approval."""
    return Verdict(
        LineOutcome.APPROVAL_NOT_REQUIRED, "The policy on this drug asks for no prior approval."
    )


def _nothing_approved(prepared: Prepared, own: Sequence[Coverage], index: SnapshotIndex) -> Verdict:
    """No approval of this drug was ever held for this patient."""
    if prepared.period is None:
        return _no_time(prepared)
    if not prepared.has_identity:
        return _no_identity(prepared)
    if waiting := pending_request(prepared, index):
        return awaiting(waiting)
    other = [c for c in own if c.status in USABLE and fit(c, prepared.period) is Fit.WITHIN]
    if other:
        nearest = min(other, key=coverage_order)
        return Verdict(
            LineOutcome.DRUG_OR_INDICATION_DIFFERS,
            f"The patient's approval at that time is of {nearest.drug}; none of "
            f"{prepared.recognition.drug} is held.",
            nearest,
        )
    return Verdict(LineOutcome.NO_APPROVAL, "No approval of this drug is held for this patient.")


def _no_time(prepared: Prepared) -> Verdict:
    why = prepared.line.why_unread("supply_date") or "it is empty"
    return Verdict(
        LineOutcome.CANNOT_BE_READ,
        f"The supply date cannot be read ({why}) and no financial month and year stand in for it.",
    )


def _no_identity(prepared: Prepared) -> Verdict:
    if prepared.line.withheld_reason is not None:
        return Verdict(
            LineOutcome.IDENTITY_WITHHELD,
            "The patient's identity is withheld, so no approval can be shown to be theirs.",
        )
    why = prepared.line.why_unread("nhs_number") or "it is empty"
    return Verdict(
        LineOutcome.CANNOT_BE_READ,
        f"No patient identifier can be read (NHS number: {why}).",
    )


def _same_drug(prepared: Prepared, coverages: Sequence[Coverage], index: SnapshotIndex) -> Verdict:
    """The patient has, or had, approval of this drug, but no pass found it valid."""
    if prepared.period is None:
        return _no_time(prepared)
    usable = [c for c in coverages if c.status in USABLE]
    undone = [c for c in coverages if c.status not in USABLE]
    undone_then = [c for c in undone if fit(c, prepared.period) is Fit.WITHIN]
    if waiting := pending_request(prepared, index):
        return awaiting(waiting)
    if undone_then or not usable:
        return _undone(min(undone_then or undone, key=coverage_order))
    if not prepared.period.is_day:
        return Verdict(
            LineOutcome.CANNOT_BE_READ,
            "The supply date cannot be read, and the stated month does not lie wholly within one "
            "approval of this patient.",
        )
    period = prepared.period
    return _outside(min(usable, key=lambda coverage: _distance(coverage, period)), period)


def _undone(coverage: Coverage) -> Verdict:
    named = f" {coverage.approval_reference}" if coverage.approval_reference else ""
    return Verdict(LineOutcome.NO_APPROVAL, f"The approval{named} is {coverage.status}.", coverage)


def _distance(coverage: Coverage, period: Period) -> tuple[object, ...]:
    """How far a coverage lies from a period, in days; ties go to the latest start, then ids."""
    before = (coverage.from_ - period.last).days
    after = (period.first - last_day(coverage, period)).days
    return max(before, after, 0), -coverage.from_.toordinal(), *coverage_order(coverage)


def _outside(coverage: Coverage, period: Period) -> Verdict:
    if fit(coverage, period) is Fit.AFTER:
        if continuation_overdue(coverage, period):
            reason = sentence(check_continuation(coverage, period).detail)
            return Verdict(LineOutcome.CONTINUATION_OVERDUE, reason, coverage)
        if coverage.continuation_submitted:
            return Verdict(
                LineOutcome.AWAITING_DECISION,
                "A continuation has been submitted and is not decided.",
                coverage,
            )
    ends = f"{coverage.to:%d/%m/%Y}" if coverage.to else "no end"
    return Verdict(
        LineOutcome.OUTSIDE_APPROVAL_PERIOD,
        f"{sentence(check_period(coverage, period).detail)[:-1]} "
        f"(the approval runs from {coverage.from_:%d/%m/%Y} to {ends}).",
        coverage,
    )


def pending_request(
    prepared: Prepared, index: SnapshotIndex, kinds: frozenset[str] = GIVES_COVER
) -> PendingRequest | None:
    """The earliest undecided request of this patient for this drug that would give cover."""
    key = prepared.local_key
    requests = (
        *index.pending_by_nhs.get(prepared.line.nhs_number or "", ()),
        *(index.pending_by_local.get(key, ()) if key else ()),
    )
    for request in requests:
        if request.drug != prepared.recognition.drug or request.kind not in kinds:
            continue
        nhs = prepared.line.nhs_number
        if nhs is None or request.nhs_number is None or nhs == request.nhs_number:
            return request
    return None


def awaiting(request: PendingRequest) -> Verdict:
    """The verdict while a request is undecided."""
    return Verdict(
        LineOutcome.AWAITING_DECISION,
        f"A request ({request.kind}) submitted on {request.submitted_on:%d/%m/%Y} is not decided.",
    )
