"""The overview in words: each provider against the named limits, and rates of what was asked."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import pytest

from app.insight.figures import Figure, Kept, Name
from app.web.overview.view import Chart, Overview, overview_of

AT = dt.datetime(2026, 6, 15, 9, tzinfo=dt.UTC)
#: Providers that differ by little, so that the limits are those of chance: 10 of 100.
ALIKE = {f"T{n:02}": (10, 100) for n in range(18)}


def kept(*figures: Figure) -> Kept:
    return Kept(AT.date(), AT, figures)


def of_lines(lines: Mapping[str, tuple[int, int]]) -> Chart:
    """The funnel of queried lines; by provider so many of so many."""
    figures = [
        Figure(name, Decimal(number), provider)
        for provider, pair in lines.items()
        for name, number in zip((Name.LINES_QUERIED, Name.LINES), pair, strict=True)
    ]
    return next(each for each in overview_of(kept(*figures)).funnels if each.id == "lines")


@pytest.mark.parametrize(
    ("queried", "said"),
    [
        (10, "Within the limits"),
        (18, "Above the 95% limit"),
        (40, "Above the 99.8% limit"),
        (4, "Below the 95% limit"),
        (0, "Below the 99.8% limit"),
    ],
)
def test_each_provider_is_held_against_the_limit_by_its_name(queried: int, said: str) -> None:
    chart = of_lines(ALIKE | {"X": (queried, 100)})
    assert chart.heads[-1] == "Against the limits"
    (row,) = [each for each in chart.rows if each.head == "X"]
    assert row.said == said
    assert row.cells == (str(queried), "100", f"{queried}.0%")
    assert ("X" in chart.description) is (said != "Within the limits")
    assert "95% limits" in chart.description or "within them" in chart.description


def test_the_table_holds_every_point_of_the_drawing() -> None:
    chart = of_lines(ALIKE | {"X": (40, 100)})
    assert chart.drawing is not None
    assert len(chart.rows) == len(chart.drawing.dots) == len(ALIKE) + 1
    months = [Figure(Name.ACCEPTED, Decimal(100 * n), "T1", f"2026-0{n}") for n in range(1, 6)]
    (series,) = [each for each in overview_of(kept(*months)).series if each.id == "accepted"]
    assert series.drawing is not None
    assert [each.head for each in series.rows] == [
        "January 2026", "February 2026", "March 2026", "April 2026", "May 2026"
    ]  # fmt: skip
    assert len(series.drawing.dots) == 5


def test_one_month_is_told_in_the_table_without_a_drawing() -> None:
    seen = overview_of(kept(Figure(Name.ACCEPTED, Decimal(5), "T1", "2026-05")))
    (series,) = [each for each in seen.series if each.id == "accepted"]
    assert (series.drawing, len(series.rows)) == (None, 1)


def rated(**figures: Mapping[Name, int]) -> Overview:
    return overview_of(
        kept(
            *(
                Figure(name, Decimal(number), provider)
                for provider, found in figures.items()
                for name, number in found.items()
            )
        )
    )


def test_rates_are_shares_of_what_each_provider_asked_for_and_of_all_together() -> None:
    seen = rated(
        T1={Name.REQUESTS: 8, Name.OVERRIDDEN: 1, Name.WAIVED: 2},
        T2={Name.REQUESTS: 3, Name.WAIVED: 1},
        T3={Name.REQUESTS: 1},
    )
    told = [
        (r.provider, r.requests, r.overridden, r.overridden_rate, r.waived, r.waived_rate)
        for r in seen.rates
    ]
    assert told == [
        ("T1", 8, 1, "12.5%", 2, "25.0%"),
        ("T2", 3, 0, "0.0%", 1, "33.3%"),
        ("T3", 1, 0, "0.0%", 0, "0.0%"),
        ("All providers", 12, 1, "8.3%", 3, "25.0%"),
    ]


def test_nothing_asked_for_has_no_rates() -> None:
    assert rated(T1={Name.UNDER_APPROVAL: 4}).rates == ()
