"""Who pays for which days, by hand-overs in the order in which they were confirmed. Pure."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.approvals.paying import Handed, payer_on, share_days

DAY = dt.timedelta(days=1)
START = dt.date(2026, 1, 1)


def on(number: int) -> dt.date:
    return START + number * DAY


def handed(*given: tuple[str, str, int]) -> tuple[Handed, ...]:
    return tuple(Handed(giver, receiver, on(day)) for giver, receiver, day in given)


@pytest.mark.parametrize(
    ("facts", "days"),
    [
        ((), {0: "A", 99: "A"}),
        ((("A", "B", 10),), {9: "A", 10: "B", 99: "B"}),
        ((("A", "B", 10), ("B", "A", 20)), {9: "A", 10: "B", 19: "B", 20: "A"}),
        # The second is of days that its giver has: none before the first's day.
        ((("A", "B", 10), ("B", "C", 5)), {4: "A", 5: "A", 9: "A", 10: "C"}),
        # Days before those that went to B go to C, and B keeps its own.
        ((("A", "B", 10), ("A", "C", 5)), {4: "A", 5: "C", 9: "C", 10: "B"}),
        # Confirmed in this order, the first gave nothing of this treatment.
        ((("B", "C", 0), ("A", "B", 5)), {4: "A", 5: "B", 99: "B"}),
    ],
)
def test_the_payer_of_a_day_follows_from_the_order_of_the_hand_overs(
    facts: tuple[tuple[str, str, int], ...], days: dict[int, str]
) -> None:
    found = {day: payer_on("A", handed(*facts), on(day)) for day in days}
    assert found == days


FACTS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from("ABC"), st.integers(0, 30)), max_size=6
)


@given(facts=FACTS, first=st.integers(0, 35), length=st.one_of(st.none(), st.integers(0, 30)))
def test_days_are_shared_without_a_gap_and_none_twice(
    facts: list[tuple[str, str, int]], first: int, length: int | None
) -> None:
    facts_ = handed(*facts)
    last = None if length is None else on(first + length)
    parts = share_days("A", facts_, on(first), last)
    assert (parts[0][0], parts[-1][1]) == (on(first), last)
    for (_, end, payer), (begin, _, other) in itertools.pairwise(parts):
        assert end is not None
        assert (begin, payer != other) == (end + DAY, True)
    until = last or on(70)
    for from_day, to_day, payer in parts:
        day = from_day
        while day <= (to_day or until):
            assert payer == payer_on("A", facts_, day)
            day += DAY
