"""What a run says of one slice, with the pounds that it accepted untested. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from app.reconciliation.engines.spacing import TOO_SOON
from app.reconciliation.engines.supply_terms import VAT
from app.reconciliation.model import MatchedLine, TestResult
from app.reconciliation.slice_store import SliceOutcome
from app.reconciliation.slices import ZERO, SliceKey, total_of

#: Tests that never decide an outcome: that they could not be made leaves nothing untested.
_ONLY_CORROBORATES: Final = frozenset({"birth date", VAT, TOO_SOON})


def slice_outcome(key: SliceKey, items: Sequence[MatchedLine]) -> SliceOutcome:
    """The figures of a slice's lines, in pounds; within a context of enough digits."""
    by_test: dict[str, Decimal] = defaultdict(lambda: ZERO)
    not_testable = ZERO
    for item in items:
        lacking = untested(item)
        for name in lacking:
            by_test[name] += item.accepted
        if lacking:
            not_testable += item.accepted
    return SliceOutcome(
        key,
        len(items),
        total_of(item.line for item in items),
        sum((item.accepted for item in items), ZERO),
        sum((item.queried for item in items), ZERO),
        not_testable,
        {name: f"{amount:f}" for name, amount in sorted(by_test.items())},
    )


def untested(item: MatchedLine) -> frozenset[str]:
    """The tests of an accepted line that could not be made, and might have queried it."""
    if not item.accepted:
        return frozenset()
    return frozenset(
        test.name
        for test in item.tests
        if test.result is TestResult.NOT_TESTABLE and test.name not in _ONLY_CORROBORATES
    )
