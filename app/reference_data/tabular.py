"""Bytes of an uploaded CSV file to rows of cells: file type, encoding, delimiter, quotation marks.

Pure, and shared by the rooms that take files in. Nothing is guessed beyond the encoding: UTF-8
with or without its mark, UTF-16 with its mark, otherwise Windows-1252. Every cell stays text, so
a cell that looks like a formula is only text.
"""

import codecs
import csv
import io

DELIMITERS = (",", ";", "\t", "|")
MAX_COLUMNS = 1000
MAX_CELL = 32_767  # what a spreadsheet cell can hold; longer means an unclosed quotation mark
MAX_LINES_PER_ROW = 50

_FOREIGN = (
    (b"PK\x03\x04", "a spreadsheet (XLSX) or a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (XLS) or document"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"7z\xbc\xaf", "a compressed file (7z)"),
    (b"Rar!", "a compressed file (RAR)"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"PAR1", "a Parquet file"),
    (b"{\\rtf", "a text document (RTF)"),
)
_SAVE_AS_CSV = "Open it where it was made, save it as CSV (UTF-8) and send that."
_SEND_AGAIN = "Export it again and send that."


class NotATable(Exception):
    """The bytes cannot be read as a CSV file. The message never holds a cell's content."""

    def __init__(self, what: str, why: str, mend: str) -> None:
        super().__init__(f"{what}: {why}. {mend}")
        self.what = what
        self.why = why
        self.mend = mend


def decode(data: bytes, max_bytes: int) -> tuple[str, str]:
    """The text and the name of its encoding; NotATable for anything that is not plain text."""
    _check_bytes(data, max_bytes)
    text, encoding = _decoded(data)
    if "\0" in text:
        raise NotATable(
            "The file holds NUL characters",
            "it is not plain text, or it is UTF-16 without its byte-order mark",
            _SAVE_AS_CSV,
        )
    if not text.strip():
        raise NotATable("The file is empty", "it holds no characters", _SEND_AGAIN)
    return text, encoding


def rows_of(text: str, delimiter: str) -> tuple[tuple[str, ...], ...]:
    """Every record as a tuple of cells, blank ones included, so that row numbers are a
    spreadsheet's own. Raises NotATable for a quotation mark that is not closed."""
    rows: list[tuple[str, ...]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    before = 0
    try:
        for cells in reader:
            _check_record(cells, len(rows) + 1, reader.line_num - before)
            before = reader.line_num
            rows.append(tuple(cells))
    except csv.Error as error:
        raise _unclosed(len(rows) + 1) from error
    _check_last_record(text, rows)
    return tuple(rows)


def _check_bytes(data: bytes, max_bytes: int) -> None:
    if not data:
        raise NotATable("The file is empty", "it holds no bytes", _SEND_AGAIN)
    if len(data) > max_bytes:
        raise NotATable(
            "The file is too large", f"it is over {max_bytes >> 20} MB", "Send it in parts."
        )
    for magic, what in _FOREIGN:
        if data.startswith(magic):
            raise NotATable("The file is not CSV", f"it is {what}", _SAVE_AS_CSV)


def _decoded(data: bytes) -> tuple[str, str]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16"), "utf-16"
        except UnicodeDecodeError as error:
            raise NotATable(
                "The file is damaged", "it begins as UTF-16 and then breaks its rules", _SEND_AGAIN
            ) from error
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode("utf-8"), "utf-8-sig" if len(body) < len(data) else "utf-8"
    except UnicodeDecodeError:
        # The five bytes that Windows-1252 leaves free become the control characters of the same
        # number, as browsers do it.
        text = body.decode("cp1252", errors="surrogateescape")
        return text.translate({0xDC00 + byte: byte for byte in range(0x80, 0xA0)}), "cp1252"


def _check_record(cells: list[str], row: int, lines: int) -> None:
    if len(cells) > MAX_COLUMNS:
        raise NotATable(
            f"Row {row} of the file has {len(cells)} cells",
            f"a row holds at most {MAX_COLUMNS}; the line breaks may be missing",
            _SAVE_AS_CSV,
        )
    if lines > MAX_LINES_PER_ROW or any(len(cell) > MAX_CELL for cell in cells):
        raise _unclosed(row)


def _check_last_record(text: str, rows: list[tuple[str, ...]]) -> None:
    """The csv module closes an open quotation mark silently at the end of the file; this tells.

    Without it, one stray mark near the end would swallow the rows that follow it.
    """
    if not rows or not any("\n" in cell or "\r" in cell for cell in rows[-1]):
        return
    if not text.rstrip("\r\n").endswith('"'):
        raise _unclosed(len(rows))


def _unclosed(row: int) -> NotATable:
    return NotATable(
        f"Row {row} of the file does not end",
        "a quotation mark is opened and not closed, or a cell is far too long",
        "Mend that row where the file was made and send it again.",
    )
