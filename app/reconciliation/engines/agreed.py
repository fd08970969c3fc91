"""The unit price of a line against the price that its commissioner agreed, on the day of supply.

Of the rows that a line answers, the most specific stand: one that names the dm+d code goes before
one that names the product, then the strength, then the provider. Whichever framework they are of,
equally specific rows that differ conclude nothing. A price that has ended is accepted for its
run-off beside the one that stands, and the dearer of them is the limit: the cheaper is not demanded
of stock that was bought before. With only a price in run-off, a dearer line is not shown to be too
dear. Over a month the price must hold on each day, and fails where it is too high on every one.

No text names a price: files with outcomes are passed on, and prices may be confidential. A trust's
check knows of rows that it may not see that they are there. Where their price could make any
difference, whatever it is, nothing is tested: so no answer tells anything of it.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Final

from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO, Limit, price_share, unit_key
from app.reconciliation.model import ContractLine, Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED
from app.reconciliation.period import Period
from app.reconciliation.terms_model import AgreedPrice
from app.reference_data.data_files import in_force

AGREED_PRICE: Final = "agreed price"
_PLACE = Decimal("0.00000001")  # the least part of a price that a line can state
_NONE = "no agreed price is known for it at that time"
_CLASH = "agreed prices that are equally specific differ"
_UNIT = "no agreed price is known for the line's unit"
_UNSEEN = "price is not tested here: your organisation may not see the commissioner's price for it"
#: No price is as low as the one or as high as the other.
_EXTREMES: Final = (Decimal(-1), Decimal(10) ** 18)
_CHANGES = "the agreed price changes in that month, or is not known throughout it"


@dataclass(frozen=True, slots=True)
class Priced:
    """What a price agreed on bears on: the parts of a line that choose among its rows."""

    provider: str | None
    drug: str | None
    product: str | None
    drug_code: str | None
    strength: str | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Agreed:
    """The limits of a unit price, in pounds.

    Up to `least` it is certainly within; over `most` certainly over. None where that cannot be
    told, for the reason `why`. `price` is the agreed one that an excess is counted from.
    """

    least: Decimal | None
    most: Decimal | None
    price: Decimal | None
    why: str = ""


def agreed_on(rows: Sequence[AgreedPrice], line: Priced, period: Period | None) -> Agreed:
    """The limits over the whole time of supply, by the commissioner's rows of the line's drug."""
    said = _agreed_on([row for row in rows if row.seen], line, period)
    if all(row.seen for row in rows):
        return said
    for price in _EXTREMES:
        guessed = [row if row.seen else replace(row, price=price) for row in rows]
        if _agreed_on(guessed, line, period) != said:
            return Agreed(None, None, None, _UNSEEN)
    return said


def _agreed_on(rows: Sequence[AgreedPrice], line: Priced, period: Period | None) -> Agreed:
    if period is None:
        return Agreed(None, None, None, _NONE)
    held = [row for row in rows if _answers(row, line)]
    said = [_limits(held, line, day) for day in _days(held, period)]
    least = [each.least for each in said if each.least is not None]
    most = [each.most for each in said if each.most is not None]
    whys = sorted({each.why for each in said if each.why})
    priced = [(each.most or ZERO, each.price) for each in said if each.price is not None]
    known = len(most) == len(said)
    return Agreed(
        min(least) if len(least) == len(said) else None,
        max(most) if known else None,
        max(priced)[1] if known and priced else None,
        (whys[0] if len(said) == 1 else _CHANGES) if whys else "",
    )


def check_agreed(line: ContractLine, agreed: Agreed) -> Limit:
    """The invoiced unit price is at most the agreed one and its tolerance."""
    price = line.unit_price
    if price is None:
        return Limit(Test(AGREED_PRICE, NOT_TESTABLE, "the line states no legible unit price"))
    if agreed.least is not None and price <= agreed.least:
        return Limit(Test(AGREED_PRICE, PASSED, "the unit price is within the agreed price"))
    if agreed.most is None or agreed.price is None or price <= agreed.most:
        return Limit(Test(AGREED_PRICE, NOT_TESTABLE, agreed.why or _CHANGES))
    if line.vat_charged:
        detail = "the price includes VAT; the agreed price may not"
        return Limit(Test(AGREED_PRICE, NOT_TESTABLE, detail))
    detail = "the unit price is over the agreed price of that time"
    return Limit(Test(AGREED_PRICE, FAILED, detail), price_share(agreed.price, price))


def _answers(row: AgreedPrice, line: Priced) -> bool:
    """Whether what a row names is what the line states."""
    return (
        row.drug == line.drug
        and row.provider in (None, line.provider)
        and row.drug_code in (None, line.drug_code)
        and row.product in (None, line.product)
        and (row.strength is None or unit_key(row.strength) == unit_key(line.strength))
    )


def _specific(row: AgreedPrice) -> tuple[bool, ...]:
    named = (row.drug_code, row.product, row.strength, row.provider)
    return tuple(each is not None for each in named)


def _days(rows: Iterable[AgreedPrice], period: Period) -> list[dt.date]:
    """The days of a time of supply from which the rows may say something new."""
    changes = {period.first}
    for row in rows:
        changes |= {row.from_} if row.from_ else set()
        if row.to:
            after = [row.to.toordinal() + 1, row.to.toordinal() + row.run_off_days + 1]
            changes |= {dt.date.fromordinal(n) for n in after if n <= dt.date.max.toordinal()}
    return sorted(day for day in changes if period.first <= day <= period.last)


def _limits(rows: Sequence[AgreedPrice], line: Priced, day: dt.date) -> Agreed:
    """What the rows say of one day."""
    standing = _most_specific(rows, day)
    current = _in_unit(standing, line)
    if len(current) > 1:
        return Agreed(None, None, None, _CLASH)
    ended = _running_off(rows, line, day)
    older = [found for found in ended if len(found) == 1]
    accepted = current.union(*older)
    if not accepted:
        return Agreed(None, None, None, _UNIT if standing else _NONE)
    limit, price = max(accepted)
    if not current or len(older) < len(ended):
        return Agreed(limit, None, None, _NONE if not current else _CLASH)
    return Agreed(limit, limit, price)


def _most_specific(rows: Iterable[AgreedPrice], day: dt.date) -> list[AgreedPrice]:
    today = [row for row in rows if in_force(row.from_, row.to, day)]
    best = max(map(_specific, today), default=())
    return [row for row in today if _specific(row) == best]


def _running_off(
    rows: Sequence[AgreedPrice], line: Priced, day: dt.date
) -> list[frozenset[tuple[Decimal, Decimal]]]:
    """What stood on the last days of the prices whose run-off holds on this day, in the unit."""
    ended = [row for row in rows if row.to is not None and row.to < day]
    found = []
    for row in ended:
        stood = _most_specific(rows, row.to) if row.to and _runs_off(row, day) else []
        if row in stood and (limits := _in_unit(stood, line)):
            found.append(limits)
    return found


def _runs_off(row: AgreedPrice, day: dt.date) -> bool:
    return row.to is not None and (day - row.to).days <= row.run_off_days


def _in_unit(rows: Iterable[AgreedPrice], line: Priced) -> frozenset[tuple[Decimal, Decimal]]:
    """The distinct limits and prices for the line's unit."""
    unit = unit_key(line.unit)
    return frozenset(
        (_limit_of(row), row.price) for row in rows if unit and unit_key(row.unit) == unit
    )


def _limit_of(row: AgreedPrice) -> Decimal:
    """The price and its tolerance, down to the least part that a line can state."""
    with localcontext(prec=EXACT_DIGITS):
        allowed = max(row.price * row.tolerance_percent, row.tolerance_pence) / 100
        return (row.price + allowed).quantize(_PLACE, ROUND_FLOOR)
