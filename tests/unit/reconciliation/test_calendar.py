"""Calendars and stated totals out of CSV files: read whole, or refused with the row."""

import datetime as dt
from decimal import Decimal

import pytest

from app.reconciliation.calendar import read_calendar, read_figures
from app.reconciliation.errors import SettingNotAccepted
from tests.unit.reconciliation.builders import DRUGS_AND_ORGANISATIONS

FOLD = DRUGS_AND_ORGANISATIONS[1].fold
MONTHS = "financial_year,financial_month,submission,flex,freeze,challenge_by,source\n"
FIGURES = "provider,commissioner,financial_year,financial_month,amount,source\n"


def test_a_calendar_may_leave_days_open() -> None:
    (month,) = read_calendar(f"{MONTHS}2026/27,M01,20/05/2026,,2026-07-01,,Contract\n\n".encode())
    assert (month.financial_year, month.financial_month) == ("202627", 1)
    assert (month.submission, month.flex) == (dt.date(2026, 5, 20), None)
    assert (month.freeze, month.source) == (dt.date(2026, 7, 1), "Contract")


def test_a_stated_total_stands_for_the_trust_of_a_site() -> None:
    text = f'{FIGURES}DEMO101,demq1,202627,3,"(1,234.56)",ACM file\n'
    (figure,) = read_figures(text.encode(), FOLD)
    assert figure.key == ("DEMO1", "DEMQ1", "202627", 3)
    assert figure.amount == Decimal("-1234.56")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("financial_year\n202627\n", "lacks financial_month, submission"),
        (f"{MONTHS}2026,1,,,,,x\n", "Row 1 below the header: financial_year"),
        (f"{MONTHS}202627,13,,,,,x\n", "financial_month"),
        (f"{MONTHS}202627,1,,,,,\n", "source: it is empty"),
        (f"{MONTHS}202627,1,,,soon,,x\n", "freeze: it is not a date"),
        (f"{MONTHS}202627,1,,2026-07-02,2026-07-01,,x\n", "do not follow each other"),
        (f"{MONTHS}202627,1,,,,,x\n202627,2,,,,,x\n202627,1,,,,,x\n", "Row 3.*repeats"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(SettingNotAccepted, match=says):
        read_calendar(text.encode())


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("DEMO1,DEMQ1,202627,1,TBC,x", "amount: it is not an amount"),
        ("DEMO1,,202627,1,5,x", "commissioner: it is empty"),
        ("DEMO1,DEMQ1,202627,1,5,x\nDEMO101,DEMQ1,202627,1,6,x", "Row 2.*repeats"),
    ],
)
def test_stated_totals_that_cannot_be_read_are_refused(row: str, says: str) -> None:
    with pytest.raises(SettingNotAccepted, match=says):
        read_figures(f"{FIGURES}{row}\n".encode(), FOLD)
