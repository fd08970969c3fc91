"""The benchmark says plainly which goals were met, and fails only where a line differs."""

from pathlib import Path

import duckdb
import pytest

from app.reference_data.nhs_number import parse_nhs_number
from benchmarks._reconcile_cost import Cost
from benchmarks._reconcile_data import _NHS_NUMBER
from benchmarks._reconcile_goals import GOALS, Goal, Measured, exit_code, verdicts
from benchmarks._reconcile_whole import not_alike

FLOOR = Cost(10, 20, 0.3)


def measured(
    *, wall: float = 40, cpu: float = 80, peak: float = 4.9, lines: int = 100,
    differing: int | None = 0, goal: Goal = GOALS[0],
) -> Measured:  # fmt: skip
    return Measured("match", lines, goal, Cost(wall, cpu, peak), FLOOR, differing)


def test_the_goals_are_those_that_were_set() -> None:
    assert [(goal.gigabytes, goal.times) for goal in GOALS] == [(5, 4), (2, 7)]


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (measured(), []),
        (measured(wall=40.1), ["4.0 x the floor by the clock"]),
        (measured(cpu=90), ["4.5 x the floor by the processor"]),
        (measured(peak=5.0), ["5.00 GB at the peak"]),
        (measured(goal=GOALS[1], wall=70, cpu=140, peak=1.99), []),
        (measured(goal=GOALS[1], wall=71, peak=2.0), ["7.1 x", "2.00 GB"]),
        (measured(differing=1), ["1 lines differ"]),
    ],
)
def test_each_goal_is_met_or_missed_by_itself(found: Measured, missed: list[str]) -> None:
    before = measured(lines=50, cpu=found.cost.cpu / 2)
    said = [each.words for each in verdicts(found, before) if each.met is False]
    assert len(said) == len(missed)
    assert all(each.startswith(words) for each, words in zip(said, missed, strict=True))


@pytest.mark.parametrize(("cpu", "met"), [(109, True), (111, False)])
def test_growth_is_what_a_line_costs_beside_the_size_before(cpu: float, met: bool) -> None:
    before = measured(lines=100, cpu=10)
    grown = [
        each.met
        for each in verdicts(measured(lines=1_000, cpu=cpu), before)
        if "the processor a line" in each.words
    ]
    assert grown == [met]


def test_what_was_not_measured_is_said_to_be_so() -> None:
    said = [each.words for each in verdicts(measured(differing=None), None) if each.met is None]
    assert said == ["growth: no smaller size in this run", "lines that differ: not compared"]


def test_a_missed_goal_fails_nothing_and_a_line_that_differs_fails_the_run() -> None:
    slow = measured(wall=4_000, peak=40)
    assert exit_code([slow, measured(differing=None)]) == 0
    assert exit_code([slow, measured(differing=1)]) == 1


@pytest.mark.parametrize(
    ("spoilt", "count"),
    [
        ("SELECT * FROM told", 0),
        ("SELECT * REPLACE (accepted || '.00' AS accepted) FROM told", 0),
        ("SELECT * REPLACE (CASE row WHEN 3 THEN '4' ELSE accepted END AS accepted) FROM told", 1),
        ("SELECT * REPLACE (CASE row WHEN 3 THEN NULL ELSE why END AS why) FROM told", 1),
        ("SELECT * FROM told WHERE row <> 3", 1),
    ],
)
def test_lines_are_alike_where_every_field_is(tmp_path: Path, spoilt: str, count: int) -> None:
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE told AS SELECT i AS row, CAST(i * 2 AS VARCHAR) AS accepted, "
            "'0' AS queried, 'because' AS why FROM range(9) AS t(i)"
        )
        connection.sql("FROM told").write_parquet(str(one))
        connection.sql(spoilt).write_parquet(str(other))
    assert not_alike(one, other, "row") == count


def test_invented_patients_have_numbers_of_their_own_that_can_be_read() -> None:
    with duckdb.connect() as connection:
        connection.execute(_NHS_NUMBER)
        rows = connection.sql("SELECT nhs_number(i * 397) FROM range(20_000) AS t(i)").fetchall()
    numbers = {number for (number,) in rows}
    assert len(numbers) == 20_000
    assert all(parse_nhs_number(number) == number for number in numbers)
    assert all(number.startswith("9") for number in numbers)
