"""Days, financial months and years as dirty as real feeds write them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reconciliation.parse_dates import (
    BIRTH,
    SUPPLY,
    WHY_AMBIGUOUS,
    WHY_CENTURY,
    WHY_IMPOSSIBLE,
    convention_of,
    financial_month_of,
    financial_period,
    parse_date,
    parse_financial_month,
    parse_financial_year,
)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-04-01", "2025-04-01"),
        ("2025/04/01", "2025-04-01"),
        ("2025/4/1", "2025-04-01"),
        ("20250401", "2025-04-01"),
        ("2025-04-01 00:00:00", "2025-04-01"),
        ("2025-04-01T00:00:00", "2025-04-01"),
        ("2025-04-01T10:30:00.0000000", "2025-04-01"),
        ("2025-04-01T00:00:00+", "2025-04-01"),  # a broken suffix
        ("2025-06-30T23:30:00Z", "2025-07-01"),  # half past midnight in London
        ("2025-01-15T23:30:00Z", "2025-01-15"),
        ("01/04/2025", "2025-04-01"),
        ("1/4/2025", "2025-04-01"),
        ("01-04-2025", "2025-04-01"),
        ("01.04.2025", "2025-04-01"),
        ("01/04/25", "2025-04-01"),
        ("01/04/2025 00:00", "2025-04-01"),
        ("04/01/2025 12:00:00 AM", "2025-04-01"),  # US, by its AM/PM
        ("4/25/2025 1:15 pm", "2025-04-25"),
        ("01-Apr-25", "2025-04-01"),
        ("01-APR-2025", "2025-04-01"),
        ("1 April 2025", "2025-04-01"),
        ("1st April 2025", "2025-04-01"),
        ("5 Sept 2025", "2025-09-05"),
        ("45748", "2025-04-01"),
        ("45748.5", "2025-04-01"),
        ("45748.0", "2025-04-01"),
        ("29/02/2024", "2024-02-29"),
        ("29/02/2025", None),
        ("31/04/2025", None),
        ("13/25/2025", None),
        ("04/25/2025", None),  # not day first, and no AM or PM to say it is a US date
        ("2025-13-01", None),
        ("2025-02-30", None),
        ("00/00/0000", None),
        ("1900-01-01", None),
        ("TBC", None),
        ("215551", None),
        ("2025", None),
        ("Apr 2025", None),
        ("35000", None),  # 1995, before any such data
        ("202504", None),
        ("01/04-2025", None),
        ("Neurology", None),
    ],
)
def test_a_supply_date_is_read_or_is_null_with_a_reason(text: str, day: str | None) -> None:
    value, why = parse_date(text)
    assert value == (dt.date.fromisoformat(day) if day else None)
    assert (why is None) == (day is not None)


def test_a_birth_date_with_two_figures_for_its_year_has_no_known_century() -> None:
    assert parse_date("01/04/25", BIRTH) == (None, WHY_CENTURY)
    assert parse_date("01-Apr-25", BIRTH) == (None, WHY_CENTURY)
    assert parse_date("12345", BIRTH) == (dt.date(1933, 10, 18), None)


def test_an_absent_date_is_no_fault() -> None:
    assert parse_date("NULL") == (None, None)


def test_a_column_that_mixes_both_ways_leaves_two_way_dates_unread() -> None:
    rule = convention_of(["03/04/2024", "25/04/2024", "04/25/2024"], SUPPLY)
    assert parse_date("03/04/2024", rule) == (None, WHY_AMBIGUOUS)
    assert parse_date("25/04/2024", rule) == (dt.date(2024, 4, 25), None)
    assert parse_date("04/04/2024", rule) == (dt.date(2024, 4, 4), None)
    assert parse_date("04/25/2024", rule) == (None, WHY_IMPOSSIBLE)


def test_a_tenth_written_the_other_way_makes_two_way_dates_doubtful() -> None:
    rule = convention_of(["25/04/2024"] * 10 + ["04/25/2024"], SUPPLY)
    assert parse_date("03/04/2024", rule) == (None, WHY_AMBIGUOUS)


def test_one_slip_among_many_day_first_dates_leaves_the_others_read() -> None:
    rule = convention_of(["25/04/2024"] * 11 + ["04/25/2024"], SUPPLY)
    assert parse_date("03/04/2024", rule) == (dt.date(2024, 4, 3), None)


def test_am_and_pm_lose_their_meaning_where_the_file_writes_them_day_first() -> None:
    rule = convention_of(["25/04/2024 10:00 AM"], SUPPLY)
    assert parse_date("03/04/2024 10:00 AM", rule) == (None, WHY_AMBIGUOUS)
    assert parse_date("03/04/2024", rule) == (dt.date(2024, 4, 3), None)


@given(st.dates(dt.date(2010, 1, 1), dt.date(2036, 1, 1)))
def test_every_way_of_writing_a_day_gives_that_day(day: dt.date) -> None:
    serial = (day - dt.date(1899, 12, 30)).days
    for text in (f"{day:%d/%m/%Y}", f"{day:%d-%b-%y}", f"{day}", f"{day:%Y%m%d}", str(serial)):
        assert parse_date(text) == (day, None)


@given(st.text(max_size=25))
def test_no_text_crashes_the_parsers(text: str) -> None:
    for value, why in (parse_date(text), parse_financial_month(text), parse_financial_year(text)):
        assert value is None or why is None


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("1", 1),
        ("01", 1),
        ("12", 12),
        ("1.0", 1),
        ("M03", 3),
        ("Month 3", 3),
        ("April", 1),
        ("mar", 12),
        ("0", None),
        ("13", None),
        ("110", None),
        ("400", None),
        ("202504", None),
        ("Neurology", None),
    ],
)
def test_a_financial_month_is_from_1_to_12(text: str, month: int | None) -> None:
    value, why = parse_financial_month(text)
    assert value == month
    assert (why is None) == (month is not None)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("202526", "202526"),
        ("2025/26", "202526"),
        ("2025-26", "202526"),
        ("2025 26", "202526"),
        ("2025-2026", "202526"),
        ("2025/2026", "202526"),
        ("20252026", "202526"),
        ("202526.0", "202526"),
        ("FY2025/26", "202526"),
        ("25/26", "202526"),
        ("2025–26", "202526"),
        ("2020", None),
        ("2020.0", None),
        ("2526", None),
        ("202527", None),
        ("2025/27", None),
        ("2025/24", None),
        ("215551", None),
        ("199900", None),
        ("Rheumatology", None),
    ],
)
def test_a_financial_year_is_two_years_that_follow_each_other(text: str, year: str | None) -> None:
    value, why = parse_financial_year(text)
    assert value == year
    assert (why is None) == (year is not None)


@given(st.dates(dt.date(2000, 4, 1), dt.date(2098, 12, 31)))
def test_a_day_lies_within_its_financial_month(day: dt.date) -> None:
    first, last = financial_period(*financial_month_of(day))
    assert first <= day <= last
    assert (first.day, (last + dt.timedelta(days=1)).day) == (1, 1)
