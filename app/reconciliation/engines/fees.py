"""Fees on a line of their own, and the supplies that they belong to (ADR 64). Pure.

A fee belongs to a supply of the same provider, commissioner and patient: of the drug that the fee
names, if it names one, and of the same day, or as many days from it as the commissioner agreed. The
supply must be accepted, be the whole or a part of it, and not be paid for a fee of that sort
already: by another such line, or by HOME DELIVERY CHARGE on its own line. Then the fee is accepted
up to the charge that the commissioner agreed for that sort, and its excess is queried. Any other
fee is queried whole, with the reason.

Each supply pays for one fee of a sort and each fee is paid for by one supply: fees in the order of
day and content, each the nearest supply, so that the order of rows changes nothing. A fee that a
credit gives back is looked at first and leaves its supply free for another. Where a
commissioner agreed no charge at all, nothing is looked for, as no fee would be accepted.

No text names a charge: it may be confidential.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from app.reconciliation.classify import fee_sort
from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.supply_terms import CHARGES, Delivery, charge_on, fee_days_on
from app.reconciliation.model import Earlier, LineKind, LineOutcome, Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED
from app.reconciliation.period import Basis, Period
from app.reconciliation.terms_model import SupplyTerm, SupplyTermKind

FEE: Final = "fee"
_PENNY: Final = Decimal("0.01")
Terms = Mapping[str | None, Sequence[SupplyTerm]]


@dataclass(frozen=True, slots=True)
class FeeSide:
    """A fee as it is compared: `place` is its position, `sort` the kind of charge it is under."""

    place: int
    content: str
    nhs_number: str | None
    local_id: str | None
    provider: str | None
    commissioner: str | None
    drug: str | None
    first: dt.date | None
    last: dt.date | None
    total: Decimal
    sort: str
    given_back: bool = False


@dataclass(frozen=True, slots=True)
class SupplySide:
    """A supply that is accepted. `place` is its position, `row` its row; before: of an earlier
    submission. `paid` are the sorts of fee that it is paid for already."""

    place: int
    content: str
    nhs_number: str | None
    local_id: str | None
    provider: str | None
    commissioner: str | None
    drug: str | None
    first: dt.date
    last: dt.date
    row: int
    paid: frozenset[str] = frozenset()
    before: bool = False


@dataclass(frozen=True, slots=True)
class FeeCase:
    """What comes of a fee: how much of it is accepted, for which supply, and why."""

    place: int
    outcome: LineOutcome
    accepted: Decimal
    test: Test
    supply: SupplySide | None = None
    sort: str = ""


def keeps_charges(terms: Terms) -> frozenset[str]:
    """The commissioners that agreed a charge for fees."""
    kept = {code for code, rows in terms.items() if any(row.kind in CHARGES for row in rows)}
    return frozenset(code for code in kept if code is not None)


def pair_fees(
    fees: Iterable[FeeSide], supplies: Iterable[SupplySide], terms: Terms
) -> list[FeeCase]:
    """What comes of each fee whose commissioner agreed any charge."""
    keepers = keeps_charges(terms)
    near: dict[tuple[str | None, str], list[SupplySide]] = defaultdict(list)
    for supply in supplies:
        for name in {supply.nhs_number, supply.local_id} - {None}:
            near[supply.provider, name or ""].append(supply)
    paid: set[tuple[bool, int, str]] = set()
    cases = []
    asked = (fee for fee in fees if fee.commissioner in keepers)
    for fee in sorted(
        asked,
        key=lambda each: (
            *(not each.given_back, each.first or dt.date.max),
            *(each.content, each.place),
        ),
    ):
        case = _case(fee, _of(fee, near), terms[fee.commissioner], paid)
        if case.supply is not None and not fee.given_back:
            paid.add((case.supply.before, case.supply.place, fee.sort))
        cases.append(case)
    return cases


def _of(
    fee: FeeSide, near: Mapping[tuple[str | None, str], Sequence[SupplySide]]
) -> list[SupplySide]:
    """The supplies of the fee's patient, commissioner and, where it names one, drug."""
    found = {
        (supply.before, supply.place): supply
        for name in (fee.nhs_number, fee.local_id)
        if name is not None
        for supply in near.get((fee.provider, name), ())
    }
    return [
        supply
        for supply in found.values()
        if _same_patient(fee, supply)
        and supply.commissioner == fee.commissioner
        and fee.drug in (None, supply.drug)
    ]


def _same_patient(fee: FeeSide, supply: SupplySide) -> bool:
    """By NHS number where both state one, otherwise by the provider's own identifier."""
    if fee.nhs_number is not None and supply.nhs_number is not None:
        return fee.nhs_number == supply.nhs_number
    return fee.local_id is not None and fee.local_id == supply.local_id


def _case(
    fee: FeeSide,
    own: Sequence[SupplySide],
    rows: Sequence[SupplyTerm],
    paid: set[tuple[bool, int, str]],
) -> FeeCase:
    if fee.first is None or fee.last is None or fee.provider is None:
        return _queried(fee, NOT_TESTABLE, "it states no legible provider or time of supply")
    if fee.nhs_number is None and fee.local_id is None:
        return _queried(fee, NOT_TESTABLE, "it names no patient")
    period = _period(fee.first, fee.last)
    near = [
        each
        for each in own
        if _apart(fee, each) <= fee_days_on(rows, fee.provider, each.drug, period)
    ]
    if not near:
        why = "no supply that is accepted was found of that patient, drug and day"
        return _queried(fee, FAILED, why)
    free = [
        each
        for each in near
        if fee.sort not in each.paid and (each.before, each.place, fee.sort) not in paid
    ]
    if not free:
        return _queried(fee, FAILED, f"its supply is paid for a {fee.sort} already")
    supply = min(
        free,
        key=lambda each: (_apart(fee, each), each.first, each.before, each.content, each.place),
    )
    kind = SupplyTermKind(fee.sort)
    agreed = charge_on(rows, kind, fee.provider, supply.drug, period)
    return _priced(fee, supply, agreed)


def _priced(fee: FeeSide, supply: SupplySide, agreed: Delivery) -> FeeCase:
    where = f"row {supply.row}"
    if supply.before:
        where = f"an earlier submission, on {_period(supply.first, supply.last)}"
    if agreed.most is None:
        why = agreed.why or f"no one agreed charge for a {fee.sort} is known for that time"
        return _queried(fee, NOT_TESTABLE, why)
    if fee.total <= agreed.most:
        test = Test(
            FEE, PASSED, f"a {fee.sort} for the supply of {where}, within the agreed charge"
        )
        return FeeCase(fee.place, LineOutcome.MATCHED, fee.total, test, supply, fee.sort)
    test = Test(FEE, FAILED, f"a {fee.sort} for the supply of {where}, over the agreed charge")
    with localcontext(prec=EXACT_DIGITS):
        kept = min(fee.total, agreed.most.quantize(_PENNY, ROUND_HALF_UP))
    return FeeCase(fee.place, LineOutcome.OVER_PRICE, kept, test, supply, fee.sort)


def _queried(fee: FeeSide, result: object, why: str) -> FeeCase:
    test = Test(FEE, FAILED if result is FAILED else NOT_TESTABLE, why)
    return FeeCase(fee.place, LineOutcome.NOT_A_DRUG_LINE, ZERO, test, None, fee.sort)


def _apart(fee: FeeSide, supply: SupplySide) -> int:
    """Days between the two; 0 where their times of supply have a day in common."""
    assert fee.first is not None
    assert fee.last is not None
    return max((supply.first - fee.last).days, (fee.first - supply.last).days, 0)


def _period(first: dt.date, last: dt.date) -> Period:
    return Period(first, last, Basis.DATE if first == last else Basis.MONTH)


def earlier_sides(earlier: Earlier, debits: Debits) -> list[SupplySide]:
    """The supplies of earlier submissions that no credit releases, known by their places, and paid
    for by no fee that one releases."""
    freed: dict[int, set[str]] = defaultdict(set)
    for place in debits.fees_released:
        fee = earlier.fees[place]
        if fee.supply is not None:
            freed[fee.supply].add(fee.sort)
    return [
        SupplySide(
            n,
            each.content_hash,
            each.nhs_number,
            each.local_patient_id,
            each.provider,
            each.commissioner,
            each.drug,
            each.first,
            each.last,
            0,
            each.paid - freed[n],
            before=True,
        )
        for n, each in enumerate(earlier.supplies)
        if each.charge not in debits.released
    ]


# --- sides of prepared lines ----------------------------------------------------------------------


def is_fee(item: Prepared) -> bool:
    """Whether a line is a fee that may be accepted."""
    total = item.line.total_cost
    return item.kind is LineKind.FEE and not item.line.shifted and total is not None and total > 0


def fee_side(place: int, item: Prepared, *, given_back: bool) -> FeeSide:
    """A fee line as it is compared."""
    line, period = item.line, item.period
    return FeeSide(
        place,
        line.content_hash,
        line.nhs_number,
        line.local_patient_id,
        item.provider,
        item.commissioner,
        item.recognition.drug or None,
        period.first if period else None,
        period.last if period else None,
        line.total_cost or ZERO,
        fee_sort(line.drug_name, item.on),
        given_back,
    )


def supply_side(place: int, item: Prepared) -> SupplySide | None:
    """An accepted supply as it is compared; None where it states no time."""
    line, period = item.line, item.period
    if period is None:
        return None
    delivered = line.home_delivery_charge is not None and line.home_delivery_charge > 0
    return SupplySide(
        place,
        line.content_hash,
        line.nhs_number,
        line.local_patient_id,
        item.provider,
        item.commissioner,
        item.recognition.drug or None,
        period.first,
        period.last,
        line.row,
        frozenset({SupplyTermKind.HOME_DELIVERY.value}) if delivered else frozenset(),
    )
