"""What a commissioner's supply terms say of a line: how much over is too much, and the agreed
charge for a home delivery. A term of the drug goes before one of every drug, and then one that
names the provider before one that does not.

The charge is compared with HOME DELIVERY CHARGE of a supply dispensed as homecare. Without an
agreed charge, of other supplies, where terms that are equally specific differ, and where VAT is in
a charge that exceeds it, it is not testable. No text names a charge: it may be confidential.

A tolerance says when a query is worth its cost: past it the whole excess is queried. Of tolerances
that differ within the time of supply the largest counts, since a line is not shown to be over it.

A trust's check knows of terms that it may not see that they are there. Where such a charge could
make any difference the delivery is not tested; such a tolerance counts as none, so that the check
may warn of what the commissioner tolerates, and never the reverse.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.reconciliation.engines.limits import ZERO
from app.reconciliation.model import ContractLine, Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED
from app.reconciliation.period import Period
from app.reconciliation.terms_model import SupplyTerm, SupplyTermKind
from app.reference_data.data_files import in_force

HOME_DELIVERY: Final = "home delivery"
VAT: Final = "VAT (advice)"
HOMECARE: Final = "4"  # DISPENSING ROUTE
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The agreed charge for a delivery over a time of supply, in pounds.

    Up to `least` a charge is certainly within, over `most` certainly over; None: not known.
    """

    least: Decimal | None
    most: Decimal | None
    why: str = ""


UNSEEN: Final = Delivery(
    None,
    None,
    "the charge is not tested here: your organisation may not see what the commissioner agreed",
)
NOT_AGREED: Final = Delivery(None, None)


def delivery_on(
    rows: Sequence[SupplyTerm], provider: str | None, drug: str | None, period: Period | None
) -> Delivery:
    """What the commissioner's terms say of a delivery on each day of the time of supply."""
    return charge_on(rows, SupplyTermKind.HOME_DELIVERY, provider, drug, period)


def charge_on(
    rows: Sequence[SupplyTerm],
    kind: SupplyTermKind,
    provider: str | None,
    drug: str | None,
    period: Period | None,
) -> Delivery:
    """The same of a charge of any kind."""
    found = _charge_on([row for row in rows if row.seen], kind, provider, drug, period)
    if all(row.seen for row in rows):
        return found
    for amount in _EXTREMES:
        guessed = [row if row.seen else replace(row, amount=amount) for row in rows]
        if _charge_on(guessed, kind, provider, drug, period) != found:
            return UNSEEN
    return found


#: No charge is as low as the one or as high as the other.
_EXTREMES: Final = (Decimal(-1), Decimal(10) ** 18)


def _charge_on(
    rows: Sequence[SupplyTerm],
    kind: SupplyTermKind,
    provider: str | None,
    drug: str | None,
    period: Period | None,
) -> Delivery:
    if period is None:
        return NOT_AGREED
    said = [_standing(rows, kind, provider, drug, day) for day in _days(rows, period)]
    if any(len(amounts) != 1 for amounts in said):
        return NOT_AGREED
    each = [amount for amounts in said for amount in amounts]
    return Delivery(min(each), max(each))


def tolerance_on(
    rows: Sequence[SupplyTerm], provider: str | None, drug: str | None, period: Period | None
) -> Decimal:
    """Per cent by which quantity and dose may go over before the excess is queried."""
    return largest(rows, SupplyTermKind.QUANTITY_TOLERANCE, provider, drug, period)


def fee_days_on(
    rows: Sequence[SupplyTerm], provider: str | None, drug: str | None, period: Period | None
) -> Decimal:
    """How many days a fee on a line of its own may be from its supply; 0 where none agreed."""
    return largest(rows, SupplyTermKind.FEE_DAYS, provider, drug, period)


def days_early_on(
    rows: Sequence[SupplyTerm], provider: str | None, drug: str | None, period: Period | None
) -> Decimal | None:
    """How many days early a supply may be, the most that is said; None where nothing is known."""
    if period is None:
        return None
    seen, kind = [row for row in rows if row.seen], SupplyTermKind.DAYS_EARLY
    said = (_standing(seen, kind, provider, drug, day) for day in _days(seen, period))
    return max((amount for amounts in said for amount in amounts), default=None)


#: What a fee, by its sort, is charged under.
CHARGES: Final = frozenset(
    {SupplyTermKind.HOME_DELIVERY, SupplyTermKind.DISPENSING_FEE, SupplyTermKind.SERVICE_FEE}
)


def largest(
    rows: Sequence[SupplyTerm],
    kind: SupplyTermKind,
    provider: str | None,
    drug: str | None,
    period: Period | None,
) -> Decimal:
    """The largest that the most specific terms of a kind say within the time; 0 for none."""
    if period is None:
        return ZERO
    said = (_standing(rows, kind, provider, drug, day) for day in _days(rows, period))
    return max((amount for amounts in said for amount in amounts), default=ZERO)


def check_delivery(line: ContractLine, agreed: Delivery) -> Test | None:
    """The charge for home delivery against the agreed one; None where none is charged."""
    charge = line.home_delivery_charge
    if charge is None or charge <= 0:
        return None
    if line.dispensing_route != HOMECARE:
        detail = "a delivery is charged, and the line is not stated to be homecare"
        return Test(HOME_DELIVERY, NOT_TESTABLE, detail)
    if agreed.least is None or agreed.most is None:
        detail = agreed.why or "no one agreed charge for a delivery is known for that time"
        return Test(HOME_DELIVERY, NOT_TESTABLE, detail)
    if charge <= agreed.least:
        return Test(HOME_DELIVERY, PASSED, "the delivery is within the agreed charge")
    if charge <= agreed.most:
        detail = "the agreed charge changes in that month"
        return Test(HOME_DELIVERY, NOT_TESTABLE, detail)
    if line.vat_charged:
        detail = "the line includes VAT; the agreed charge for a delivery may not"
        return Test(HOME_DELIVERY, NOT_TESTABLE, detail)
    return Test(HOME_DELIVERY, FAILED, "the charge for delivery is over the agreed one")


def advise_on_vat(line: ContractLine) -> Test | None:
    """Advice alone: homecare is free of VAT as the norm. It never decides an outcome."""
    if line.dispensing_route != HOMECARE:
        return None
    if line.vat_charged is None:
        return Test(VAT, NOT_TESTABLE, "the line does not say whether VAT was charged")
    if line.vat_charged:
        detail = "homecare is free of VAT as the norm, and VAT was charged: ask why"
        return Test(VAT, FAILED, detail)
    return Test(VAT, PASSED, "homecare, charged without VAT")


def _standing(
    rows: Iterable[SupplyTerm],
    kind: SupplyTermKind,
    provider: str | None,
    drug: str | None,
    day: dt.date,
) -> frozenset[Decimal]:
    """The distinct amounts of the most specific terms in force on a day."""
    today = [
        row
        for row in rows
        if row.kind is kind
        and row.drug in (None, drug)
        and row.provider in (None, provider)
        and in_force(row.from_, row.to, day)
    ]
    best = max(map(_specific, today), default=())
    return frozenset(row.amount for row in today if _specific(row) == best)


def _specific(row: SupplyTerm) -> tuple[bool, ...]:
    return row.drug is not None, row.provider is not None


def _days(rows: Iterable[SupplyTerm], period: Period) -> list[dt.date]:
    """The days of a time of supply from which the terms may say something new."""
    changes = {period.first}
    for row in rows:
        changes |= {row.from_} if row.from_ else set()
        changes |= {row.to + _DAY} if row.to and row.to < dt.date.max else set()
    return sorted(day for day in changes if period.first <= day <= period.last)
