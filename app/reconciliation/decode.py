"""Bytes to rows of cells: encoding, delimiter, quotation marks. Raises UnreadableSubmission."""

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice

from app.reconciliation.errors import SubmissionTooLarge, UnreadableSubmission

MAX_BYTES = 1 << 30
MAX_COLUMNS = 1000
MAX_CELL = 32_767  # what a spreadsheet cell can hold; longer means an unclosed quotation mark
MAX_LINES_PER_ROW = 50
DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 16_384

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
    (b"PARE", "an encrypted Parquet file"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"<html", "a web page"),
    (b"<!DOCTYPE", "a web page"),
    (b"<?xml", "XML"),
)
_SAVE_AS_CSV = "Open it where it was made, save it as CSV (UTF-8) and send that"


def decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding. UTF-8, UTF-16 with its mark, otherwise Windows-1252.

    Every byte of Windows-1252 maps to one character and back, so nothing is lost or replaced.
    """
    _check_bytes(data)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text, encoding = _utf16(data), "utf-16"
    else:
        text, encoding = _eight_bit(data)
    if "\0" in text:
        raise UnreadableSubmission(
            "The file holds NUL characters",
            "it is not plain text, or it is UTF-16 without its byte-order mark",
            _SAVE_AS_CSV,
        )
    if not text.strip():
        raise UnreadableSubmission("The file is empty", "it holds no characters", "Send it again")
    return text, encoding


def _check_bytes(data: bytes) -> None:
    if not data:
        raise UnreadableSubmission("The file is empty", "it holds no bytes", "Send it again")
    check_size(len(data))
    for magic, what in _FOREIGN:
        if data.startswith(magic):
            raise UnreadableSubmission("The file is not CSV", f"it is {what}", _SAVE_AS_CSV)


def check_size(size: int) -> None:
    """Raise SubmissionTooLarge for a file of over MAX_BYTES, before or after it was read."""
    if size > MAX_BYTES:
        raise SubmissionTooLarge(
            "The file is too large",
            f"it is over {MAX_BYTES >> 20} MB",
            "Send each month as a file of its own",
        )


def _utf16(data: bytes) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise UnreadableSubmission(
            "The file is damaged",
            "it begins as UTF-16 and then breaks its rules",
            "Send it again, as CSV (UTF-8)",
        ) from error


def _eight_bit(data: bytes) -> tuple[str, str]:
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode("utf-8"), "utf-8-sig" if len(body) < len(data) else "utf-8"
    except UnicodeDecodeError:
        # The five bytes that Windows-1252 leaves free become the control characters of the same
        # number, as browsers do it.
        text = body.decode("cp1252", errors="surrogateescape")
        return text.translate({0xDC00 + byte: byte for byte in range(0x80, 0xA0)}), "cp1252"


def encode(text: str, encoding: str) -> bytes:
    """Text back into the bytes of the encoding that `decode` named."""
    if encoding != "cp1252":
        return text.encode(encoding)
    free = {byte: 0xDC00 + byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
    return text.translate(free).encode("cp1252", errors="surrogateescape")


def rows_of(text: str, delimiter: str) -> list[tuple[str, ...]]:
    """Every record of the text as a tuple of cells. Line breaks inside quotation marks are kept."""
    rows: list[tuple[str, ...]] = []
    reader = _reader(text, delimiter)
    before = 0
    try:
        for cells in reader:
            _check_record(cells, len(rows) + 1, reader.line_num - before)
            before = reader.line_num
            rows.append(tuple(cells))
    except csv.Error as error:
        raise _unclosed(len(rows) + 1) from error
    _check_last_record(text, rows)
    return rows


def sample_rows(text: str, delimiter: str, count: int) -> list[tuple[str, ...]]:
    """The first rows under this delimiter, for recognising the header; empty where it misfits."""
    sample = _reader(text[: _SAMPLE * 8], delimiter)
    try:
        return [tuple(cells) for cells in islice(sample, count)]
    except csv.Error:
        return []


class _CountingReader:
    """csv.reader with its line count, typed."""

    def __init__(self, text: str, delimiter: str) -> None:
        # The limit on a cell is the csv module's own and global: it is left as it is, and a lower
        # limit is checked here.
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    def __iter__(self) -> Iterator[list[str]]:
        return self._reader

    @property
    def line_num(self) -> int:
        return self._reader.line_num


def _reader(text: str, delimiter: str) -> _CountingReader:
    return _CountingReader(text, delimiter)


def _check_record(cells: list[str], row: int, lines: int) -> None:
    if len(cells) > MAX_COLUMNS:
        raise UnreadableSubmission(
            f"Row {row} of the file has {len(cells)} cells",
            f"a row holds at most {MAX_COLUMNS}; the line breaks may be missing",
            _SAVE_AS_CSV,
        )
    too_long = sum(map(len, cells)) > MAX_CELL and max(map(len, cells)) > MAX_CELL
    if lines > MAX_LINES_PER_ROW or too_long:
        raise _unclosed(row)


def _check_last_record(text: str, rows: list[tuple[str, ...]]) -> None:
    """The csv module closes an open quotation mark silently at the end of the file; this tells.

    Without it, one stray mark near the end would swallow the lines that follow it.
    """
    if not rows or not any("\n" in cell or "\r" in cell for cell in rows[-1]):
        return
    if not text.rstrip("\r\n").endswith('"'):
        raise _unclosed(len(rows))


def _unclosed(row: int) -> UnreadableSubmission:
    return UnreadableSubmission(
        f"Row {row} of the file does not end",
        "a quotation mark is opened and not closed, or a cell is far too long",
        "Mend that row where the file was made and send it again",
    )
