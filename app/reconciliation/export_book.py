"""A run as a workbook: a summary, the lines of each outcome, and the challenges.

A spreadsheet must change no number and run no cell: every text is written as text (an NHS number
keeps its digits), and one that begins as a formula gets an apostrophe in front. An amount is
written as a number where a spreadsheet holds it exactly, and as text where it does not.

A sheet holds so many rows; lines of an outcome that has more go on in a second one. Of a large run
each row goes to a file of its sheet as it comes, so that memory holds one row of each.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final

import xlsxwriter

from app.reconciliation.challenge_model import Challenge
from app.reconciliation.errors import ExportTooLarge
from app.reconciliation.export_table import OUTCOME, Cell, Columns, Sheet, challenges_sheet
from app.reconciliation.report import CSV_HEADER, NOT_TESTED, exact, untested_rows
from app.reconciliation.returned import safe_cell
from app.reconciliation.summary import Bucket, Summary

#: Rows that a worksheet holds, its header among them.
LARGEST_SHEET: Final = 1_048_576
#: Lines that a workbook takes in all. More would be a file that no spreadsheet program opens in
#: the memory of an office computer.
LARGEST_BOOK: Final = 2_000_000
_DAY: Final = "dd/mm/yyyy"
_WIDEST_NAME: Final = 31


def check_fits(lines: int) -> None:
    """Raise ExportTooLarge where a workbook does not take so many lines."""
    if lines > LARGEST_BOOK:
        raise ExportTooLarge(lines, LARGEST_BOOK)


def write_book(
    names: tuple[str, dt.datetime],
    summary: Summary,
    columns: Columns,
    rows: Iterable[tuple[Cell, ...]],
    challenges: Sequence[Challenge],
    out: BinaryIO,
    scratch: Path | None,
) -> None:
    """The workbook of a run of that name and instant. Without `scratch` it is made in memory.

    Raises ExportTooLarge.
    """
    check_fits(summary.grand.lines)
    book = xlsxwriter.Workbook(
        out,
        {
            **_laid_by(scratch),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "use_zip64": summary.grand.lines >= LARGEST_SHEET,
        },
    )
    # Else the workbook would hold the time of its writing, and differ each time.
    run, created_at = names
    book.set_properties({"created": created_at.replace(tzinfo=None), "title": run})
    formats = {
        "header": book.add_format({"bold": True}),
        "text": book.add_format({"num_format": "@"}),
        "day": book.add_format({"num_format": _DAY}),
        "amount": book.add_format({"num_format": "#,##0.00######"}),
    }
    _write(book, formats, "Summary", _summary_sheet(summary))
    pages = {
        bucket.key: _pages(book, formats, bucket, tuple(columns)) for bucket in summary.by_outcome
    }
    at, counted = tuple(columns).index(OUTCOME), defaultdict[str, int](int)
    for row in rows:
        outcome = str(row[at])
        page, number = divmod(counted[outcome], LARGEST_SHEET - 1)
        counted[outcome] += 1
        _write_row(pages[outcome][page], formats, number + 1, row)
    _write(book, formats, "Challenges", challenges_sheet(challenges))
    book.close()


def _laid_by(scratch: Path | None) -> dict[str, object]:
    if scratch is None:
        return {"in_memory": True}
    return {"constant_memory": True, "tmpdir": str(scratch)}


def _pages(
    book: Any, formats: Mapping[str, Any], bucket: Bucket, header: tuple[str, ...]
) -> list[Any]:
    """The worksheets of an outcome, as many as its lines need."""
    return [
        _page(book, formats, name, header, lines)
        for name, lines in _parts(bucket.key.capitalize(), bucket.lines)
    ]


def _parts(name: str, lines: int) -> Iterator[tuple[str, int]]:
    most = LARGEST_SHEET - 1
    for number, start in enumerate(range(0, lines, most), 1):
        more = "" if number == 1 else f" ({number})"
        yield f"{name[: _WIDEST_NAME - len(more)]}{more}", min(most, lines - start)


def _write(book: Any, formats: Mapping[str, Any], name: str, sheet: Sheet) -> None:
    page = _page(book, formats, name, sheet.header, len(sheet.rows))
    for number, row in enumerate(sheet.rows, 1):
        _write_row(page, formats, number, row)


def _page(
    book: Any, formats: Mapping[str, Any], name: str, header: tuple[str, ...], lines: int
) -> Any:
    page = book.add_worksheet(name)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, lines, len(header) - 1)
    for column, text in enumerate(header):
        page.write_string(0, column, text, formats["header"])
        page.set_column(column, column, max(12, min(40, len(text) + 2)))
    return page


def _write_row(page: Any, formats: Mapping[str, Any], number: int, row: tuple[Cell, ...]) -> None:
    for column, cell in enumerate(row):
        _write_cell(page, formats, number, column, cell)


def _write_cell(page: Any, formats: Mapping[str, Any], row: int, column: int, cell: Cell) -> None:
    if cell is None:
        return
    if isinstance(cell, int):
        page.write_number(row, column, cell)
    elif isinstance(cell, Decimal):
        if _held_exactly(cell):
            page.write_number(row, column, float(cell), formats["amount"])
        else:
            page.write_string(row, column, exact(cell), formats["text"])
    elif isinstance(cell, dt.date):
        page.write_datetime(row, column, dt.datetime.combine(cell, dt.time()), formats["day"])
    else:
        page.write_string(row, column, safe_cell(cell)[:32_767], formats["text"])


@lru_cache(maxsize=4_096)
def _held_exactly(amount: Decimal) -> bool:
    """Whether a spreadsheet, which shows 15 digits, shows every digit of the amount."""
    digits = amount.normalize().as_tuple().digits
    return len(digits) <= 15 and abs(amount) < Decimal(10) ** 15


def _summary_sheet(summary: Summary) -> Sheet:
    rows: list[tuple[Cell, ...]] = [
        _bucket_row(name, bucket)
        for name, buckets in summary.breakdowns().items()
        for bucket in buckets
    ]
    rows += [
        (NOT_TESTED, key, None, None, None, amount, None) for key, amount in untested_rows(summary)
    ]
    header = tuple(name.upper() for name in CSV_HEADER)
    return Sheet(header, (*rows, _bucket_row("all", summary.grand)))


def _bucket_row(name: str, bucket: Bucket) -> tuple[Cell, ...]:
    counts = (bucket.lines, bucket.unreadable)
    return (name, bucket.key, *counts, bucket.total, bucket.accepted, bucket.queried)
