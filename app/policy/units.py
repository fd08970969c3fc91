"""Units of measure as text: combined, cancelled and compared, never converted."""

from __future__ import annotations

from collections import Counter

UNKNOWN = "?"
"""The unit of a quantity scaled by a plain number: it may have been converted."""


def _parse(unit: str | None) -> Counter[str]:
    powers: Counter[str] = Counter()
    for position, below in enumerate((unit or "").split("/")):
        for factor in below.split("*"):
            if factor.strip() not in ("", "1"):
                powers[factor.strip()] += 1 if position == 0 else -1
    return powers


def _render(powers: Counter[str]) -> str | None:
    above = [name for name, power in powers.items() for _ in range(max(power, 0))]
    below = [name for name, power in powers.items() for _ in range(max(-power, 0))]
    if not above and not below:
        return None
    return "/".join(["*".join(sorted(above)) or "1", *sorted(below)])


def canonical(unit: str | None) -> str | None:
    """A unit in one spelling, so that equal units compare equal; None for a plain number."""
    return unit if unit == UNKNOWN else _render(_parse(unit))


def multiplied(left: str | None, right: str | None) -> str | None:
    """The unit of a product: "mg/kg" times "kg" is "mg"."""
    if UNKNOWN in (left, right):
        return UNKNOWN
    powers = _parse(left)
    powers.update(_parse(right))
    return _render(powers)


def divided(left: str | None, right: str | None) -> str | None:
    """The unit of a quotient: "g" over "kg" is "g/kg"; equal units leave a plain number."""
    if UNKNOWN in (left, right):
        return UNKNOWN
    powers = _parse(left)
    powers.subtract(_parse(right))
    return _render(powers)


def shown(unit: str | None) -> str:
    """A unit for a sentence."""
    if unit == UNKNOWN:
        return "a unit that cannot be worked out"
    return unit or "no unit"
