"""Charts as points of an SVG of our own, 720 × 300. Pure: shapes only, no wording."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.insight.control_chart import ControlChart
from app.insight.funnel import Funnel

WIDTH: Final = 720
HEIGHT: Final = 300
LEFT, RIGHT, TOP, BOTTOM = 96, 24, 16, 44
_CURVE: Final = 48
_MOST_LABELS: Final = 12


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and its text."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A point: `marked` is drawn as a diamond, so that colour alone tells nothing.

    Its text stands at `text_y`, above or below in turn, so that neighbours stay legible.
    """

    x: str
    y: str
    text_y: str
    path: str
    marked: bool
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, and how it is dashed ("" for none)."""

    points: str
    dashes: str
    colour: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything inside the frame of a chart."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def draw_series(
    chart: ControlChart, labels: Sequence[str], written: Callable[[Decimal], str]
) -> Drawing:
    """The XmR chart: the series, its mean (solid) and its limits (dashed)."""
    values = [point.value for point in chart.points]
    low, high = min(chart.lower, *values, Decimal(0)), max(chart.upper, *values)
    across = scale(0, max(len(values) - 1, 1), LEFT + 12, WIDTH - RIGHT - 12)
    up = scale(float(low), float(high), HEIGHT - BOTTOM, TOP)
    level = [(chart.mean, "", "#4c6272"), (chart.upper, "6 4", "#4c6272")]
    level.append((chart.lower, "6 4", "#4c6272"))
    lines = [
        Line(points_of([(LEFT, up(float(at))), (WIDTH - RIGHT, up(float(at)))]), dashes, colour)
        for at, dashes, colour in level
    ]
    path = [(across(i), up(float(value))) for i, value in enumerate(values)]
    lines.append(Line(points_of(path), "", "#005eb8"))
    dots = tuple(
        dot_at(x, y, bool(point.signals), "")
        for (x, y), point in zip(path, chart.points, strict=True)
    )
    every = -(-len(labels) // _MOST_LABELS)
    below = tuple(Tick(figure(across(i)), labels[i]) for i in range(0, len(labels), every))
    marks = round_steps(float(low), float(high))
    beside = tuple(Tick(figure(up(at)), written(Decimal(str(at)))) for at in marks)
    return _drawing(lines, dots, below, beside)


def draw_funnel(made: Funnel, written: Callable[[float], str]) -> Drawing:
    """The funnel: the average (solid), the limits of 95% (dashed) and 99.8% (dotted)."""
    largest = max(each.all for each in made.counted) * 1.1
    smallest = max(1.0, min(each.all for each in made.counted) * 0.5)
    sizes = [smallest + (largest - smallest) * i / _CURVE for i in range(_CURVE + 1)]
    curves = [made.limits_at(size) for size in sizes]
    top = max([each.share for each in made.counted] + [each.upper998 for each in curves])
    across = scale(0, largest, LEFT, WIDTH - RIGHT)
    up = scale(0, min(1.0, top * 1.05) or 1.0, HEIGHT - BOTTOM, TOP)
    kinds = (
        ("lower998", "2 4"),
        ("lower95", "6 4"),
        ("upper95", "6 4"),
        ("upper998", "2 4"),
    )
    lines = [
        Line(
            points_of(
                [(across(s), up(getattr(c, name))) for s, c in zip(sizes, curves, strict=True)]
            ),
            dashes,
            "#4c6272",
        )
        for name, dashes in kinds
    ]
    mean = up(made.average)
    lines.append(Line(points_of([(LEFT, mean), (WIDTH - RIGHT, mean)]), "", "#4c6272"))
    dots = tuple(
        dot_at(
            across(each.all),
            up(each.share),
            not limits.lower95 <= each.share <= limits.upper95,
            each.provider,
            below=i % 2 == 1,
        )
        for i, (each, limits) in enumerate(zip(made.counted, made.limits, strict=True))
    )
    below = tuple(
        Tick(figure(across(at)), f"{at:,.0f}") for at in round_steps(0, largest) if at == int(at)
    )
    highest = min(1.0, top * 1.05) or 1.0
    beside = tuple(Tick(figure(up(at)), written(at)) for at in round_steps(0, highest))
    return _drawing(lines, dots, below, beside)


def round_steps(low: float, high: float) -> tuple[float, ...]:
    """Four to ten round numbers from `low` to `high`, for the marks of an axis."""
    rough = (high - low) / 5 or 1.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1, 2, 5, 10) if size * each >= rough)
    first = math.ceil(low / step)
    return tuple(round(i * step, 10) for i in range(first, math.floor(high / step) + 1))


def _drawing(
    lines: list[Line], dots: tuple[Dot, ...], across: tuple[Tick, ...], up: tuple[Tick, ...]
) -> Drawing:
    return Drawing(
        WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM, tuple(lines), dots, across, up
    )


def scale(low: float, high: float, to_low: float, to_high: float) -> Callable[[float], float]:
    """Where a value between `low` and `high` stands between two places of the drawing."""
    width = (high - low) or 1.0
    return lambda value: to_low + (value - low) / width * (to_high - to_low)


def dot_at(x: float, y: float, marked: bool, text: str, *, below: bool = False) -> Dot:
    """A point with its diamond, and its text above or below."""
    size = 7
    path = f"M {figure(x)} {figure(y - size)} l {size} {size} l -{size} {size} l -{size} -{size} z"
    return Dot(figure(x), figure(y), figure(y + 20 if below else y - 11), path, marked, text)


def points_of(path: Sequence[tuple[float, float]]) -> str:
    """The points of a line, as SVG takes them."""
    return " ".join(f"{figure(x)},{figure(y)}" for x, y in path)


def figure(number: float) -> str:
    """A place of the drawing, to a tenth."""
    return f"{number:.1f}"
