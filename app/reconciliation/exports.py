"""A run as a file to take away: XLSX workbook, CSV, Parquet or JSON. The same run, the same bytes.

A spreadsheet must change no number and run no cell: every text is written as text (an NHS number
keeps its digits), and one that begins as a formula gets an apostrophe in front. An amount is
written as a number where a spreadsheet holds it exactly, and as text where it does not.
"""

import csv
import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from app.reconciliation.challenge_model import Challenge
from app.reconciliation.errors import ExportTooLarge
from app.reconciliation.export_table import OUTCOME, Cell, Reader, Sheet, lines_sheet
from app.reconciliation.model import LineOutcome, MatchedLine
from app.reconciliation.report import CSV_HEADER, exact, summary_figures
from app.reconciliation.returned import safe_cell
from app.reconciliation.summary import Bucket, Summary

#: Rows that a worksheet holds, its header among them.
LARGEST_SHEET: Final = 1_048_576
_DAY: Final = "dd/mm/yyyy"
_CHALLENGES: Final = (
    "CHALLENGE", "STATE", "PROVIDER", "OUTCOME", "DRUG", "MONTH", "LINES", "QUERIED", "UPHELD",
    "RESPOND BY", "CREDIT REFERENCE",
)  # fmt: skip


class ExportFormat(StrEnum):
    """The kinds of file that a run is exported as."""

    XLSX = "xlsx"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


MEDIA_TYPES: Final[Mapping[ExportFormat, str]] = {
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
    ExportFormat.JSON: "application/json",
}


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported of a run, and for whom."""

    run: str
    created_at: dt.datetime
    summary: Summary
    matched: Sequence[MatchedLine]
    challenges: Sequence[Challenge]
    reader: Reader


def export(content: Export, format: ExportFormat) -> bytes:
    """The file. Raises ExportTooLarge where a worksheet cannot hold the lines."""
    lines = lines_sheet(content.matched, content.reader)
    match format:
        case ExportFormat.XLSX:
            return _workbook(content, lines)
        case ExportFormat.CSV:
            return _csv(lines)
        case ExportFormat.PARQUET:
            return _parquet(lines)
        case ExportFormat.JSON:
            return _json(content, lines)


def _csv(lines: Sheet) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(lines.header)
    writer.writerows([safe_cell(_plain(cell) or "") for cell in row] for row in lines.rows)
    return out.getvalue().encode("utf-8-sig")


def _parquet(lines: Sheet) -> bytes:
    """Days as days, the row as a number, and amounts as exact text."""
    types: dict[str, pa.DataType] = {"ROW": pa.int64(), "SUPPLY DATE": pa.date32()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in lines.header])
    columns: dict[str, list[Any]] = {name: [] for name in lines.header}
    for row in lines.rows:
        for name, cell in zip(lines.header, row, strict=True):
            columns[name].append(cell if name in types else _plain(cell))
    out = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), out, compression="zstd")
    return out.getvalue()


def _json(content: Export, lines: Sheet) -> bytes:
    names = [name.lower().replace(" ", "_") for name in lines.header]
    body = {
        "run": content.run,
        "summary": summary_figures(content.summary),
        "challenges": _records(_challenges_sheet(content.challenges)),
        "lines": [dict(zip(names, _values(row), strict=True)) for row in lines.rows],
    }
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


def _records(sheet: Sheet) -> list[dict[str, object]]:
    names = [name.lower().replace(" ", "_") for name in sheet.header]
    return [dict(zip(names, _values(row), strict=True)) for row in sheet.rows]


def _values(row: tuple[Cell, ...]) -> list[object]:
    return [cell if isinstance(cell, int) else _plain(cell) for cell in row]


def _plain(cell: Cell) -> str | None:
    """A cell as exact text."""
    if isinstance(cell, Decimal):
        return exact(cell)
    if isinstance(cell, dt.date):
        return cell.isoformat()
    return None if cell is None else str(cell)


def _workbook(content: Export, lines: Sheet) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    # Else the workbook would hold the time of its writing, and differ each time.
    book.set_properties({"created": content.created_at.replace(tzinfo=None), "title": content.run})
    formats = {
        "header": book.add_format({"bold": True}),
        "text": book.add_format({"num_format": "@"}),
        "day": book.add_format({"num_format": _DAY}),
        "amount": book.add_format({"num_format": "#,##0.00######"}),
    }
    _write(book, formats, "Summary", _summary_sheet(content.summary))
    for outcome in LineOutcome:
        rows = tuple(row for row in lines.rows if row[lines.header.index(OUTCOME)] == outcome)
        if rows:
            _write(book, formats, outcome.value.capitalize()[:31], Sheet(lines.header, rows))
    _write(book, formats, "Challenges", _challenges_sheet(content.challenges))
    book.close()
    return out.getvalue()


def _write(book: Any, formats: Mapping[str, Any], name: str, sheet: Sheet) -> None:
    if len(sheet.rows) >= LARGEST_SHEET:
        raise ExportTooLarge(len(sheet.rows))
    page = book.add_worksheet(name)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, len(sheet.rows), len(sheet.header) - 1)
    for column, text in enumerate(sheet.header):
        page.write_string(0, column, text, formats["header"])
        page.set_column(column, column, max(12, min(40, len(text) + 2)))
    for number, row in enumerate(sheet.rows, 1):
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


def _held_exactly(amount: Decimal) -> bool:
    """Whether a spreadsheet, which shows 15 digits, shows every digit of the amount."""
    digits = amount.normalize().as_tuple().digits
    return len(digits) <= 15 and abs(amount) < Decimal(10) ** 15


def _summary_sheet(summary: Summary) -> Sheet:
    rows = [
        _bucket_row(name, bucket)
        for name, buckets in summary.breakdowns().items()
        for bucket in buckets
    ]
    header = tuple(name.upper() for name in CSV_HEADER)
    return Sheet(header, (*rows, _bucket_row("all", summary.grand)))


def _bucket_row(name: str, bucket: Bucket) -> tuple[Cell, ...]:
    counts = (bucket.lines, bucket.unreadable)
    return (name, bucket.key, *counts, bucket.total, bucket.accepted, bucket.queried)


def _challenges_sheet(challenges: Sequence[Challenge]) -> Sheet:
    rows = tuple(
        (
            each.id,
            each.state.value,
            each.provider,
            each.outcome.value,
            each.drug,
            each.month,
            each.lines,
            each.queried,
            each.upheld,
            each.respond_by,
            each.credit_reference,
        )
        for each in challenges
    )
    return Sheet(_CHALLENGES, rows)
