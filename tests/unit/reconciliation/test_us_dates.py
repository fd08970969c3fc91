"""Whole files whose dates are month first, as a US export writes them, with no day over 12.

Month 3 of 202526 is June 2025, so 06/05/2025 is the 5th of June month first and lies in May as
UK files write it.
"""

import csv
import datetime as dt
import io
from pathlib import Path

import pytest

from app.reconciliation import Submission
from app.reconciliation.parse_dates import WHY_MONTHS
from app.reconciliation.source import on_disk
from tests.unit.reconciliation.builders import cells, csv_bytes
from tests.unit.reconciliation.test_read_columns import agree, by_columns, by_row

US = [f"06/{day:02d}/2025" for day in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12)]
UK = [f"{day:02d}/06/2025" for day in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12)]
SEEMS = "seems to write dates month first, by the months that the rows state"
NOTHING = "no stated month tells which: they were read day first"


def read(dates: list[str], **changes: str) -> Submission:
    rows = [cells(date=date, local=f"L{n}", **changes) for n, date in enumerate(dates)]
    told = agree(csv_bytes(rows))
    assert isinstance(told, Submission)
    return told


def days(told: Submission) -> list[dt.date | None]:
    return [line.supply_date for line in told.lines]


def test_dates_that_fit_their_months_only_month_first_are_not_read() -> None:
    told = read([*US, "06/06/2025", "2025-06-20"], born="03/02/1980")
    # The 6th of June is the same either way, and a year-first date is certain.
    assert days(told) == [None] * len(US) + [dt.date(2025, 6, 6), dt.date(2025, 6, 20)]
    faults = {(f.field, f.raw, f.why) for line in told.lines[: len(US)] for f in line.faults}
    dates = {("supply_date", text, WHY_MONTHS) for text in US}
    assert faults == {*dates, ("birth_date", "03/02/1980", WHY_MONTHS)}
    assert {line.birth_date for line in told.lines} == {None}
    assert [SEEMS in note for note in told.notes] == [True, True]


def test_dates_that_fit_their_months_day_first_are_read_so() -> None:
    told = read(UK, born="03/02/1980")
    assert days(told) == [dt.date(2025, 6, int(text[:2])) for text in UK]
    assert {line.birth_date for line in told.lines} == {dt.date(1980, 2, 3)}
    assert told.notes == ()


def test_one_late_line_does_not_speak_against_the_other_dates() -> None:
    """06/05/2025 in the month of June may be a supply of May that was sent a month late."""
    told = read([*UK, "06/05/2025"])
    assert days(told)[-1] == dt.date(2025, 5, 6)
    assert told.notes == ()


def test_every_tenth_date_does() -> None:
    told = read([*UK[:10], "06/05/2025"])
    assert days(told) == [None] * 11


def test_days_over_12_speak_for_day_first_too() -> None:
    sure = [f"{day}/06/2025" for day in range(13, 24)]
    assert days(read([*sure, "06/05/2025"]))[-1] == dt.date(2025, 5, 6)
    assert days(read([*sure[:10], "06/05/2025"]))[-1] is None


@pytest.mark.parametrize(
    "changes", [{"month": ""}, {"year": ""}, {"month": "13"}, {"year": "202324"}]
)
def test_where_no_month_tells_dates_are_read_as_uk_files_write_them_and_that_is_said(
    changes: dict[str, str],
) -> None:
    told = read(US, **changes)
    assert days(told) == [dt.date(2025, int(text[3:5]), 6) for text in US]
    assert any(NOTHING in note for note in told.notes)


def test_a_file_without_columns_of_months_tells_nothing() -> None:
    rows = [cells(date=date, local=f"L{n}") for n, date in enumerate(US)]
    table = list(csv.reader(io.StringIO(csv_bytes(rows).decode())))
    out = io.StringIO()
    csv.writer(out).writerows(row[2:] for row in table)  # the month and the year come first
    told = agree(out.getvalue().encode())
    assert isinstance(told, Submission)
    assert days(told) == [dt.date(2025, int(text[3:5]), 6) for text in US]
    assert any(NOTHING in note for note in told.notes)


def test_dates_with_am_and_pm_are_month_first_unless_the_months_fit_day_first_only() -> None:
    fit = read([f"{text} 12:00:00 AM" for text in US])
    assert days(fit) == [dt.date(2025, 6, int(text[3:5])) for text in US]
    assert days(read([f"{text} 12:00:00 AM" for text in UK])) == [None] * len(UK)


def test_a_large_file_is_read_as_the_same_rows_are_one_by_one(tmp_path: Path) -> None:
    """The months are counted over all chunks before the first is read."""
    rows = [cells(date=UK[n % 11], local=f"L{n}") for n in range(40_000)]
    rows += [cells(date=US[n % 11], local=f"M{n}") for n in range(4_100)]
    data = csv_bytes(rows)
    file = tmp_path / "lines.csv"
    file.write_bytes(data)
    told = by_columns(on_disk(file), "lines.csv")
    assert isinstance(told, Submission)
    assert set(days(told)) == {None}
    assert told == by_row(data, "lines.csv")
