"""Dates of an old system's export: day first, never guessed, and no cell repeated in a fault."""

import datetime as dt

import pytest

from app.approvals.import_cells import CellFault, DayRule, clean, is_absent, read_day, rule_for

EVENT = DayRule(dt.date(2000, 1, 1), dt.date(2036, 1, 1), two_digit_years=True)
BIRTH = DayRule(dt.date(1900, 1, 1), dt.date(2026, 6, 15), two_digit_years=False)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("03/04/2026", (2026, 4, 3)),
        (" 3.4.26 ", (2026, 4, 3)),
        ("03-04-2026 09:15", (2026, 4, 3)),
        ("2026-04-03", (2026, 4, 3)),
        ("2026-04-03T10:00:00", (2026, 4, 3)),
        ("2026-06-30T23:30:00Z", (2026, 7, 1)),
        ("2026-04-03 99:99", (2026, 4, 3)),
        ("20260403", (2026, 4, 3)),
        ("3 Apr 2026", (2026, 4, 3)),
        ("3rd April, 2026", (2026, 4, 3)),
        ("03-Sept-26", (2026, 9, 3)),
        ("46115", (2026, 4, 3)),
        ("'03/04/2026", (2026, 4, 3)),
        ("\u00a003/04/2026\u00c2\u00a0", (2026, 4, 3)),
        ("13/04/2026 9:15 AM", (2026, 4, 13)),
        ("04/04/2026 9:15 AM", (2026, 4, 4)),
    ],
)
def test_a_date_is_read_day_first_in_every_usual_form(text: str, day: tuple[int, int, int]) -> None:
    assert read_day(text, EVENT) == dt.date(*day)


@pytest.mark.parametrize("text", ["", " ", "-", "NULL", "n/a", "\u00a0"])
def test_a_cell_that_states_nothing_is_no_date(text: str) -> None:
    assert is_absent(text)
    assert read_day(text, EVENT) is None


@pytest.mark.parametrize(
    ("text", "rule", "why"),
    [
        ("31/02/2026", EVENT, "no such day"),
        ("04/13/2026", EVENT, "no such day"),
        ("03/04/1961", EVENT, "out of the range"),
        ("31/12/2099", EVENT, "out of the range"),
        ("03/04/61", BIRTH, "century"),
        ("16/06/2026", BIRTH, "out of the range"),
        ("03/04/2026 9:15 AM", EVENT, "either way round"),
        ("soon", EVENT, "not a date"),
        ("=TODAY()", EVENT, "not a date"),
        ("3 Floréal 2026", EVENT, "not a date"),
        ("9990000018", EVENT, "not a date"),
        ("٠٣/٠٤/٢٠٢٦", EVENT, "not a date"),
    ],
)
def test_what_is_not_certainly_a_day_is_not_read(text: str, rule: DayRule, why: str) -> None:
    with pytest.raises(CellFault, match=why) as fault:
        read_day(text, rule)
    assert text not in str(fault.value)


@pytest.mark.parametrize(
    ("column", "readable"),
    [
        (["03/04/2026", "25/04/2026"], True),
        (["03/04/2026", "04/25/2026"], False),
        (["03/04/2026", *["25/04/2026"] * 11, "04/25/2026"], True),
        (["03/04/2026", *["25/04/2026"] * 10, "04/25/2026"], False),
    ],
)
def test_two_way_dates_are_read_only_where_their_column_is_day_first(
    column: list[str], readable: bool
) -> None:
    rule = rule_for(EVENT, column)
    if readable:
        assert read_day(column[0], rule) == dt.date(2026, 4, 3)
    else:
        with pytest.raises(CellFault, match="either way round"):
            read_day(column[0], rule)
    assert read_day("05/05/2026", rule) == dt.date(2026, 5, 5)


def test_damaged_spaces_are_spaces() -> None:
    assert clean("\ufeff Adalimumab\u00c2\u00a0 40mg\u2009pen ") == "Adalimumab 40mg pen"
