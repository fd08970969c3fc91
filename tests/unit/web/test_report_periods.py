"""The days that a report is opened on, and those that its reader may choose by one link."""

import datetime as dt
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.web.form.typed import typed_day
from app.web.reporting.asked import asked_of, periods

TODAY = dt.date(2026, 12, 1)
POLICIES = (("some-policy", "Some policy"),)


def days_of(href: str) -> tuple[str | None, str | None]:
    query = dict(parse_qsl(urlsplit(href).query))
    return typed_day("from", query), typed_day("to", query)


def test_a_report_without_an_address_of_its_own_is_of_the_last_31_days() -> None:
    asked = asked_of({}, TODAY, POLICIES)
    assert asked.days == (dt.date(2026, 11, 1), TODAY)
    assert asked.policy is None
    assert not asked.faults


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (
            TODAY,
            {
                "Last 31 days": ("2026-11-01", "2026-12-01"),
                "December 2026": ("2026-12-01", "2026-12-01"),
                "November 2026": ("2026-11-01", "2026-11-30"),
                "Last 3 whole months": ("2026-09-01", "2026-11-30"),
                "This financial year": ("2026-04-01", "2026-12-01"),
            },
        ),
        (
            dt.date(2027, 3, 31),
            {
                "Last 31 days": ("2027-03-01", "2027-03-31"),
                "March 2027": ("2027-03-01", "2027-03-31"),
                "February 2027": ("2027-02-01", "2027-02-28"),
                "Last 3 whole months": ("2026-12-01", "2027-02-28"),
                "This financial year": ("2026-04-01", "2027-03-31"),
            },
        ),
    ],
)
def test_the_usual_periods(today: dt.date, expected: dict[str, tuple[str, str]]) -> None:
    found = periods("/reports/overrides", asked_of({}, today), today)
    assert {each.words: days_of(each.href) for each in found} == expected
    assert found[0].chosen


def test_a_period_keeps_the_policy_that_was_chosen() -> None:
    asked = asked_of({"policy": "some-policy"}, TODAY, POLICIES)
    assert all("policy=some-policy" in each.href for each in periods("/x", asked, TODAY))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"policy": "another"}, "policy"),
        ({"from-day": "31", "from-month": "2", "from-year": "2026"}, "from"),
        ({"to-day": "1", "to-month": "1", "to-year": "1899"}, "to"),
    ],
)
def test_what_is_no_day_and_no_policy_is_told(query: dict[str, str], field: str) -> None:
    assert set(asked_of(query, TODAY, POLICIES).faults) == {field}
