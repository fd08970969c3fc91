"""Reads plain yes/no forms out of CSV, XLSX or DOCX: title, appraisal, numbered statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.authoring.errors import BenchRefused
from app.authoring.forms.headings import Phase, phase_of_heading, phase_of_title
from app.authoring.forms.rows import BULLET, NUMBERED, rows_of

MOST_ROWS = 20_000
_TA = re.compile(r"\b(?:NICE\s+)?(TA|HST|SSC)\s?(\d{1,4})\b", re.I)
_MARK = re.compile(r"^\s*(?:[•●▪◦‣·*–—-]|o(?=\s)|\(?[a-h][.)](?=\s)|\(?[ivx]{1,4}[.)](?=\s))\s*")
_BOX = re.compile(r"\s*(?:\byes\b[\s/|☐□]*\bno\b[\s☐□]*|☐|□|\[\s?\])\s*", re.I)
_HEADERS = {
    "title": {"title", "form", "form title", "form name"},
    "ta": {"ta", "appraisal", "nice ta", "guidance"},
    "number": {"no", "no.", "number", "statement no", "statement_no", "#"},
    "statement": {"statement", "criterion", "criteria", "question", "text"},
    "section": {"section", "phase", "stage", "heading"},
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it stands: position, the number printed beside it, text and bullets.

    `under` is the phase that its heading, or else the form's title, says.
    """

    position: int
    printed: str | None
    text: str
    bullets: tuple[str, ...] = ()
    box: bool = True
    under: Phase | None = None


@dataclass(frozen=True, slots=True)
class PlainForm:
    """A form as it was read."""

    title: str
    appraisal: str | None
    statements: tuple[Statement, ...]
    file: str


def read_forms(data: bytes, file: str) -> tuple[PlainForm, ...]:
    """Every form of a file. Raises BenchRefused where it is no CSV, XLSX or DOCX, or has none."""
    kept = [row for row in rows_of(data, file) if any(row)]
    if len(kept) > MOST_ROWS:
        raise BenchRefused(f"{file}: over {MOST_ROWS} rows. Split the file.")
    forms = tuple(_forms(kept, file))
    if not any(form.statements for form in forms):
        raise BenchRefused(
            f"{file}: no numbered statement was found. Give a title, then statements numbered "
            "1, 2, 3, or a table with a column “statement”."
        )
    return forms


@dataclass(slots=True)
class _Open:
    """A statement whose lines are still being gathered."""

    printed: str
    lines: list[str]
    box: bool
    under: Phase | None


# --- forms out of rows --------------------------------------------------------------------------


def _forms(rows: Sequence[list[str]], file: str) -> Iterator[PlainForm]:
    columns = _columns(rows[0]) if rows else None
    if columns is not None:
        yield from _tabular(rows[1:], columns, file)
    elif rows:
        yield _plain(rows, file)


def _columns(header: Sequence[str]) -> dict[str, int] | None:
    """Where a table's columns are, if the row is the header of one."""
    found = {
        key: index
        for index, cell in enumerate(header)
        for key, words in _HEADERS.items()
        if cell.strip().lower() in words
    }
    return found if "statement" in found and len(found) > 1 else None


def _tabular(
    rows: Iterable[Sequence[str]], columns: dict[str, int], file: str
) -> Iterator[PlainForm]:
    def cell(row: Sequence[str], key: str) -> str:
        index = columns.get(key)
        return row[index] if index is not None and index < len(row) else ""

    grouped: dict[tuple[str, str], list[tuple[str, str, Phase | None]]] = {}
    title, appraisal, phase = file.rsplit(".", 1)[0], "", phase_of_title(file)
    for row in rows:
        if cell(row, "title") and cell(row, "title") != title:
            phase = phase_of_title(cell(row, "title"))
        title, appraisal = cell(row, "title") or title, cell(row, "ta") or appraisal
        number, text = cell(row, "number"), cell(row, "statement")
        heading = None if number else phase_of_heading(text)
        phase = heading or phase_of_heading(cell(row, "section")) or phase
        if text and heading is None:
            grouped.setdefault((title, appraisal), []).append((number, text, phase))
    for (name, ta), found in grouped.items():
        statements = tuple(
            _statement(position, number or None, text.split("\n"), True, under)
            for position, (number, text, under) in enumerate(found, start=1)
        )
        yield PlainForm(name, _appraisal(ta or name), statements, file)


def _plain(rows: Sequence[list[str]], file: str) -> PlainForm:
    title, appraisal = "", None
    phase: Phase | None = None
    open_: list[_Open] = []
    for row in rows:
        cells = [cell for cell in row if cell]
        printed, text = _number_and_text(cells)
        box = any(_BOX.fullmatch(c) for c in cells) or bool(_BOX.search(" ".join(cells)))
        heading = None if box or not title else phase_of_heading(text, printed is not None)
        if heading is not None:
            phase = heading
        elif printed is not None:
            open_.append(_Open(printed, text.split("\n"), box, phase))
        elif open_:
            open_[-1].lines.extend(text.split("\n"))
            open_[-1].box |= box
        else:
            appraisal = appraisal or _appraisal(text)
            title = title or text.split("\n")[0].removeprefix("Title:").strip()
            phase = phase or phase_of_title(title)
    any_box = any(each.box for each in open_)
    statements = tuple(
        _statement(position, each.printed, each.lines, each.box or not any_box, each.under)
        for position, each in enumerate(open_, start=1)
    )
    return PlainForm(title or file.rsplit(".", 1)[0], appraisal, statements, file)


def _number_and_text(cells: Sequence[str]) -> tuple[str | None, str]:
    kept = [c for c in cells if not _BOX.fullmatch(c) and c.lower() not in ("yes", "no")]
    if not kept:
        return None, ""
    if re.fullmatch(r"\(?\d{1,2}[.)]?", kept[0]) and len(kept) > 1:
        return kept[0].strip("().") or None, "\n".join(kept[1:])
    found = NUMBERED.match(kept[0])
    if found is not None:
        return found[1], "\n".join([kept[0][found.end() :], *kept[1:]])
    return None, "\n".join(kept)


def _appraisal(text: str) -> str | None:
    found = _TA.search(text)
    return None if found is None else f"{found[1].upper()}{found[2]}"


def _statement(
    position: int, printed: str | None, lines: Sequence[str], box: bool, under: Phase | None
) -> Statement:
    """Gather a statement's words, and its bullets where lines begin with a bullet's mark."""
    words: list[str] = []
    bullets: list[str] = []
    for raw in lines:
        line = _BOX.sub(" ", raw).strip()
        if not line:
            continue
        inner = re.split(rf"\s+(?=[{BULLET}●▪])", line)
        for piece in inner:
            mark = _MARK.match(piece)
            if mark is not None and len(piece) > mark.end():
                bullets.append(piece[mark.end() :].strip())
            elif bullets:
                bullets[-1] = f"{bullets[-1]} {piece}"
            else:
                words.append(piece)
    return Statement(position, printed, " ".join(words), tuple(bullets), box, under)
