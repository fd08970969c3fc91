"""The funnel plot of a proportion by provider, with overdispersion. Pure.

Spiegelhalter, Funnel plots for comparing institutional performance, Statistics in Medicine 2005;
24:1185–1202, on the arcsine scale y = asin √p with standard error s = 1 / (2 √n), as the R package
FunnelPlotR does for proportions. Overdispersion is the additive model of DerSimonian and Laird:
z-scores are winsorised at one tenth on either side, φ = mean z², and
τ² = max(0, (kφ − (k − 1)) / (Σw − Σw²/Σw)), w = 1/s². Limits: sin²(asin √p̄ ± z √(s² + τ²)) with
z = 1.959964 (95%) and 3.090232 (99.8%).

Proportions are no amounts: they are floats, and no pound is counted by them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Z95: Final = 1.959964
Z998: Final = 3.090232
WINSORISED: Final = 0.1


@dataclass(frozen=True, slots=True)
class Counted:
    """So many of so many, at one provider."""

    provider: str
    of_them: int
    all: int

    @property
    def share(self) -> float:
        """The proportion; 0 of nothing."""
        return self.of_them / self.all if self.all else 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The four limits at one denominator, as proportions."""

    lower998: float
    lower95: float
    upper95: float
    upper998: float


@dataclass(frozen=True, slots=True)
class Funnel:
    """The providers with their limits; `dispersion` is φ and `tau2` the variance between them."""

    counted: tuple[Counted, ...]
    limits: tuple[Limits, ...]
    average: float
    dispersion: float
    tau2: float

    def limits_at(self, size: float) -> Limits:
        """The limits for a provider of that size."""
        return _limits(self.average, size, self.tau2)


def funnel(counted: Sequence[Counted]) -> Funnel | None:
    """The funnel of the providers that count anything; None where there are none."""
    shown = tuple(each for each in counted if each.all > 0)
    if not shown:
        return None
    average = sum(each.of_them for each in shown) / sum(each.all for each in shown)
    target = _transformed(average)
    scores = [(_transformed(each.share) - target) * 2 * math.sqrt(each.all) for each in shown]
    low, high = quantile(scores, WINSORISED), quantile(scores, 1 - WINSORISED)
    clipped = [min(max(score, low), high) for score in scores]
    dispersion = sum(score * score for score in clipped) / len(clipped)
    tau2 = _tau2(dispersion, [4.0 * each.all for each in shown])
    limits = tuple(_limits(average, each.all, tau2) for each in shown)
    return Funnel(shown, limits, average, dispersion, tau2)


def quantile(values: Sequence[float], at: float) -> float:
    """The quantile by linear interpolation, R's default (type 7)."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * at
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _tau2(dispersion: float, weights: Sequence[float]) -> float:
    count, total = len(weights), sum(weights)
    under = total - sum(w * w for w in weights) / total
    if under <= 0:
        return 0.0  # one provider: nothing lies between
    return max(0.0, (count * dispersion - (count - 1)) / under)


def _limits(average: float, size: float, tau2: float) -> Limits:
    spread = math.sqrt(1 / (4 * size) + tau2)
    at = [_back(_transformed(average) + z * spread) for z in (-Z998, -Z95, Z95, Z998)]
    return Limits(*at)


def _transformed(share: float) -> float:
    return math.asin(math.sqrt(share))


def _back(angle: float) -> float:
    """sin², held where the scale ends: a limit beyond 0 or 1 is 0 or 1."""
    return math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2
