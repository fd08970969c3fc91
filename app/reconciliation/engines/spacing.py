"""Two supplies too near each other: one before the one before has run out. Advice alone. Pure.

Of the lines that stand on an approval which says for how many days one supply is handed over, and
at which dose, where the commissioner agreed how many days early a supply may be. A supply lasts at
least as long as it does at the largest dose of its day; what is supplied on one day is one supply;
the supply before is that of the treatment's last day before, earlier submissions included. Where
its days cannot be counted, the test cannot be made.

It queries nothing: the source (oral chemotherapy, schemes.md 11) asks that supply dates be held
against the supply length, and that patients who are over-supplied be told; it says of no supply
that it is not payable. What is over an approved quantity or dose is queried as that.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Final

from app.reconciliation.engines.limits import EXACT_DIGITS, same_unit
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import Coverage, EarlierSpaced, Test
from app.reconciliation.outcomes import FAILED, NOT_TESTABLE, PASSED

TOO_SOON: Final = "too soon (advice)"
_MOST_DAYS: Final = Decimal(36_500)  # a century: more says no more


@dataclass(frozen=True, slots=True)
class Spaced:
    """A supply of a treatment on a day. `lasts` is in days, None where they cannot be counted.

    `early` is how many days early it may be; None where nothing was agreed.
    """

    place: int
    treatment_id: str
    day: dt.date
    lasts: int | None
    early: Decimal | None


def is_spaced(coverage: Coverage) -> bool:
    """Whether an approval says how long one supply may last, and at which dose."""
    return coverage.max_supply_days is not None and bool(coverage.dose_limits)


def spaced(place: int, item: Prepared, coverage: Coverage, early: Decimal | None) -> Spaced | None:
    """A line within a coverage as it is compared; None where its day or dose is not stated."""
    if item.day is None or not is_spaced(coverage):
        return None
    return Spaced(place, coverage.treatment_id, item.day, _days(item, coverage, item.day), early)


def _days(item: Prepared, coverage: Coverage, day: dt.date) -> int | None:
    quantity = item.line.quantity
    limits = [
        limit
        for limit in coverage.dose_limits
        if limit.from_ <= day and (limit.to is None or limit.to >= day)
    ]
    if quantity is None or not limits:
        return None
    if not all(same_unit(item.line.unit, limit.unit) for limit in limits):
        return None
    largest = max(limits, key=lambda limit: limit.amount / limit.days)
    return lasts(quantity, largest.amount, largest.days)


def lasts(quantity: Decimal, amount: Decimal, days: Decimal) -> int | None:
    """Whole days for which a quantity lasts at `amount` in `days` days."""
    if quantity <= 0 or amount <= 0:
        return None
    with localcontext(prec=EXACT_DIGITS):
        return int(min(quantity * days / amount, _MOST_DAYS).to_integral_value(ROUND_FLOOR))


def too_soon(supplies: Iterable[Spaced], before: Iterable[EarlierSpaced]) -> Mapping[int, Test]:
    """The test of each supply whose commissioner agreed how early one may be, by its place."""
    own = list(supplies)
    of: dict[str, dict[dt.date, list[int | None]]] = defaultdict(lambda: defaultdict(list))
    for each in own:
        of[each.treatment_id][each.day].append(each.lasts)
    for earlier in before:
        of[earlier.treatment_id][earlier.day].append(earlier.lasts)
    return {
        each.place: _test(each, each.early, of[each.treatment_id])
        for each in own
        if each.early is not None
    }


def _test(supply: Spaced, early: Decimal, days: Mapping[dt.date, list[int | None]]) -> Test:
    last = max((day for day in days if day < supply.day), default=None)
    if last is None:
        return told_after(supply.day, early, None, None)
    known = [each for each in days[last] if each is not None]
    lasted = sum(known) if len(known) == len(days[last]) else None
    return told_after(supply.day, early, last, lasted)


def told_after(day: dt.date, early: Decimal, last: dt.date | None, lasted: int | None) -> Test:
    """The test of a supply on a day after the treatment's last, which lasted so many days.

    No `last`: none is known. No `lasted`: its days cannot be counted.
    """
    if last is None:
        return Test(TOO_SOON, PASSED, "no supply of the treatment before it is known")
    if lasted is None:
        detail = f"the days of the supply before, of {last:%d/%m/%Y}, cannot be counted"
        return Test(TOO_SOON, NOT_TESTABLE, detail)
    since = (day - last).days
    detail = (
        f"{since} days after the supply of {last:%d/%m/%Y}, which lasts {lasted} days at the "
        "largest dose"
    )
    if lasted - since <= early:
        return Test(TOO_SOON, PASSED, detail)
    return Test(TOO_SOON, FAILED, f"{detail}: {lasted - since} days early")
