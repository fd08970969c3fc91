import datetime as dt

import pytest

from app.reference_data.date_basis import date_basis

DAY = dt.date(2026, 6, 1)


@pytest.mark.parametrize(
    ("layout", "route", "commissioner", "said"),
    [
        ("drplcm-v1", None, None, "administered"),
        ("drplcm-v3", "1", "QHL", "dispensed"),
        ("drplcm-v3", "4", "QHL", "dispensed"),
        ("drplcm-v3", "4", "DEMQ1", "delivered"),
        ("drplcm-v3", "1", "DEMQ1", "dispensed"),
        ("unknown", None, None, "dated"),
    ],
)
def test_the_closest_row_says_what_a_date_means(
    layout: str, route: str | None, commissioner: str | None, said: str
) -> None:
    assert date_basis(layout, route, commissioner, DAY).means == said
