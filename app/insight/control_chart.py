"""The XmR chart of a monthly series, with the four signals that the NHS reads from it. Pure.

Limits are mean ± 2.66 × mean moving range (Shewhart's constants for n = 2), those near them two
thirds of that. Signals are those of NHS England's Making Data Count as the R package
NHSRplotthedots computes them (`ptd_spc`): a point outside the limits; seven or more in a row on one
side of the mean; seven or more in a row rising or falling; two of three in a row near one limit.
Its screening of large moving ranges is not made: every month counts.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

LIMIT: Final = Decimal("2.66")
NEAR: Final = LIMIT * 2 / 3
RUN: Final = 7
#: Below this many points the limits are still settling (NHSRplotthedots warns below 12).
FEWEST: Final = 12


class Signal(StrEnum):
    """Why a point is no common cause."""

    OUTSIDE = "outside the limits"
    SHIFT = "part of seven or more in a row on one side of the mean"
    TREND = "part of seven or more in a row in one direction"
    NEAR_LIMIT = "one of two of three in a row near a limit"


@dataclass(frozen=True, slots=True)
class Point:
    """One value with the signals that it is part of."""

    value: Decimal
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class ControlChart:
    """The series with its mean and limits, in the series' unit. `settled`: of 12 points or more."""

    points: tuple[Point, ...]
    mean: Decimal
    lower: Decimal
    upper: Decimal
    settled: bool


def control_chart(values: Sequence[Decimal]) -> ControlChart | None:
    """The chart of a series in its order; None below two points, which have no moving range."""
    if len(values) < 2:
        return None
    count = len(values)
    mean = sum(values, Decimal(0)) / count
    moving = [abs(b - a) for a, b in itertools.pairwise(values)]
    spread = sum(moving, Decimal(0)) / len(moving)
    lower, upper = mean - LIMIT * spread, mean + LIMIT * spread
    sides = [_sign(value - mean) for value in values]
    outside = [not lower <= value <= upper for value in values]
    near = [
        not out and abs(value - mean) > NEAR * spread
        for value, out in zip(values, outside, strict=True)
    ]
    marks = (
        (Signal.OUTSIDE, outside),
        (Signal.SHIFT, _in_run(sides)),
        (Signal.TREND, _in_trend(values)),
        (Signal.NEAR_LIMIT, _two_in_three(near, sides)),
    )
    points = tuple(
        Point(value, tuple(signal for signal, marked in marks if marked[i]))
        for i, value in enumerate(values)
    )
    return ControlChart(points, mean, lower, upper, count >= FEWEST)


def _in_run(sides: Sequence[int]) -> list[bool]:
    marked = [False] * len(sides)
    for start in range(len(sides) - RUN + 1):
        window = sides[start : start + RUN]
        if window[0] != 0 and len(set(window)) == 1:
            marked[start : start + RUN] = [True] * RUN
    return marked


def _in_trend(values: Sequence[Decimal]) -> list[bool]:
    """Seven points have six steps between them, all up or all down."""
    marked = [False] * len(values)
    steps = [_sign(b - a) for a, b in itertools.pairwise(values)]
    for start in range(len(values) - RUN + 1):
        window = steps[start : start + RUN - 1]
        if window[0] != 0 and len(set(window)) == 1:
            marked[start : start + RUN] = [True] * RUN
    return marked


def _two_in_three(near: Sequence[bool], sides: Sequence[int]) -> list[bool]:
    """The near ones among three in a row on one side, of which two or more are near."""
    marked = [False] * len(near)
    for start in range(len(near) - 2):
        three = range(start, start + 3)
        if abs(sum(sides[i] for i in three)) == 3 and sum(near[i] for i in three) >= 2:
            for i in three:
                marked[i] = marked[i] or near[i]
    return marked


def _sign(number: Decimal) -> int:
    return (number > 0) - (number < 0)
