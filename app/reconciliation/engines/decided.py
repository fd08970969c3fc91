"""A line on its way to its outcome, and what is accepted of it."""

from dataclasses import dataclass
from decimal import Decimal

from app.reconciliation.engines.diagnose import Verdict
from app.reconciliation.engines.limits import ONE, ZERO, accepted_part
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import Coverage, DecisionKind, LineOutcome, Test
from app.reconciliation.wording import ACCEPTED_WHOLE, SPLIT


@dataclass(frozen=True, slots=True)
class Decided:
    """A line on its way: its verdict so far, and the share of the drug's cost allowed.

    `delivery` is what is accepted of a home delivery that costs more than agreed, `fee` what is
    accepted of a fee on a line of its own.
    """

    prepared: Prepared
    verdict: Verdict
    found_by: str = ""
    tests: tuple[Test, ...] = ()
    within: Coverage | None = None
    share: Decimal = ONE
    delivery: Decimal | None = None
    fee: Decimal | None = None
    override: DecisionKind | None = None
    proposed: str | None = None


def accepted_of(item: Decided) -> Decimal:
    """What is accepted of a line, in pounds; within a context of enough digits."""
    line, outcome = item.prepared.line, item.verdict.outcome
    if line.total_cost is None:
        return ZERO
    if item.override is not None:
        return line.total_cost if item.override is DecisionKind.ACCEPT else ZERO
    if item.fee is not None:
        return item.fee
    if outcome in ACCEPTED_WHOLE:
        return line.total_cost
    if outcome in SPLIT:
        return accepted_part(line, item.share, item.delivery)
    # Money given back is taken, whatever it was given for.
    return line.total_cost if outcome in GIVES_BACK and line.total_cost < 0 else ZERO


#: Negative amounts under these are taken whole.
GIVES_BACK = frozenset({LineOutcome.NOT_A_DRUG_LINE, LineOutcome.CREDIT_WITHOUT_DEBIT})
