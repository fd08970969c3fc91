"""Credits and the charges that they give back, within a submission and in what stands before it.

A credit that reverses a charge of its own file to the day (`repeats`) has its debit. Any other one
looks for a charge of the same patient, provider, drug and amount that is not of a later day: by NHS
number first, then by the local identifier, then by the reference that both quote; in its own file
first, then among the charges that stand in current slices of earlier submissions. One of the
credit's own day goes before any other, then one that the file states again: billed, given back and
billed again; a line that repeats what stood before is the last that a credit takes back (ADR 79).
Each charge is given back once, in the order of day and content, so that the order of rows changes
nothing.

A credit whose name is a fee's looks for its fee first, in the same way: of the same commissioner,
sort and drug too. A supply does not pay for a fee that is given back.

A credit that finds none is accepted as any money given back, and says so. One that states too
little to be compared is not testable.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeVar

from app.reconciliation.classify import fee_sort, is_fee_named
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import EarlierCharge, EarlierFee, LineKind, Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED

DEBIT: Final = "debit"
_EARLIER = Test(DEBIT, PASSED, "it gives back a charge of an earlier submission")
_NONE = Test(DEBIT, FAILED, "no charge of that patient, drug and amount is left to give back")
_ILLEGIBLE = Test(DEBIT, NOT_TESTABLE, "too little of it is legible to look for its charge")


@dataclass(frozen=True, slots=True)
class Debits:
    """The test of each credit by its position, and the charges that credits took back.

    `taken` are positions of charges of the same file, `released` places among the earlier charges;
    `fees_taken` and `fees_released` the same of fees. `freed` is the content of what was released,
    which may be billed again.
    """

    tests: Mapping[int, Test] = field(default_factory=dict)
    taken: frozenset[int] = frozenset()
    released: frozenset[int] = frozenset()
    fees_taken: frozenset[int] = frozenset()
    fees_released: frozenset[int] = frozenset()
    freed: frozenset[str] = frozenset()


def own_debit(row: int) -> Test:
    """The test of a credit whose charge stands in its own file."""
    return Test(DEBIT, PASSED, f"it gives back row {row}")


@dataclass(frozen=True, slots=True)
class _Side:
    """A credit or a charge as the two are compared. `place` is a position; `before`: earlier.

    `day` is the first on which a charge, the last on which a credit can have been supplied; `what`
    is the drug, or of a fee all that it must have in common with its credit.
    """

    place: int
    nhs_number: str | None
    local_id: str | None
    reference: str | None
    provider: str
    what: Hashable
    amount: Decimal
    day: dt.date | None
    content: str
    before: bool = False


def find_debits(
    prepared: Sequence[Prepared],
    reverses: Mapping[int, int],
    before: Sequence[EarlierCharge],
    fees_before: Sequence[EarlierFee] = (),
    stated: Collection[str] = (),
) -> Debits:
    """What each credit gives back, given which reverse a charge of the file to the day.

    `stated` is content that stands before.
    """
    gone = frozenset(reverses.values())
    credits_ = [n for n, item in enumerate(prepared) if _gives_back(item) and n not in reverses]
    if not credits_:
        return Debits({n: own_debit(prepared[c].line.row) for n, c in reverses.items()})
    order = sorted(range(len(prepared)), key=lambda n: _order(prepared[n], n))
    fees = _of_fees(
        prepared, [n for n in order if n in frozenset(credits_)], order, fees_before, stated
    )
    wanted = frozenset(credits_) - fees.keys()
    sides = [side for n in order if n in wanted and (side := _side(n, prepared[n]))]
    own = [
        side
        for n in order
        if prepared[n].kind is LineKind.DRUG
        and n not in gone
        and _charges(prepared[n])
        and (side := _side(n, prepared[n]))
    ]
    earlier = [_before(n, charge) for n, charge in enumerate(before) if charge.provider]
    found = _pair(sides, _in_turn(own, earlier, stated))
    tests = {n: own_debit(prepared[c].line.row) for n, c in reverses.items()}
    tests |= dict.fromkeys(credits_, _ILLEGIBLE)
    tests |= {side.place: _NONE for side in sides}
    for place, charge in (*found.items(), *fees.items()):
        tests[place] = _EARLIER if charge.before else own_debit(prepared[charge.place].line.row)
    released = frozenset(charge.place for charge in found.values() if charge.before)
    fees_released = frozenset(fee.place for fee in fees.values() if fee.before)
    freed = {before[n].content_hash for n in released}
    freed |= {fees_before[n].content_hash for n in fees_released}
    return Debits(
        tests,
        frozenset(charge.place for charge in found.values() if not charge.before),
        released,
        frozenset(fee.place for fee in fees.values() if not fee.before),
        fees_released,
        frozenset(freed) - {""},
    )


def _in_turn(
    own: Sequence[_Side], earlier: Sequence[_Side], stated: Collection[str]
) -> list[_Side]:
    """The charges in the order in which a credit looks at them.

    What is stated again is given back first, of the file and then of before it. A line that repeats
    one of before comes last: it is the same billed again.
    """
    times = Counter(side.content for side in own if side.content)
    again = [side for side in own if side.content in stated]
    first = [side for side in own if side.content not in stated]
    restated = {side.content for side in again}
    return [
        *(side for side in first if times[side.content] > 1),
        *(side for side in earlier if side.content in restated),
        *(side for side in first if times[side.content] <= 1),
        *(side for side in earlier if side.content not in restated),
        *again,
    ]


def _of_fees(
    prepared: Sequence[Prepared],
    credits_: Sequence[int],
    order: Sequence[int],
    before: Sequence[EarlierFee],
    stated: Collection[str],
) -> Mapping[int, _Side]:
    """The credits of fees, by position, and the fee that each gives back."""
    sides = [
        side for n in credits_ if _is_fee_named(prepared[n]) and (side := _fee(n, prepared[n]))
    ]
    if not sides:
        return {}
    own = [
        side
        for n in order
        if prepared[n].kind is LineKind.FEE
        and _charges(prepared[n])
        and (side := _fee(n, prepared[n]))
    ]
    earlier = [_fee_before(n, fee) for n, fee in enumerate(before)]
    return _pair(sides, _in_turn(own, earlier, stated))


def _is_fee_named(item: Prepared) -> bool:
    return is_fee_named(item.line.drug_name, item.recognition.drug, item.on)


def _gives_back(item: Prepared) -> bool:
    total = item.line.total_cost
    return (
        item.kind is LineKind.CREDIT and not item.line.shifted and total is not None and total < 0
    )


def _charges(item: Prepared) -> bool:
    total = item.line.total_cost
    return not item.line.shifted and total is not None and total > 0


def _order(item: Prepared, position: int) -> tuple[dt.date, str, int]:
    day = item.period.first if item.period else dt.date.max
    return day, item.line.content_hash, position


def _side(position: int, item: Prepared) -> _Side | None:
    """None where too little is legible."""
    line, drug = item.line, item.recognition.drug
    known = item.has_identity or line.reference is not None
    if not known or drug is None or item.provider is None or line.total_cost is None:
        return None
    who = (line.nhs_number, line.local_patient_id, line.reference)
    charges, period = line.total_cost > 0, item.period
    day = None if period is None else period.first if charges else period.last
    return _Side(position, *who, item.provider, drug, abs(line.total_cost), day, line.content_hash)


def _fee(position: int, item: Prepared) -> _Side | None:
    """A fee or its credit; None where too little is legible."""
    line, period = item.line, item.period
    known = item.has_identity or line.reference is not None
    if not known or item.provider is None or line.total_cost is None:
        return None
    what = _fee_is(
        item.commissioner, fee_sort(line.drug_name, item.on), item.recognition.drug or None
    )
    day = None if period is None else period.first if line.total_cost > 0 else period.last
    who = (line.nhs_number, line.local_patient_id, line.reference)
    return _Side(position, *who, item.provider, what, abs(line.total_cost), day, line.content_hash)


def _fee_is(commissioner: str | None, sort: str, drug: str | None) -> Hashable:
    return "fee", commissioner, sort, drug


def _fee_before(place: int, fee: EarlierFee) -> _Side:
    return _Side(
        place,
        fee.nhs_number,
        fee.local_patient_id,
        fee.reference,
        fee.provider or "",
        _fee_is(fee.commissioner, fee.sort, fee.drug),
        fee.amount,
        fee.day,
        fee.content_hash,
        before=True,
    )


def _before(place: int, charge: EarlierCharge) -> _Side:
    return _Side(
        place,
        charge.nhs_number,
        charge.local_patient_id,
        charge.reference,
        charge.provider or "",
        charge.drug,
        charge.amount,
        charge.day,
        charge.content_hash,
        before=True,
    )


def _pair(credits_: Iterable[_Side], charges: Iterable[_Side]) -> Mapping[int, _Side]:
    """Each credit's place → its charge: by each name in turn, of its own day before any other."""
    left, free = list(credits_), list(charges)
    found: dict[int, _Side] = {}
    for name in ("nhs_number", "local_id", "reference"):
        for fits in (_fit_to_the_day, _fit):
            of: dict[Hashable, list[_Side]] = defaultdict(list)
            for charge in free:
                if getattr(charge, name) is not None:
                    of[_key(charge, name)].append(charge)
            taken: set[tuple[bool, int]] = set()
            for side in left:
                for charge in of.get(_key(side, name), ()) if getattr(side, name) else ():
                    if (charge.before, charge.place) not in taken and fits(side, charge):
                        found[side.place] = charge
                        taken.add((charge.before, charge.place))
                        break
            left = [side for side in left if side.place not in found]
            free = [charge for charge in free if (charge.before, charge.place) not in taken]
    return found


def _key(side: _Side, name: str) -> Hashable:
    return getattr(side, name), side.provider, side.what, side.amount


def _fit_to_the_day(credit: _Side, charge: _Side) -> bool:
    return credit.day is not None and credit.day == charge.day and _fit(credit, charge)


def _fit(credit: _Side, charge: _Side) -> bool:
    """Not of two patients by their NHS numbers, and the charge not of a later day."""
    numbers = {credit.nhs_number, charge.nhs_number} - {None}
    later = credit.day is not None and charge.day is not None and charge.day > credit.day
    return len(numbers) < 2 and not later


T = TypeVar("T")


def still_open(before: Sequence[T], taken: Collection[int]) -> list[T]:
    """The earlier charges that no credit took back."""
    return [charge for n, charge in enumerate(before) if n not in taken]
