"""What a trust is told of a line before it invoices: will it be challenged, what is to be done.

Pure. It names the form that is missing or due. Of an approval at another provider it says that
there is one, and no more.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.policy import Kind
from app.reconciliation.model import Coverage, LineOutcome, MatchedLine
from app.reconciliation.period import Fit, fit, period_of
from app.reconciliation.wording import ACCEPTED_WHOLE

_L = LineOutcome
#: Where an approval that another provider holds explains the outcome.
ASKED_ELSEWHERE: Final = frozenset(
    {
        _L.NO_APPROVAL,
        _L.DRUG_OR_INDICATION_DIFFERS,
        _L.OUTSIDE_APPROVAL_PERIOD,
        _L.CONTINUATION_OVERDUE,
    }
)
ELSEWHERE: Final = "An approval of this drug for this patient exists, but not at your organisation."
TRANSFER: Final = (
    "Claim the treatment and request its transfer, or have your organisation named as a supplying "
    "provider, before you invoice."
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What will come of a line. `due` is when the next continuation is due, where one will be."""

    item: MatchedLine
    challenged: bool
    form: Kind | None
    due: dt.date | None
    elsewhere: bool


def advise(item: MatchedLine, coverages: Sequence[Coverage], *, elsewhere: bool) -> Advice:
    """The advice on a line, given its treatment's coverages of its own organisation."""
    coverage = _of(item, coverages)
    challenged = item.outcome not in ACCEPTED_WHOLE and item.outcome is not _L.AWAITING_DECISION
    found = elsewhere and item.outcome in ASKED_ELSEWHERE
    if found:
        item = replace(item, reason=ELSEWHERE, remedy=TRANSFER)
    due = coverage.continuation_due if coverage is not None else None
    return Advice(item, challenged, _form(item, coverage, found), due, found)


def _form(item: MatchedLine, coverage: Coverage | None, elsewhere: bool) -> Kind | None:
    """The form that would mend the line; None where no form would."""
    if elsewhere or item.outcome is _L.NOT_THE_APPROVED_PROVIDER:
        return Kind.TRANSFER
    if item.outcome is _L.CONTINUATION_OVERDUE:
        return Kind.CONTINUATION
    if item.outcome is _L.OUTSIDE_APPROVAL_PERIOD:
        return _outside(item, coverage)
    if item.outcome is _L.DRUG_OR_INDICATION_DIFFERS:
        return Kind.SWITCH
    return Kind.INITIATION if item.outcome is _L.NO_APPROVAL else None


def _outside(item: MatchedLine, coverage: Coverage | None) -> Kind:
    period = period_of(item.line)
    if coverage is None or period is None:
        return Kind.INITIATION
    how = fit(coverage, period)
    if how is Fit.PAUSED:
        return Kind.RESUME
    ended = coverage.status == "ended"
    return Kind.CONTINUATION if how is Fit.AFTER and not ended else Kind.INITIATION


def _of(item: MatchedLine, coverages: Sequence[Coverage]) -> Coverage | None:
    """The last coverage of the line's approval that begins before the supply, else its first."""
    own = [
        c
        for c in coverages
        if c.treatment_id == item.treatment_id and c.approval_reference == item.reference
    ]
    if item.treatment_id is None or not own:
        return None
    period = period_of(item.line)
    begun = [c for c in own if period is not None and c.from_ <= period.last]
    return max(begun, key=lambda c: c.from_) if begun else min(own, key=lambda c: c.from_)
