"""The course of a score as points of a small SVG of our own, 360 × 150. Pure: shapes only."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from app.web.overview.drawing import (
    Drawing,
    Line,
    Tick,
    dot_at,
    figure,
    points_of,
    round_steps,
    scale,
)

WIDTH: Final = 360
HEIGHT: Final = 150
LEFT, RIGHT, TOP, BOTTOM = 48, 24, 24, 28
#: With more values than this, the table alone says them.
_MOST_FIGURES: Final = 6
_COLOUR: Final = "#005eb8"


def draw_course(values: Sequence[tuple[dt.date, Decimal]]) -> Drawing:
    """The values, the earliest first, by day; the axis begins at nought unless one lies below."""
    days = [float(day.toordinal()) for day, _ in values]
    numbers = [float(value) for _, value in values]
    low, high = min(0.0, *numbers), max(*numbers)
    across = scale(days[0], days[-1], LEFT + 12, WIDTH - RIGHT - 12)
    up = scale(low, high, HEIGHT - BOTTOM, TOP)
    path = [(across(day), up(number)) for day, number in zip(days, numbers, strict=True)]
    said = len(values) <= _MOST_FIGURES
    dots = tuple(
        dot_at(x, y, False, format(value, "f") if said else "")
        for (x, y), (_, value) in zip(path, values, strict=True)
    )
    marks = round_steps(low, high)
    return Drawing(
        WIDTH,
        HEIGHT,
        LEFT,
        WIDTH - RIGHT,
        TOP,
        HEIGHT - BOTTOM,
        (Line(points_of(path), "", _COLOUR),),
        dots,
        _first_and_last(values[0][0], values[-1][0]),
        tuple(Tick(figure(up(at)), f"{at:,g}") for at in marks[:: -(-len(marks) // 4)]),
    )


def _first_and_last(first: dt.date, last: dt.date) -> tuple[Tick, ...]:
    """The two days that the axis names; one, where all was measured on it."""
    ends = [Tick(figure(LEFT + 28), _short(first))]
    if last != first:
        ends.append(Tick(figure(WIDTH - RIGHT - 28), _short(last)))
    return tuple(ends)


def _short(day: dt.date) -> str:
    return f"{day.day} {day:%b %Y}"
