"""Where the lines of a file stand: its kind (text, XLSX, Parquet), its sheet, its header row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.reconciliation.decode import (
    DELIMITERS,
    MAX_BYTES,
    SAMPLE,
    check_first_line,
    check_size,
    records,
    sample_rows,
    text_file,
)
from app.reconciliation.errors import UnreadableSubmission
from app.reconciliation.layouts import Header, recognise_header
from app.reconciliation.parquet_rows import MOST_CELLS, open_parquet
from app.reconciliation.parse import clean
from app.reconciliation.source import Source
from app.workbooks import COMPOUND, Bounds, Sheet, WorkbookRefused, cell_text, sheets_of

HEADER_WITHIN = 20  # rows of title that may stand above the header
#: About 100,000 lines of 60 columns: their cells and their XML fit in a gigabyte of memory.
BOUNDS = Bounds(unpacked=512 << 20, cells=6_000_000)

Rows = Sequence[tuple[str, ...]]


class FileKind(StrEnum):
    """What a file is by its first bytes; the value is what the returned file calls it."""

    TEXT = "text (CSV)"
    XLSX = "a spreadsheet (XLSX)"
    PARQUET = "a Parquet file"


_BY_ENDING = {
    "csv": FileKind.TEXT,
    "tsv": FileKind.TEXT,
    "txt": FileKind.TEXT,
    "xlsx": FileKind.XLSX,
    "parquet": FileKind.PARQUET,
}
#: In place of a text's encoding, for a file that is no text.
XLSX, PARQUET = "xlsx", "parquet"


@dataclass(frozen=True, slots=True)
class Most:
    """The largest file that is read. A text or a Parquet file is read as a stream, a workbook
    within BOUNDS."""

    bytes: int = MAX_BYTES
    cells: int = MOST_CELLS


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a file from its first on, where its header stands and what it says.

    `rows` is gone through once. `encoding` is `xlsx` or `parquet` where the file is no text; it
    then has no delimiter.
    """

    rows: Iterable[tuple[str, ...]]
    position: int
    header: Header
    encoding: str
    delimiter: str = ""
    notes: tuple[str, ...] = ()


def find_table(
    source: Source, file_name: str, reference_headers: Sequence[str], most: Most
) -> Found:
    """The one table of lines in a file. Raises UnreadableSubmission, also while rows are read."""
    check_size(source.size, most.bytes)
    kind = _kind(source.head(8))
    _check_name(file_name, kind)
    if kind is FileKind.XLSX:
        return _in_workbook(source.read(), reference_headers)
    if kind is FileKind.PARQUET:
        names, rows = open_parquet(source, most.cells)
        return Found(rows, 0, _usable(recognise_header(names, reference_headers)), PARQUET)
    return _in_text(source, reference_headers, most)


def is_packed(data: bytes) -> bool:
    """Whether a file holds many more lines than a text of its size."""
    return _kind(data[:8]) is not FileKind.TEXT


def _kind(head: bytes) -> FileKind:
    if head.startswith((b"PK\x03\x04", COMPOUND)):
        return FileKind.XLSX
    return FileKind.PARQUET if head.startswith(b"PAR1") else FileKind.TEXT


def _check_name(file_name: str, kind: FileKind) -> None:
    """A file that is named for another kind was packed or renamed by mistake, or to deceive."""
    named = _BY_ENDING.get(file_name.rpartition(".")[2].lower())
    if named is not None and named is not kind:
        raise UnreadableSubmission(
            "The file is not what its name says",
            f"it is named as {named} and holds {kind}",
            "Name it by what it is, or save it as CSV, XLSX or Parquet, and send that",
        )


# --- text -----------------------------------------------------------------------------------------


def _in_text(source: Source, reference_headers: Sequence[str], most: Most) -> Found:
    text = text_file(source, most.bytes)
    head = text.head(SAMPLE)
    delimiter, position, header = max(
        (
            (delimiter, *_header_in(sample_rows(head, delimiter, HEADER_WITHIN), reference_headers))
            for delimiter in DELIMITERS
        ),
        key=lambda found: found[2].recognised,
    )
    if not _is_usable(header):
        check_first_line(head)
    _usable(header)
    cp1252 = text.encoding == "cp1252"
    notes = ("The file is not UTF-8 and was read as Windows-1252.",) if cp1252 else ()
    rows = records(text.lines(), delimiter, ends_quoted=text.ends_quoted)
    return Found(rows, position, header, text.encoding, delimiter, notes)


def _header_in(rows: Rows, reference_headers: Sequence[str]) -> tuple[int, Header]:
    """The row in which most column names are known, the first of equals."""
    found = [
        (position, recognise_header(cells, reference_headers))
        for position, cells in enumerate(rows[:HEADER_WITHIN])
    ]
    return max(found, key=lambda each: each[1].recognised, default=(0, Header("", {}, 0)))


def _is_usable(header: Header) -> bool:
    return header.recognised >= 2


def _usable(header: Header) -> Header:
    if not _is_usable(header):
        raise UnreadableSubmission(
            "No header was recognised",
            f"none of the first {HEADER_WITHIN} rows holds column names of the DrPLCM layout",
            "Put the data dictionary's element names in the first row and send the file again",
        )
    if not header.usable:
        lacks = " and ".join(header.missing()) or "enough known columns"
        raise UnreadableSubmission(
            "The header is incomplete",
            f"it has no column for {lacks}",
            "Add the column under its data dictionary name and send the file again",
        )
    return header


# --- workbooks ------------------------------------------------------------------------------------


def _in_workbook(data: bytes, reference_headers: Sequence[str]) -> Found:
    """The one sheet with a recognised header; two such sheets are an error, never a choice."""
    try:
        sheets = sheets_of(data, BOUNDS)
    except WorkbookRefused as refused:
        raise UnreadableSubmission(refused.what, refused.why, refused.next) from None
    found = [(sheet, *_header_in(_as_text(sheet), reference_headers)) for sheet in sheets]
    if not found:
        raise UnreadableSubmission(
            "The workbook holds no worksheet", "it has no cells to read", "Save it with its lines"
        )
    usable = [each for each in found if each[2].usable]
    if len(usable) > 1:
        raise UnreadableSubmission(
            f"{len(usable)} sheets of the workbook hold lines",
            f"each has a header of the layout: {_named([sheet for sheet, _, _ in usable])}",
            "Keep one of them, or send each as a file of its own",
        )
    sheet, position, header = max(usable or found, key=lambda each: each[2].recognised)
    _usable(header)
    notes = _notes(sheet, [other for other in sheets if other is not sheet])
    return Found(_squared(_as_text(sheet, None), position), position, header, XLSX, notes=notes)


def _as_text(sheet: Sheet, most: int | None = HEADER_WITHIN) -> list[tuple[str, ...]]:
    return [tuple(map(cell_text, row)) for row in sheet.rows[:most]]


def _named(sheets: Sequence[Sheet]) -> str:
    return ", ".join(f"“{sheet.name}”{' (hidden)' if sheet.hidden else ''}" for sheet in sheets)


def _notes(read: Sheet, others: Sequence[Sheet]) -> tuple[str, ...]:
    notes = [f"The sheet that was read is hidden: {_named([read])}."] if read.hidden else []
    filled = [sheet for sheet in others if sheet.rows]
    if filled:
        notes.append(f"Sheets without a header of the layout were not read: {_named(filled)}.")
    return tuple(notes)


def _squared(rows: Rows, position: int) -> Rows:
    """A sheet's rows as wide as the header; one that is filled beyond it keeps its cells."""
    header = rows[position]
    width = max((i + 1 for i, cell in enumerate(header) if clean(cell)), default=0)
    return [row if any(map(clean, row[width:])) and n > position else row[:width]
            for n, row in enumerate(rows)]  # fmt: skip
