"""What a run says of one slice, with the pounds that it accepted untested. Pure."""

from collections.abc import Sequence

from app.reconciliation.model import MatchedLine
from app.reconciliation.slice_store import SliceOutcome
from app.reconciliation.slices import ZERO, SliceKey, total_of
from app.reconciliation.untested import told_by_test, untested_of


def slice_outcome(key: SliceKey, items: Sequence[MatchedLine]) -> SliceOutcome:
    """The figures of a slice's lines, in pounds; within a context of enough digits."""
    untested = untested_of(items)
    return SliceOutcome(
        key,
        len(items),
        total_of(item.line for item in items),
        sum((item.accepted for item in items), ZERO),
        sum((item.queried for item in items), ZERO),
        untested.amount,
        told_by_test(untested),
    )
