"""Price and quantity against what an approval allows, and how an amount is split.

Price: the cap is compared with UNIT PRICE (COMMISSIONER), the price invoiced, only when the line's
unit of measurement is the cap's. A price that includes VAT is not shown to be over a cap by
exceeding it, since the cap's VAT basis is not known: not testable then. No text names the cap:
files with outcomes are passed on, and the price may be confidential. The excess is the share of
the drug's cost (total less home delivery) by which the price exceeds the cap.

Quantity: what the lines that stand have used of an approval, in order of supply, in the cap's
unit. A line without a legible quantity in that unit uses nothing that can be counted, so the count
is never too high. The excess is the line's share that goes over. Both excesses together are
taken off the drug's cost once, one after the other.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from app.reconciliation.model import ContractLine, Coverage, Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED
from app.reconciliation.period import Period

ZERO = Decimal(0)
ONE = Decimal(1)
LENGTH: Final = "supply length"
PENNY = Decimal("0.01")
_PLACE = Decimal("0.00000001")  # the least part of a quantity that is compared
EXACT_DIGITS = 60  # far beyond the 18 + 20 digits a cell may hold, so sums are never rounded


@dataclass(frozen=True, slots=True)
class Limit:
    """A test, and the share of the drug's cost that stays within it (1 = all)."""

    test: Test
    allowed_share: Decimal = ONE


def same_unit(line_unit: str | None, cap_unit: str | None) -> bool:
    """Whether two units are stated and are one: compared by letters and digits, case folded."""
    if line_unit is None or cap_unit is None:
        return False
    return unit_key(line_unit) == unit_key(cap_unit)


def unit_key(text: str | None) -> str | None:
    """What units are compared by; None where none is stated."""
    return None if text is None else "".join(c for c in text.casefold() if c.isalnum())


def check_price(line: ContractLine, coverage: Coverage) -> Limit:
    """The invoiced unit price is at most the approval's cap, where the two can be compared."""
    cap, price = coverage.unit_price_cap, line.unit_price
    if cap is None:
        return Limit(Test("unit price", PASSED, "the approval caps no price"))
    if price is None or not same_unit(line.unit, coverage.price_unit):
        return Limit(Test("unit price", NOT_TESTABLE, "price or unit cannot be compared"))
    if price <= cap:
        return Limit(Test("unit price", PASSED, "the unit price is within the approval's cap"))
    if line.vat_charged:
        return Limit(Test("unit price", NOT_TESTABLE, "the price includes VAT; the cap may not"))
    share = price_share(cap, price)
    detail = "the unit price is over the approval's cap"
    return Limit(Test("unit price", FAILED, detail), share)


def check_quantity(
    line: ContractLine,
    coverage: Coverage,
    used: Decimal,
    before: Decimal = ZERO,
    percent: Decimal = ZERO,
) -> Limit:
    """The quantity, on top of what was `used` so far, is at most the approval's cap.

    `before` is the part of that which earlier submissions used. Up to `percent` more is tolerated.
    """
    cap = coverage.quantity_cap
    if cap is None:
        return Limit(Test("quantity", PASSED, "the approval caps no quantity"))
    quantity = countable(line, coverage)
    if quantity is None:
        return Limit(Test("quantity", NOT_TESTABLE, "quantity or unit cannot be compared"))
    if used + quantity <= cap:
        of_cap = f"{_figure(used + quantity)} of {cap} {coverage.quantity_unit}"
        detail = f"{of_cap} used{_earlier(before)}"
        return Limit(Test("quantity", PASSED, detail))
    if used + quantity <= tolerated(cap, percent):
        detail = f"over {cap} {coverage.quantity_unit} approved, within the tolerance agreed"
        return Limit(Test("quantity", PASSED, detail))
    share = quantity_share(cap - used, quantity)
    detail = (
        f"with this line {_figure(used + quantity)} {coverage.quantity_unit} were supplied "
        f"against {cap} approved{_earlier(before)}"
    )
    return Limit(Test("quantity", FAILED, detail), share)


def _figure(amount: Decimal) -> str:
    """A quantity without zeros at its end: sums are told alike, however their parts were written"""
    return f"{exact(amount):f}"


def _earlier(before: Decimal) -> str:
    return f", {before:f} of them in earlier submissions" if before else ""


def check_dose(
    line: ContractLine, coverage: Coverage, period: Period, percent: Decimal = ZERO
) -> Limit | None:
    """One supply is at most the largest dose of the supply's day for the longest supply.

    None where the approval limits no supply. Where only a month is known, the largest dose in it
    counts. What cannot be compared in the dose's own unit is not testable. Up to `percent` more is
    tolerated.
    """
    longest = coverage.max_supply_days
    limits = [
        limit
        for limit in coverage.dose_limits
        if limit.from_ <= period.last and (limit.to is None or limit.to >= period.first)
    ]
    if longest is None or not limits:
        return None
    if line.quantity is None or line.quantity <= 0:
        return Limit(Test("dose", NOT_TESTABLE, "the quantity cannot be read"))
    if not all(same_unit(line.unit, limit.unit) for limit in limits):
        return Limit(Test("dose", NOT_TESTABLE, "quantity and dose are in different units"))
    limit = max(limits, key=lambda each: each.amount / each.days)
    most = limit.amount * (longest / limit.days).to_integral_value(ROUND_CEILING)
    named = f" in the phase “{limit.name}”" if limit.name else ""
    allowed = f"{most} {limit.unit}, the largest dose{named} for {longest} days"
    if line.quantity <= most:
        return Limit(Test("dose", PASSED, f"{line.quantity} is within {allowed}"))
    if line.quantity <= tolerated(most, percent):
        detail = f"{line.quantity} is over {allowed}, within the tolerance agreed"
        return Limit(Test("dose", PASSED, detail))
    share = quantity_share(most, line.quantity)
    return Limit(Test("dose", FAILED, f"{line.quantity} is over {allowed}"), share)


def check_length(coverage: Coverage, dose: Limit | None) -> Test | None:
    """One supply is for no more days than the approval hands over at a time; None where it says
    nothing of that. A line states no days: they are counted by the largest dose, as the dose is.
    """
    longest = coverage.max_supply_days
    if longest is None:
        return None
    if dose is None:
        detail = f"at most {longest} days at a time, and no dose is stated to count days by"
        return Test(LENGTH, NOT_TESTABLE, detail)
    if dose.test.result is PASSED:
        return Test(LENGTH, PASSED, f"at most {longest} days at the largest dose")
    if dose.test.result is NOT_TESTABLE:
        return Test(LENGTH, NOT_TESTABLE, f"its days cannot be counted: {dose.test.detail}")
    detail = f"it lasts over {longest} days at the largest dose, the most supplied at a time"
    return Test(LENGTH, FAILED, detail)


def tolerated(most: Decimal, percent: Decimal) -> Decimal:
    """A limit and its tolerance, down to the least part of a quantity that is compared."""
    if not percent:
        return most
    with localcontext(prec=EXACT_DIGITS):
        return (most + most * percent / 100).quantize(_PLACE, ROUND_FLOOR)


def exact(amount: Decimal) -> Decimal:
    """The same number without zeros at its end: one number is written in one way."""
    text = f"{amount:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def countable(line: ContractLine, coverage: Coverage) -> Decimal | None:
    """The line's quantity in the unit of the approval's cap; None where that cannot be told."""
    if line.quantity is None or line.quantity <= 0:
        return None
    return line.quantity if same_unit(line.unit, coverage.quantity_unit) else None


def price_share(cap: Decimal, price: Decimal) -> Decimal:
    """The share of a price that is within its cap."""
    with localcontext(prec=EXACT_DIGITS):
        return cap / price


def quantity_share(left: Decimal, quantity: Decimal) -> Decimal:
    """The share of a quantity that what is left of its cap allows."""
    with localcontext(prec=EXACT_DIGITS):
        return max(ZERO, left) / quantity


def accepted_part(line: ContractLine, share: Decimal, delivery: Decimal | None = None) -> Decimal:
    """The part of the line's total cost to accept, as `part_of` says."""
    return part_of(line.total_cost or ZERO, line.home_delivery_charge or ZERO, share, delivery)


def part_of(
    total: Decimal, home_delivery: Decimal, share: Decimal, agreed: Decimal | None = None
) -> Decimal:
    """The part of the total cost to accept when this share of the drug's cost is allowed.

    Home delivery is accepted up to what was `agreed`, and whole where it is not over that (None),
    unless none of the drug is. To the penny, half up; what is queried is the exact rest, so that
    the two always add up to the total.
    """
    with localcontext(prec=EXACT_DIGITS):
        delivery = min(max(home_delivery, ZERO), total)
        kept = delivery if agreed is None else min(agreed, delivery)
        allowed = (total - delivery) * share + (kept if share else ZERO)
        return min(total, allowed.quantize(PENNY, ROUND_HALF_UP))
