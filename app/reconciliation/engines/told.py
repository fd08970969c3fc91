"""What lines say of each other and of those before them, and what a quantity is counted over."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from app.reconciliation.engines.debits import Debits, find_debits
from app.reconciliation.engines.index import SnapshotIndex, coverage_order
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO, unit_key
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.repeats import Repeats, find_repeats, find_reversals
from app.reconciliation.model import Coverage


@dataclass(frozen=True, slots=True)
class Told:
    """Which lines repeat or take back others, in their own file and before it."""

    repeats: Repeats
    debits: Debits

    @property
    def taken_back(self) -> frozenset[int]:
        """Positions of the charges that a credit of the file takes back."""
        return self.repeats.reversed | self.debits.taken


def told_of(prepared: Sequence[Prepared], index: SnapshotIndex) -> Told:
    """What the lines say of each other and of lines before them."""
    earlier, reverses = index.earlier, find_reversals(prepared)
    debits = find_debits(prepared, reverses, earlier.charges, earlier.fees, earlier.stated)
    stated = earlier.stated - debits.freed
    taken = debits.taken | debits.fees_taken
    return Told(find_repeats(prepared, reverses, stated, taken), debits)


def allowance_of(coverage: Coverage) -> tuple[object, ...]:
    """What a quantity cap is counted over: an approval in a unit; a coverage without one alone."""
    if coverage.approval_reference is not None:
        unit = unit_key(coverage.quantity_unit) or ""
        return ("approval", coverage.approval_reference, unit)
    return ("coverage", *map(str, coverage_order(coverage)))


def used_before(index: SnapshotIndex, debits: Debits) -> Mapping[tuple[object, ...], Decimal]:
    """What earlier submissions use of each allowance, less what credits of this one give back."""
    used: dict[tuple[object, ...], Decimal] = defaultdict(lambda: ZERO)
    with localcontext(prec=EXACT_DIGITS):
        for each in index.earlier.used:
            used["approval", each.approval_reference, each.unit] += each.quantity
        for place in debits.released:
            if (back := index.earlier.charges[place].uses) is not None:
                used["approval", back.approval_reference, back.unit] -= back.quantity
    return dict(used)
