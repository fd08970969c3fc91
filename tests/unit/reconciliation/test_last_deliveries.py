"""Days that a commissioner gives to homecare: read from its file, and what they come to."""

import datetime as dt
from decimal import Decimal

import pytest

from app.reconciliation.engines.last_deliveries import days_given, given_of, invoice_days
from app.reconciliation.errors import TermsNotAccepted
from app.reconciliation.period import Basis, Period
from app.reconciliation.term_rows import SUPPLY_COLUMNS, check_supplies, read_supplies
from app.reconciliation.terms_model import SupplyTerm, SupplyTermKind

HEAD = ",".join(SUPPLY_COLUMNS) + "\n"
DAY = dt.date(2025, 6, 10)


def load(row: str) -> list[dict[str, object]]:
    rows = read_supplies(HEAD + row + "\n")
    check_supplies(rows, {"natalizumab"})
    return rows


@pytest.mark.parametrize(
    "row",
    [
        "last deliveries after a stop,,,14,2026-04-01,,true,Invented",
        "last deliveries after a death,DEMO1,natalizumab,0,,,true,Invented",
        "invoice days,DEMO1,,31,,2027-03-31,true,Invented",
    ],
)
def test_a_file_may_give_days(row: str) -> None:
    (read,) = load(row)
    assert read["kind"] in set(SupplyTermKind)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("last deliveries after a stop,,,32,,,true,x", "whole days, at most 31"),
        ("last deliveries after a death,,,0.5,,,true,x", "whole days, at most 31"),
        ("invoice days,,natalizumab,14,,,true,x", "of every drug: leave drug empty"),
        ("last deliveries,,,14,,,true,x", "kind must be one of"),
    ],
)
def test_other_days_are_refused_with_their_row(row: str, why: str) -> None:
    with pytest.raises(TermsNotAccepted, match=f"row 1: .*{why}"):
        load(row)


def term(kind: SupplyTermKind, amount: int, **changes: object) -> SupplyTerm:
    held = {"from_": None, "to": None, "source": "Invented", "demonstration": True, **changes}
    return SupplyTerm("DEMQ1", kind, Decimal(amount), **held)  # type: ignore[arg-type]


TERMS = given_of(
    [
        term(SupplyTermKind.AFTER_STOP, 14),
        term(SupplyTermKind.AFTER_STOP, 3, drug="natalizumab", to=DAY),
        term(SupplyTermKind.AFTER_DEATH, 7, provider="DEMO1"),
        term(SupplyTermKind.INVOICE_DAYS, 10, from_=DAY),
        term(SupplyTermKind.HOME_DELIVERY, 30),
    ]
)


@pytest.mark.parametrize(
    ("route", "payer", "provider", "drug", "first", "last", "days"),
    [
        ("4", "DEMQ1", "DEMO1", "natalizumab", DAY, DAY, (3, 7)),
        ("4", "DEMQ1", "DEMO2", "adalimumab", DAY, DAY, (14, 0)),
        ("4", "DEMQ1", None, None, DAY, DAY, (14, 0)),
        ("4", "DEMQ1", "DEMO1", "natalizumab", DAY, dt.date(2025, 6, 11), (14, 7)),
        ("4", "DEMQ2", "DEMO1", "natalizumab", DAY, DAY, (0, 0)),
        ("1", "DEMQ1", "DEMO1", "natalizumab", DAY, DAY, (0, 0)),
        (None, "DEMQ1", "DEMO1", "natalizumab", DAY, DAY, (0, 0)),
    ],
)
def test_the_most_specific_term_of_the_time_counts_and_only_for_homecare(
    route: str | None,
    payer: str,
    provider: str | None,
    drug: str | None,
    first: dt.date,
    last: dt.date,
    days: tuple[int, int],
) -> None:
    time = Period(first, last, Basis.DATE if first == last else Basis.MONTH)
    assert days_given(TERMS, route, payer, provider, drug, time) == days


@pytest.mark.parametrize(
    ("route", "payer", "on", "days"),
    [
        ("4", "DEMQ1", DAY, 10),
        ("4", "DEMQ1", dt.date(2025, 6, 9), 0),
        ("2", "DEMQ1", DAY, 0),
        ("4", "DEMQ2", DAY, 0),
    ],
)
def test_an_invoice_tells_of_days_only_where_they_are_agreed(
    route: str, payer: str, on: dt.date, days: int
) -> None:
    assert invoice_days(TERMS, route, payer, "DEMO1", on) == days


def test_a_term_that_may_not_be_seen_counts_as_none() -> None:
    hidden = given_of([term(SupplyTermKind.AFTER_STOP, 0, seen=False)])
    time = Period(DAY, DAY, Basis.DATE)
    assert days_given(hidden, "4", "DEMQ1", "DEMO1", "natalizumab", time) == (0, 0)
