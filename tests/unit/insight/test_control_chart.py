"""The XmR chart against values worked out by hand, and each signal at its threshold."""

from decimal import Decimal

import pytest

from app.insight.control_chart import Signal, control_chart


def chart(*values: int) -> list[tuple[Signal, ...]]:
    made = control_chart([Decimal(value) for value in values])
    assert made is not None
    return [point.signals for point in made.points]


def test_limits_are_the_mean_and_two_point_six_six_mean_moving_ranges() -> None:
    made = control_chart([Decimal(v) for v in (10, 12, 11, 15, 12)])
    assert made is not None
    # mean 60 / 5; moving ranges 2, 1, 4, 3: mean 2.5; 2.66 × 2.5 = 6.65
    assert (made.mean, made.lower, made.upper) == (12, Decimal("5.35"), Decimal("18.65"))
    assert made.settled is False


@pytest.mark.parametrize("values", [(), (1,)])
def test_below_two_points_there_is_no_chart(values: tuple[int, ...]) -> None:
    assert control_chart([Decimal(v) for v in values]) is None


def test_a_steady_series_has_no_signal() -> None:
    assert set(chart(*[5] * 20)) == {()}
    assert set(chart(*[4, 6] * 10)) == {()}


def test_a_point_outside_the_limits() -> None:
    marked = chart(*[4, 6] * 10, 40)
    assert Signal.OUTSIDE in marked[-1]
    assert all(Signal.OUTSIDE not in each for each in marked[:-1])


def test_seven_on_one_side_are_a_shift_and_six_are_none() -> None:
    six = chart(1, 9, 1, 9, 1, 9, 6, 7, 6, 7, 6, 1, 9, 1, 1, 1)
    assert not any(Signal.SHIFT in each for each in six)
    seven = chart(1, 9, 1, 9, 1, 9, 1, 6, 7, 6, 7, 6, 7, 6, 1, 9, 1, 1, 1)
    assert [i for i, each in enumerate(seven) if Signal.SHIFT in each] == list(range(7, 14))


def test_seven_rising_points_are_a_trend_and_six_are_none() -> None:
    six = chart(9, 1, 2, 3, 4, 5, 6, 1, 9, 1, 9)
    assert not any(Signal.TREND in each for each in six)
    seven = chart(9, 1, 2, 3, 4, 5, 6, 7, 1, 9, 1)
    assert [i for i, each in enumerate(seven) if Signal.TREND in each] == list(range(1, 8))
    falling = chart(9, 1, 9, 7, 6, 5, 4, 3, 2, 9, 1)
    assert [i for i, each in enumerate(falling) if Signal.TREND in each] == list(range(2, 9))


def test_two_of_three_near_a_limit() -> None:
    # mean 154 / 29 = 5.31, mean moving range 56 / 28 = 2: near above 8.86, outside above 10.63
    steady = (4, 6) * 12
    twice = chart(*steady, 9, 9, 6, 4, 6)
    assert [i for i, each in enumerate(twice) if each] == [24, 25]
    assert twice[24] == twice[25] == (Signal.NEAR_LIMIT,)
    once = chart(*steady, 9, 6, 6, 4, 6)
    assert not any(once)
