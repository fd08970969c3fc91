"""The functions of language version 2, in exact decimal arithmetic, with their domains.

Each takes known values and returns a value, or None where it has none: outside its domain, or
where the result would be 10^12 or more, which no answer can be. None of them raises or takes long,
whatever the magnitude. LN, SQRT and EXP are irrational: each is *defined* as its exact value
rounded half-even to 8 decimal places, so that every engine can give the same digits.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from decimal import Context as Arithmetic
from typing import Any

from app.policy.calendar import add_months

PLACES = 8
LARGEST = Decimal(10) ** 12
MAX_PLACES = 8

_FINE = Arithmetic(prec=60, rounding=ROUND_HALF_EVEN)
_STEP = Decimal(1).scaleb(-PLACES)
_EXP_TOO_LARGE = Decimal(28)  # e^28 is over 10^12
_EXP_TOO_SMALL = Decimal(-40)  # e^-40 rounds to zero at 8 places

DOMAINS = {
    "LN": "a number above zero",
    "SQRT": "zero or more, and less than 10^24",
    "EXP": "a number whose power stays below 10^12",
    "ROUND_DOWN": "a number below 10^12",
    "COMPLETE_MONTHS": "two dates of the calendar",
}
"""What each partial function takes, in words for a message."""


def round_half_even(value: Decimal | int, places: int) -> Decimal | int:
    """The value to `places` decimal places, a half going to the even digit."""
    if isinstance(value, int):
        return value
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= -places:
        return value
    return _FINE.quantize(value, Decimal(1).scaleb(-places))


def round_down(value: Decimal | int, step: Decimal | int) -> Decimal | None:
    """The largest whole multiple of `step` that is not above the value: whole vials, say."""
    if not -LARGEST < value < LARGEST:
        return None
    exact, size = Decimal(value), Decimal(step)
    over = _FINE.remainder(exact, size)
    if over < 0:
        over = _FINE.add(over, size)
    return _FINE.quantize(_FINE.subtract(exact, over), size)


def least(*values: Any) -> Any:
    """The smallest number, or the earliest date."""
    return min(values)


def greatest(*values: Any) -> Any:
    """The largest number, or the latest date."""
    return max(values)


def natural_logarithm(value: Decimal | int) -> Decimal | None:
    """LN: None at zero and below."""
    if value <= 0:
        return None
    return _FINE.quantize(_FINE.ln(Decimal(value)), _STEP)


def square_root(value: Decimal | int) -> Decimal | None:
    """SQRT: None below zero, and from 10^24 on."""
    if not 0 <= value < LARGEST * LARGEST:
        return None
    return _FINE.quantize(_FINE.sqrt(Decimal(value)), _STEP)


def exponential(value: Decimal | int) -> Decimal | None:
    """EXP: None where the power would be 10^12 or more."""
    if value >= _EXP_TOO_LARGE:
        return None
    if value <= _EXP_TOO_SMALL:
        return _FINE.quantize(Decimal(0), _STEP)
    found = _FINE.quantize(_FINE.exp(Decimal(value)), _STEP)
    return found if found < LARGEST else None


def complete_months(first: date, last: date) -> int | None:
    """Calendar months completed from `first` to `last`: the largest m with m months added to
    `first` (clamped to the end of the month) not after `last`. Where `last` is the earlier, minus
    the months completed from `last` to `first`.
    """
    if last < first:
        behind = complete_months(last, first)
        return None if behind is None else -behind
    months = (last.year - first.year) * 12 + last.month - first.month
    reached = add_months(first, months)
    if reached is None:
        return None
    return months if reached <= last else months - 1


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ROUND": round_half_even,
    "ROUND_DOWN": round_down,
    "LEAST": least,
    "GREATEST": greatest,
    "LN": natural_logarithm,
    "SQRT": square_root,
    "EXP": exponential,
    "COMPLETE_MONTHS": complete_months,
}
