"""Lines for which no approval is looked for, and what is told of a decision by hand on them."""

from collections.abc import Callable
from dataclasses import replace

from app.reconciliation.engines.by_hand import not_applied
from app.reconciliation.engines.decided import Decided
from app.reconciliation.engines.diagnose import Verdict
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.settled import (
    duplicate,
    repeats_another,
    reversal,
    settle,
    stated_before,
    without_debit,
)
from app.reconciliation.engines.told import Told
from app.reconciliation.model import DecisionKind, LineDecision, TestResult


def unmatched_line(
    position: int, item: Prepared, told: Told, row_of: Callable[[int], int]
) -> Decided | None:
    """The verdict on a line for which no approval is looked for; None for every other line."""
    repeats, debit = told.repeats, told.debits.tests.get(position)
    tests = (debit,) if debit else ()
    if position in repeats.reverses:
        verdict = reversal(row_of(repeats.reverses[position]))
        return Decided(item, verdict, tests=tests)
    if (settled := settle(item)) is not None:
        lacking = debit is not None and debit.result is TestResult.FAILED
        return Decided(item, without_debit() if lacking else settled, tests=tests)
    if position in repeats.stated_before:
        return _repeating(item, stated_before())
    if position in repeats.duplicate_of:
        return _repeating(item, duplicate(row_of(repeats.duplicate_of[position])))
    return None


def _repeating(item: Prepared, verdict: Verdict) -> Decided:
    return Decided(item, verdict, tests=(repeats_another(verdict),))


def without_match(item: Decided, decision: LineDecision | None, *, is_reversal: bool) -> Decided:
    """The line, told where somebody matched it by hand that it is none to be matched.

    An override moves nothing of a reversal either: it is counted as its charge is.
    """
    if decision is None or not (decision.kind is DecisionKind.MATCH or is_reversal):
        return item
    why = f"no approval is looked for. {item.verdict.reason}"
    if decision.kind is not DecisionKind.MATCH:
        why = "decide on the charge that the line takes back; it is counted as that is"
    return replace(item, tests=(*item.tests, not_applied(why)))
