"""What earlier lines leave open: charges and fees that no credit took back, and what they say.

Pure. `before` goes through the files; here is what it keeps meanwhile.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext

from app.reconciliation.classify import fee_sort
from app.reconciliation.engines.fees import SupplySide
from app.reconciliation.engines.limits import EXACT_DIGITS, exact
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.repeats import can_repeat
from app.reconciliation.engines.spacing import Spaced
from app.reconciliation.model import (
    ContractLine,
    Earlier,
    EarlierCharge,
    EarlierFee,
    EarlierSpaced,
    EarlierSupply,
    UsedQuantity,
)


@dataclass(frozen=True, slots=True)
class Bearing:
    """What of them bears on the submission: its lines' contents, all that its credits name with how
    much they give back, and whom its fees name; and whether any commissioner agreed how early a
    supply may be."""

    contents: frozenset[str]
    credited: frozenset[tuple[str, Decimal]]
    fees: frozenset[str] = frozenset()
    spaced: bool = False

    def may_be_charged_for(self, supply: SupplySide) -> bool:
        """Whether a fee of the submission names the same patient."""
        return not self.fees.isdisjoint({supply.nhs_number, supply.local_id})

    def may_be_given_back(self, charge: EarlierCharge | EarlierFee) -> bool:
        """Whether a credit of the submission has its amount and names its patient or reference."""
        names = {charge.nhs_number, charge.local_patient_id, charge.reference} - {None}
        return any((name, charge.amount) in self.credited for name in names)


#: A file's place among the earlier ones, and a row of it.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """What lines say that no credit, fee or decision by hand bears on, as the SQL steps count them.

    Their quantities by approval and unit, their contents that the submission states too, and how
    long their supplies last.
    """

    used: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    stated: frozenset[str] = frozenset()
    spaced: tuple[tuple[Place, EarlierSpaced], ...] = ()


NONE_COUNTED = Counted()


@dataclass(frozen=True, slots=True)
class OpenFee:
    """A fee that no credit took back."""

    place: Place
    line: ContractLine
    provider: str | None
    commissioner: str | None
    drug: str | None
    sort: str
    day: dt.date | None
    content_hash: str

    def of(self, supply: int | None) -> EarlierFee:
        """The same, paid for by the supply at that place."""
        line = self.line
        return EarlierFee(
            line.nhs_number,
            line.local_patient_id,
            line.reference,
            self.provider,
            self.commissioner,
            self.drug,
            self.sort,
            line.total_cost or Decimal(0),
            self.day,
            supply,
            self.content_hash,
        )


def fee_of(place: Place, item: Prepared) -> OpenFee:
    """A fee as a credit may give it back."""
    line = item.line
    return OpenFee(
        place,
        line,
        item.provider,
        item.commissioner,
        item.recognition.drug or None,
        fee_sort(line.drug_name, item.on),
        item.period.first if item.period else None,
        line.content_hash if can_repeat(item) else "",
    )


@dataclass(frozen=True, slots=True)
class OpenCharge:
    """A charge that no credit took back, as a supply that fees belong to, how long it lasts, and
    the fees that it pays for."""

    place: Place
    charge: EarlierCharge
    supply: SupplySide | None
    lasts: Spaced | None
    fees: tuple[OpenFee, ...] = ()


def without_fees(
    open_: Sequence[OpenCharge], back: Sequence[tuple[int, OpenFee]]
) -> list[OpenCharge]:
    """The charges, less the fees that credits took back, each with its charge's place."""
    result = list(open_)
    for place, fee in back:
        each = result[place]
        assert each.supply is not None
        left = list(each.fees)
        left.remove(fee)
        supply = replace(each.supply, paid=each.supply.paid - {fee.sort})
        result[place] = replace(each, supply=supply, fees=tuple(left))
    return result


def _earlier_supply(side: SupplySide, charge: int | None) -> EarlierSupply:
    return EarlierSupply(
        side.content,
        side.nhs_number,
        side.local_id,
        side.provider,
        side.commissioner,
        side.drug,
        side.first,
        side.last,
        side.paid,
        charge,
    )


def tell(
    open_: Sequence[OpenCharge],
    unpaid: Sequence[OpenFee],
    others: set[str],
    bearing: Bearing,
    counted: Counted,
) -> Earlier:
    """What bears on the submission, in an order of its own."""
    charges = [each.charge for each in open_]
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal, counted.used)
    with localcontext(prec=EXACT_DIGITS):
        for each in charges:
            if each.uses is not None:
                sums[each.uses.approval_reference, each.uses.unit] += each.uses.quantity
    owned = [(n, fee) for n, each in enumerate(open_) for fee in each.fees]
    fees = [fee for _, fee in owned] + list(unpaid)
    stated = {charge.content_hash for charge in charges} | others
    stated.update(fee.content_hash for fee in fees)
    credited = [n for n, each in enumerate(charges) if bearing.may_be_given_back(each)]
    places = {n: place for place, n in enumerate(credited)}
    supplied = [
        (n, each)
        for n, each in enumerate(open_)
        if each.supply is not None and bearing.may_be_charged_for(each.supply)
    ]
    lasting = [
        (each.place, EarlierSpaced(lasts.treatment_id, lasts.day, lasts.lasts, places.get(n)))
        for n, each in enumerate(open_)
        for lasts in (each.lasts,)
        if lasts is not None
    ]
    lasting = sorted((*lasting, *counted.spaced), key=lambda each: each[0])
    return Earlier(
        tuple(UsedQuantity(*key, exact(quantity)) for key, quantity in sorted(sums.items())),
        tuple(charges[n] for n in credited),
        frozenset(stated & bearing.contents) | counted.stated,
        tuple(
            _earlier_supply(each.supply, places.get(n))
            for n, each in supplied
            if each.supply is not None
        ),
        tuple(each for _, each in lasting),
        _fees(owned, unpaid, {n: place for place, (n, _) in enumerate(supplied)}, bearing),
    )


def _fees(
    owned: Sequence[tuple[int, OpenFee]],
    unpaid: Sequence[OpenFee],
    supplied: Mapping[int, int],
    bearing: Bearing,
) -> tuple[EarlierFee, ...]:
    """Those that are told with the supply that pays for them, and those that a credit of the
    submission may give back."""
    each_with = [(supplied.get(n), fee) for n, fee in owned]
    each_with += [(None, fee) for fee in unpaid]
    told = [(fee.place, fee.of(supply)) for supply, fee in each_with]
    kept = [
        each for each in told if each[1].supply is not None or bearing.may_be_given_back(each[1])
    ]
    return tuple(fee for _, fee in sorted(kept, key=lambda each: each[0]))


def charge_of(item: Prepared, uses: UsedQuantity | None) -> EarlierCharge:
    line = item.line
    return EarlierCharge(
        content_hash=line.content_hash if can_repeat(item) else "",
        nhs_number=line.nhs_number,
        local_patient_id=line.local_patient_id,
        reference=line.reference,
        provider=item.provider,
        drug=item.recognition.drug or "",
        amount=line.total_cost or Decimal(0),
        day=item.period.first if item.period else None,
        uses=uses,
    )
