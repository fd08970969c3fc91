"""Bytes to rows of cells: encoding, delimiter, quotation marks. Raises UnreadableSubmission."""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import BinaryIO, cast

from app.reconciliation.errors import SubmissionTooLarge, UnreadableSubmission
from app.reconciliation.source import Source, in_memory

MAX_BYTES = 1 << 30
MAX_COLUMNS = 1000
MAX_CELL = 32_767  # what a spreadsheet cell can hold; longer means an unclosed quotation mark
MAX_LINES_PER_ROW = 50
MAX_LINE = MAX_COLUMNS * MAX_CELL  # characters: whatever is longer holds no row
DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 131_072  # characters in which the header must stand
CP1252 = "cp1252"
_BLOCK = 1 << 20

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


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text where it lies: its encoding, and whether it ends in a quotation mark."""

    source: Source
    encoding: str
    ends_quoted: bool

    def head(self, count: int) -> str:
        """Its first characters."""
        with _opened(self.source, self.encoding) as text:
            return self._mend(text.read(count))

    def lines(self) -> Iterator[str]:
        """Its lines with their breaks, one at a time; none longer than a row may be is held."""
        with _opened(self.source, self.encoding) as text:
            for line in iter(partial(text.readline, MAX_LINE + 1), ""):
                if len(line) > MAX_LINE:
                    raise _endless()
                yield _mended(line) if self.encoding == CP1252 else line

    def whole(self) -> str:
        """All of it: only where it is known to be small."""
        with _opened(self.source, self.encoding) as text:
            return self._mend(text.read())

    def _mend(self, text: str) -> str:
        return _mended(text) if self.encoding == CP1252 else text


def text_file(source: Source, most: int = MAX_BYTES) -> TextFile:
    """UTF-8, UTF-16 with its mark, otherwise Windows-1252; told in one pass over the bytes.

    Every byte of Windows-1252 maps to one character and back, so nothing is lost or replaced.
    """
    check_size(source.size, most)
    head = source.head(16)
    _check_magic(head)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return _scanned(source, "utf-16")
        except UnicodeDecodeError as error:
            raise UnreadableSubmission(
                "The file is damaged",
                "it begins as UTF-16 and then breaks its rules",
                "Send it again, as CSV (UTF-8)",
            ) from error
    try:
        return _scanned(source, "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8")
    except UnicodeDecodeError:
        return _scanned(source, CP1252)


def decode(data: bytes) -> tuple[str, str]:
    """The whole text of a small file and the name of its encoding, as `text_file` tells it."""
    found = text_file(in_memory(data))
    return found.whole(), found.encoding


def _opened(source: Source, encoding: str) -> io.TextIOWrapper:
    file = source.open()
    if encoding in ("utf-8-sig", CP1252) and file.read(3) != codecs.BOM_UTF8:
        file.seek(0)
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    errors = "surrogateescape" if encoding == CP1252 else "strict"
    return io.TextIOWrapper(cast(BinaryIO, file), codec, errors, newline="")


# The five bytes that Windows-1252 leaves free become the control characters of the same number, as
# browsers do it.
_FREE = {0xDC00 + byte: byte for byte in range(0x80, 0xA0)}


def _mended(text: str) -> str:
    return text if text.isascii() else text.translate(_FREE)


def _scanned(source: Source, encoding: str) -> TextFile:
    nul = filled = False
    last = ""
    with _opened(source, encoding) as text:
        while block := text.read(_BLOCK):
            nul = nul or "\0" in block
            filled = filled or bool(block.strip())
            last = block.rstrip("\r\n")[-1:] or last
    if nul:
        raise UnreadableSubmission(
            "The file holds NUL characters",
            "it is not plain text, or it is UTF-16 without its byte-order mark",
            _SAVE_AS_CSV,
        )
    if not filled:
        raise UnreadableSubmission("The file is empty", "it holds no characters", "Send it again")
    return TextFile(source, encoding, last == '"')


def _check_magic(head: bytes) -> None:
    if not head:
        raise UnreadableSubmission("The file is empty", "it holds no bytes", "Send it again")
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise UnreadableSubmission("The file is not CSV", f"it is {what}", _SAVE_AS_CSV)


def check_size(size: int, most: int = MAX_BYTES) -> None:
    """Raise SubmissionTooLarge for a file of over `most` bytes, before or after it was read."""
    if size > most:
        raise SubmissionTooLarge(
            "The file is too large",
            f"it is over {most >> 20} MB",
            "Send each month as a file of its own",
        )


def encode(text: str, encoding: str) -> bytes:
    """Text back into the bytes of the encoding that `decode` named."""
    if encoding != CP1252:
        return text.encode(encoding)
    free = {byte: 0xDC00 + byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
    return text.translate(free).encode(CP1252, errors="surrogateescape")


def encoder(encoding: str) -> Callable[[str], bytes]:
    """Encodes a text part by part, as `encode` does the whole: a mark stands once, at its start."""
    if encoding == CP1252:
        return partial(encode, encoding=CP1252)
    return codecs.getincrementalencoder(encoding)().encode


def rows_of(text: str, delimiter: str) -> list[tuple[str, ...]]:
    """Every record of the text as a tuple of cells. Line breaks inside quotation marks are kept."""
    lines = io.StringIO(text, newline="")
    return list(records(lines, delimiter, ends_quoted=text.rstrip("\r\n").endswith('"')))


def records(
    lines: Iterable[str], delimiter: str, *, ends_quoted: bool
) -> Iterator[tuple[str, ...]]:
    """The records of a text one at a time; what is wrong with the text is told where it stands."""
    # The limit on a cell is the csv module's own and global: it is left as it is, and a lower
    # limit is checked here.
    reader = csv.reader(lines, delimiter=delimiter)
    count = before = 0
    last: tuple[str, ...] = ()
    try:
        for cells in reader:
            count += 1
            _check_record(cells, count, reader.line_num - before)
            before = reader.line_num
            last = tuple(cells)
            yield last
    except csv.Error as error:
        one_line = reader.line_num - before <= 1
        raise (_long_cell if one_line else _unclosed)(count + 1) from error
    # The csv module closes an open quotation mark silently at the end of the file; this tells.
    # Without it, one stray mark near the end would swallow the lines that follow it.
    if any("\n" in cell or "\r" in cell for cell in last) and not ends_quoted:
        raise _unclosed(count)


def sample_rows(text: str, delimiter: str, count: int) -> list[tuple[str, ...]]:
    """The first rows under this delimiter, for recognising the header; empty where it misfits."""
    sample = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [tuple(cells) for cells in islice(sample, count)]
    except csv.Error:
        return []


def _check_record(cells: list[str], row: int, lines: int) -> None:
    if len(cells) > MAX_COLUMNS:
        raise UnreadableSubmission(
            f"Row {row} of the file has {len(cells)} cells",
            f"a row holds at most {MAX_COLUMNS}; the line breaks may be missing",
            _SAVE_AS_CSV,
        )
    too_long = sum(map(len, cells)) > MAX_CELL and max(map(len, cells)) > MAX_CELL
    if lines > MAX_LINES_PER_ROW or (too_long and lines > 1):
        raise _unclosed(row)
    if too_long:
        raise _long_cell(row)


def check_first_line(head: str) -> None:
    """Raise UnreadableSubmission where a file's first characters hold no whole line."""
    if len(head) >= SAMPLE and not any(each in head for each in "\r\n"):
        raise UnreadableSubmission(
            f"The first line of the file does not end within {SAMPLE:,} characters",
            "the line breaks are missing, or it is no table at all",
            _SAVE_AS_CSV,
        )


def _endless() -> UnreadableSubmission:
    return UnreadableSubmission(
        f"A row of the file has over {MAX_LINE:,} characters",
        "the line breaks may be missing",
        _SAVE_AS_CSV,
    )


def _unclosed(row: int) -> UnreadableSubmission:
    return UnreadableSubmission(
        f"Row {row} of the file does not end",
        "a quotation mark is opened and not closed",
        "Mend that row where the file was made and send it again",
    )


def _long_cell(row: int) -> UnreadableSubmission:
    return UnreadableSubmission(
        f"A cell of row {row} of the file has over {MAX_CELL:,} characters",
        "no spreadsheet cell holds more: separators or line breaks may be missing there",
        "Mend that row where the file was made and send it again",
    )
