"""Sheets of cells out of an XLSX workbook that may be broken, huge or hostile. Pure.

Shared by the rooms that take workbooks in. Macros are never run, entities never resolved, nothing
outside the archive is read. What is checked is what is read: the checked parts are packed anew
before the reader of workbooks sees them, so that an archive whose directory lies gains nothing.
"""

import datetime as dt
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import IO

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

MOST_ENTRIES = 10_000
_CHUNK = 1 << 20
_LONGEST_TAG = 1 << 20  # between two "<": a cell holds at most 32,767 characters
_ADDRESS = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")
_CELL_TAG = re.compile(rb"<(?:[\w.-]+:)?c[\s/>]")
_ERROR = re.compile(rb"""(<(?:[\w.-]+:)?c\s[^<>]*?\bt\s*=\s*)(["'])e\2""")
_ROW_TAG = re.compile(rb"<(?:[\w.-]+:)?row[\s/>]")
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_PARTS = re.compile(r"(?:\[Content_Types\]|_rels/.*|xl/.*)\.(?:xml|rels)|_rels/\.rels", re.I)
_MACROS = re.compile(r"xl/(?:vbaProject\.bin|macrosheets/.*)", re.IGNORECASE)
#: Microsoft Office encrypts a workbook into a compound file with a stream of this name.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
COMPOUND = b"\xd0\xcf\x11\xe0"
BROKEN = (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError, EOFError,
          ValueError, zlib.error, UnicodeError)  # fmt: skip
#: A spreadsheet keeps 15 significant digits of a number. Further ones are noise of its binary form.
_DIGITS = 15


class WorkbookRefused(Exception):
    """The workbook is not read: `what` is wrong, `why`, and what to do `next`. No cell's text."""

    def __init__(self, what: str, why: str, next: str) -> None:
        super().__init__(f"{what}: {why}. {next}.")
        self.what = what
        self.why = why
        self.next = next


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be unpacked, in bytes, and how many cells a workbook may span."""

    unpacked: int
    cells: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A worksheet from its first filled cell on; every row is as wide as the widest."""

    name: str
    hidden: bool
    rows: tuple[tuple[object, ...], ...]


_AGAIN = "Open it where it was made, save it as XLSX and send that"


def sheets_of(data: bytes, bounds: Bounds) -> tuple[Sheet, ...]:
    """Every worksheet, hidden ones too. Raises WorkbookRefused."""
    if data.startswith(COMPOUND):
        raise _compound(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            checked = _checked(archive, bounds)
        return tuple(_sheets(checked))
    except (CalamineError, *BROKEN):
        raise WorkbookRefused(
            "The workbook cannot be read", "it is damaged, cut short or not XLSX", _AGAIN
        ) from None


def _compound(data: bytes) -> WorkbookRefused:
    if _ENCRYPTED in data:
        return WorkbookRefused(
            "The workbook is encrypted", "it opens only with a password", "Save it without one"
        )
    return WorkbookRefused("The file is not XLSX", "it is an old spreadsheet (XLS)", _AGAIN)


def _sheets(checked: bytes) -> Iterator[Sheet]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(checked))
    for each in book.sheets_metadata:
        if each.typ == SheetTypeEnum.WorkSheet:
            rows = book.get_sheet_by_name(each.name).to_python()
            hidden = each.visible != SheetVisibleEnum.Visible
            yield Sheet(each.name, hidden, tuple(tuple(row) for row in rows))


def _checked(archive: zipfile.ZipFile, bounds: Bounds) -> bytes:
    """The parts that hold sheets, packed anew after they were found whole and small enough."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if any(_MACROS.fullmatch(name) for name in names):
        raise WorkbookRefused("The workbook holds macros", "they are never run", _AGAIN)
    too_many = len(entries) > MOST_ENTRIES or len(set(names)) < len(names)
    if too_many or sum(entry.file_size for entry in entries) > bounds.unpacked:
        raise WorkbookRefused(
            "The workbook is too large",
            f"it is over {bounds.unpacked >> 20} MB unpacked, or has parts without end",
            "Split it, or send it as CSV",
        )
    out = io.BytesIO()
    cells = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for entry in entries:
            if _PARTS.fullmatch(entry.filename):
                is_sheet = _SHEET.fullmatch(entry.filename) is not None
                with archive.open(entry) as part, packed.open(entry.filename, "w") as copy:
                    cells += _copy(part, copy, is_sheet)
                _check_cells(cells, bounds)
    if "xl/workbook.xml" not in names:
        raise WorkbookRefused("The archive is not XLSX", "it holds no workbook", _AGAIN)
    return out.getvalue()


def _check_cells(cells: int, bounds: Bounds) -> None:
    if cells > bounds.cells:
        raise WorkbookRefused(
            "The workbook reaches too far",
            f"a sheet reaches over {bounds.cells:,} cells",
            "Delete what stands far out, or split it",
        )


def _copy(part: IO[bytes], copy: IO[bytes], is_sheet: bool) -> int:
    """Copy a part; for a sheet, the number of cells in the rectangle that its cells span."""
    extent = _Extent()
    for xml in _between_tags(part) if is_sheet else iter(lambda: part.read(_CHUNK), b""):
        if is_sheet:
            extent.look(xml)
        # The reader of workbooks makes an error such as #N/A an empty cell; as text it is kept.
        copy.write(_ERROR.sub(rb"\1\2str\2", xml) if is_sheet else xml)
    return extent.cells()


def _between_tags(part: IO[bytes]) -> Iterator[bytes]:
    """A part in stretches of about a megabyte, each cut in front of a tag."""
    rest = b""
    while chunk := part.read(_CHUNK):
        whole, cut, tail = (rest + chunk).rpartition(b"<")
        yield whole
        rest = cut + tail
        if len(rest) > _LONGEST_TAG:
            raise zipfile.BadZipFile("a sheet without tags")
    yield rest


class _Extent:
    """The far corner of the cells seen, whether or not they say where they stand."""

    def __init__(self) -> None:
        self.rows = self.columns = self.row_tags = self.in_row = self.widest = 0

    def look(self, xml: bytes) -> None:
        """Take in a stretch of a sheet's XML that ends between two tags."""
        if b"\0" in xml:
            raise zipfile.BadZipFile("not UTF-8")
        for letters, digits in _ADDRESS.findall(xml):
            column = 0
            for letter in letters.upper():
                column = column * 26 + letter - 64
            self.rows, self.columns = max(self.rows, int(digits)), max(self.columns, column)
        for number, row in enumerate(_ROW_TAG.split(xml)):
            self.row_tags += number > 0
            self.in_row = len(_CELL_TAG.findall(row)) + (0 if number else self.in_row)
            self.widest = max(self.widest, self.in_row)

    def cells(self) -> int:
        """Rows times columns. A cell without an address follows the one before it."""
        return (self.rows + self.row_tags) * max(self.columns, self.widest)


def cell_text(cell: object) -> str:
    """A cell as the text that was typed, never a guess.

    A number is written with the 15 significant digits that a spreadsheet keeps, in full. One too
    long for them has lost digits, and says so by its exponent. A date is its ISO text.
    """
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        return number_text(cell)
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)


def number_text(number: int | float) -> str:
    """A binary number as the decimal that was typed: 1234.5599999999999 is 1234.56."""
    if not -(10**_DIGITS) < number < 10**_DIGITS:
        return f"{float(number):.{_DIGITS - 1}E}"
    return f"{Decimal(f'{number:.{_DIGITS}g}'):f}" if number else "0"
