"""A run as a file to take away: XLSX workbook, CSV, Parquet or JSON. The same run, the same bytes.

Lines are written some at a time, so that a run of any size is written in the memory of these.
"""

import csv
import datetime as dt
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from app.reconciliation.challenge_model import Challenge
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.export_book import write_book
from app.reconciliation.export_table import Cell, Columns, Reader, challenges_sheet, columns_of
from app.reconciliation.model import MatchedLine
from app.reconciliation.report import exact, summary_figures
from app.reconciliation.returned import safe_cell
from app.reconciliation.summary import Summary

#: Rows of a Parquet file that are written together.
_TOGETHER: Final = 32_768


class ExportFormat(StrEnum):
    """The kinds of file that a run is exported as."""

    XLSX = "xlsx"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


class Written(StrEnum):
    """What the worker writes of a large run: the kinds of file, and the submission itself back.

    Of the safe one the cells that a spreadsheet would run are disarmed.
    """

    XLSX = "xlsx"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    RETURNED = "returned"
    RETURNED_SAFE = "returned-safe"


MEDIA_TYPES: Final[Mapping[ExportFormat, str]] = {
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
    ExportFormat.JSON: "application/json",
}


class ManyLines(Protocol):
    """Lines that are read where they lie, for they are too many to hold."""

    def some_at_a_time(self) -> Iterator[Sequence[MatchedLine]]:
        """Every line in the order of the file."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported of a run, and for whom: its lines in memory, or where they lie."""

    run: str
    created_at: dt.datetime
    summary: Summary
    matched: Sequence[MatchedLine] | ManyLines
    challenges: Sequence[Challenge]
    reader: Reader
    written: Progress = untold  # told how many lines are

    @property
    def lines(self) -> int:
        """How many there are."""
        return self.summary.grand.lines

    def some_at_a_time(self) -> Iterator[Sequence[MatchedLine]]:
        """Every line, in the order of the file."""
        if isinstance(self.matched, Sequence):
            yield self.matched
            return
        done = 0
        for some in self.matched.some_at_a_time():
            yield some
            done += len(some)
            self.written(done)


def export(content: Export, format: ExportFormat) -> bytes:
    """The file of a run whose lines are in memory. Raises ExportTooLarge."""
    out = io.BytesIO()
    _write(content, format, out, None)
    return out.getvalue()


def write_export(content: Export, format: ExportFormat, path: Path, scratch: Path) -> None:
    """The same written to a file; what a workbook is put together from lies in `scratch`."""
    with path.open("wb") as out:
        _write(content, format, out, scratch)


def _write(content: Export, format: ExportFormat, out: BinaryIO, scratch: Path | None) -> None:
    columns = columns_of(content.reader)
    rows = _rows(content.some_at_a_time(), columns)
    match format:
        case ExportFormat.XLSX:
            names = content.run, content.created_at
            write_book(names, content.summary, columns, rows, content.challenges, out, scratch)
        case ExportFormat.CSV:
            _csv(columns, rows, out)
        case ExportFormat.PARQUET:
            _parquet(columns, rows, out)
        case ExportFormat.JSON:
            _json(content, columns, rows, out)


Row = tuple[Cell, ...]


def _rows(some: Iterable[Sequence[MatchedLine]], columns: Columns) -> Iterator[Row]:
    cells = tuple(columns.values())
    for matched in some:
        for item in matched:
            yield tuple(cell(item) for cell in cells)


def _csv(columns: Columns, rows: Iterable[Row], out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(_plain(cell) or "") for cell in row])
    text.detach()


def _parquet(columns: Columns, rows: Iterable[Row], out: BinaryIO) -> None:
    """Days as days, the row as a number, and amounts as exact text."""
    types: dict[str, pa.DataType] = {"ROW": pa.int64(), "SUPPLY DATE": pa.date32()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        waiting: list[Row] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == _TOGETHER:
                writer.write_table(_table(schema, types, waiting))
                waiting = []
        writer.write_table(_table(schema, types, waiting))


def _table(schema: pa.Schema, types: Mapping[str, pa.DataType], rows: Sequence[Row]) -> pa.Table:
    held: dict[str, list[Any]] = {name: [] for name in schema.names}
    for row in rows:
        for name, cell in zip(schema.names, row, strict=True):
            held[name].append(cell if name in types else _plain(cell))
    return pa.table(held, schema=schema)


#: How what stands in a list is set in.
_SET_IN: Final = "\n  "


def _json(content: Export, columns: Columns, rows: Iterable[Row], out: BinaryIO) -> None:
    sheet = challenges_sheet(content.challenges)
    body = {
        "run": content.run,
        "summary": summary_figures(content.summary),
        "challenges": [_record(_names(sheet.header), row) for row in sheet.rows],
        "lines": [],
    }
    head = json.dumps(body, ensure_ascii=False, indent=1)
    out.write(head.removesuffix("]\n}").encode())
    names, between = _names(columns), ""
    for row in rows:
        told = json.dumps(_record(names, row), ensure_ascii=False, indent=1)
        out.write(f"{between}{_SET_IN}{told.replace(chr(10), _SET_IN)}".encode())
        between = ","
    out.write(("\n ]\n}" if between else "]\n}").encode())


def _names(header: Iterable[str]) -> list[str]:
    return [name.lower().replace(" ", "_") for name in header]


def _record(names: Sequence[str], row: Row) -> dict[str, object]:
    cells = (cell if isinstance(cell, int) else _plain(cell) for cell in row)
    return dict(zip(names, cells, strict=True))


def _plain(cell: Cell) -> str | None:
    """A cell as exact text."""
    if isinstance(cell, Decimal):
        return exact(cell)
    if isinstance(cell, dt.date):
        return cell.isoformat()
    return None if cell is None else str(cell)
