"""Rows of cells out of a CSV, XLSX or DOCX that may be broken, huge or hostile.

Only words are read: macros are never run, entities never resolved, and no more is unpacked or laid
out than a form could need.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from app.authoring.errors import BenchRefused
from app.workbooks import BROKEN, Bounds, WorkbookRefused, sheets_of

MOST_XML = 20 * 1024 * 1024
BOUNDS = Bounds(unpacked=100 * 1024 * 1024, cells=2_000_000)
BULLET = "•"
NUMBERED = re.compile(  # "2. Text", "(2) Text", "2 Text"; not "2 mg", nor "2 or more relapses"
    r"^\(?(\d{1,2})(?:[.):]\s+|\s+(?!(?:or|to|and|out|of)\b))(?=\S)"
    r"(?!(?:mg|g|kg|ml|weeks?|months?|years?|%)\b)"
)
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def rows_of(data: bytes, file: str) -> list[list[str]]:
    """The rows of a file's cells. Raises BenchRefused where it is no CSV, XLSX or DOCX."""
    lowered = file.lower()
    if lowered.endswith(".xlsx"):
        return _xlsx_rows(data, file)
    if lowered.endswith(".docx"):
        return _docx_rows(data, file)
    if lowered.endswith(".csv"):
        return _csv_rows(data, file)
    if lowered.endswith((".docm", ".xlsm")):
        raise BenchRefused(f"{file}: it may hold macros. Save it as .docx or .xlsx, without them.")
    raise BenchRefused(f"{file}: a form comes as .csv, .xlsx or .docx. Save it as one of them.")


def _clean(cell: object) -> str:
    text = "" if cell is None else str(cell)
    text = "".join(c for c in text.replace("\xa0", " ") if c in "\n\t" or c.isprintable())
    return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()


def _csv_rows(data: bytes, file: str) -> list[list[str]]:
    text = _decoded(data)
    if text is None or "\0" in text:
        raise BenchRefused(f"{file}: not readable as text. Save it as CSV in UTF-8.")
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        raise BenchRefused(f"{file}: not readable as CSV. Save it again as CSV.") from None
    return [[_clean(cell) for cell in row] for row in rows]


def _decoded(data: bytes) -> str | None:
    """UTF-16 where its mark stands first, as spreadsheets write it; else UTF-8, else Windows."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _xlsx_rows(data: bytes, file: str) -> list[list[str]]:
    try:
        sheets = sheets_of(data, BOUNDS)
    except WorkbookRefused as refused:
        raise BenchRefused(f"{file}: {refused}") from None
    return [[_whole(cell) for cell in row] for sheet in sheets for row in sheet.rows]


def _whole(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else _clean(cell)


def _docx_rows(data: bytes, file: str) -> list[list[str]]:
    unreadable = BenchRefused(f"{file}: not readable as DOCX. Open it and save it again.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo("word/document.xml").file_size > MOST_XML:
                raise BenchRefused(f"{file}: the document is over 20 MB unpacked. Shorten it.")
            xml = archive.read("word/document.xml")
    except BROKEN:
        raise unreadable from None
    try:
        _check_no_entities(xml, file)
        body = ElementTree.fromstring(xml).find(f"{_WORD}body")
    except (ElementTree.ParseError, expat.ExpatError, LookupError, ValueError):
        raise unreadable from None
    if body is None:
        raise unreadable
    return list(_docx_body(body))


def _check_no_entities(xml: bytes, file: str) -> None:
    """Refuse a document type in whatever encoding, before any entity of it could be read."""

    def refuse(*_: object) -> NoReturn:
        raise BenchRefused(f"{file}: holds XML entities, which no form needs. Save it again.")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(xml, True)


def _docx_body(body: ElementTree.Element) -> Iterator[list[str]]:
    for child in body:
        if child.tag == f"{_WORD}p":
            yield [_paragraph(child)]
        elif child.tag == f"{_WORD}tbl":
            for row in child.iter(f"{_WORD}tr"):
                cells = row.findall(f"{_WORD}tc")
                yield ["\n".join(_paragraph(p) for p in c.iter(f"{_WORD}p")) for c in cells]


def _paragraph(paragraph: ElementTree.Element) -> str:
    text = "".join(
        (node.text or "") if node.tag == f"{_WORD}t" else "\n" if node.tag == f"{_WORD}br" else ""
        for node in paragraph.iter()
    )
    listed = paragraph.find(f"{_WORD}pPr/{_WORD}numPr") is not None
    cleaned = _clean(text)
    is_bullet = listed and cleaned and not NUMBERED.match(cleaned)
    return f"{BULLET} {cleaned}" if is_bullet else cleaned
