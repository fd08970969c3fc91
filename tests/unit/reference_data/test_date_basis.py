import datetime as dt

import pytest

from app.reference_data.date_basis import date_basis, load_date_basis

DAY = dt.date(2026, 6, 1)


@pytest.mark.parametrize(
    ("layout", "route", "commissioner", "said"),
    [
        ("drplcm-v1", None, None, ("administered", 0, 0)),
        ("drplcm-v3", "1", "QHL", ("dispensed", 0, 0)),
        ("drplcm-v3", "4", "QHL", ("dispensed", 0, 0)),
        ("drplcm-v3", "4", "DEMQ1", ("delivered", 14, 14)),
        ("drplcm-v3", "1", "DEMQ1", ("dispensed", 0, 0)),
        ("unknown", None, None, ("dated", 0, 0)),
    ],
)
def test_the_closest_row_says_what_a_date_means(
    layout: str, route: str | None, commissioner: str | None, said: tuple[str, int, int]
) -> None:
    row = date_basis(layout, route, commissioner, DAY)
    assert (row.means, row.after_stop, row.after_death) == said


def test_no_real_commissioner_is_given_days_that_no_source_states() -> None:
    for row in load_date_basis():
        assert row.demonstration or (row.after_stop, row.after_death) == (0, 0)
