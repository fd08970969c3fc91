"""An analyst's own list of drug names, as CSV, and what is told of it: as text or JSON."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from app.policy.suggestions import printable
from app.reconciliation.errors import UnreadableSubmission
from app.reconciliation.layouts import normal
from app.reconciliation.parse import clean, parse_money, parse_quantity
from app.reconciliation.report import pounds
from app.reconciliation.spelling_review import veiled
from app.reference_data.coverage import Came, Coverage, Named, Share, Unknown
from app.reference_data.tabular import DELIMITERS, NotATable, decode, rows_of

MOST_BYTES = 256 << 20
#: Where no column is named, the first of these that the header has.
_USUAL = ("drugname", "name", "spelling", "drug")
#: Of a header that is told of: columns, and characters of each; also characters of a name.
_HEADS, _LONGEST = 40, 200


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns to read, by header; without `names` it is found, the rest is left out."""

    names: str | None = None
    codes: str | None = None
    lines: str | None = None
    pounds: str | None = None


@dataclass(frozen=True, slots=True)
class NameList:
    """The rows that state a name or a code; what was left out or read as 0 is counted."""

    named: tuple[Named, ...]
    blank: int
    illegible: int


def read_names(data: bytes, columns: Columns) -> NameList:
    """The names of a CSV file. Raises UnreadableSubmission for no table and for a column it lacks.

    A count of lines that is no whole number counts as 1, and pounds that cannot be read as 0.
    """
    rows = _table(data)
    header = rows[0]
    at = {
        "name": _name_column(header, columns.names),
        "code": _column(header, columns.codes),
        "lines": _column(header, columns.lines),
        "pounds": _column(header, columns.pounds),
    }
    left: Counter[str] = Counter()
    return NameList(tuple(_named(rows[1:], at, left)), left["blank"], left["illegible"])


def _named(
    rows: Sequence[tuple[str, ...]], at: dict[str, int | None], left: Counter[str]
) -> Iterator[Named]:
    def cell(row: tuple[str, ...], what: str) -> str:
        index = at[what]
        return row[index] if index is not None and index < len(row) else ""

    for row in rows:
        name, code = cell(row, "name").strip(), clean(cell(row, "code"))
        if not name and not code:
            left["blank"] += 1
            continue
        count, money = _count(cell(row, "lines")), parse_money(cell(row, "pounds") or "0")[0]
        left["illegible"] += (count is None) + (money is None)
        yield Named(name, code, 1 if count is None else count, money or Decimal())


def _count(text: str) -> int | None:
    """A whole number of lines; an empty cell is one line."""
    number, _ = parse_quantity(text or "1")
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def _table(data: bytes) -> tuple[tuple[str, ...], ...]:
    try:
        text, _ = decode(data, MOST_BYTES)
        first = text.lstrip("\ufeff").split("\n", 1)[0]
        rows = rows_of(text, max(DELIMITERS, key=first.count))
    except NotATable as error:
        raise UnreadableSubmission(error.what, error.why, error.mend.rstrip(".")) from None
    return tuple(row for row in rows if any(map(str.strip, row)))


def _shown(text: str) -> str:
    """What a stranger's file holds, without what would steer a terminal."""
    return printable(text, _LONGEST)


def _name_column(header: Sequence[str], wanted: str | None) -> int:
    if wanted is not None or len(header) == 1:
        found = _column(header, wanted if wanted is not None else header[0])
    else:
        heads = [normal(head) for head in header]
        usual = [name for name in _USUAL if name in heads]
        found = heads.index(usual[0]) if usual else None
    if found is None:
        raise UnreadableSubmission(
            "No column of names was found",
            f"the header has {', '.join(map(_shown, header[:_HEADS]))}",
            "Name the column with --names",
        )
    return found


def _column(header: Sequence[str], wanted: str | None) -> int | None:
    if wanted is None:
        return None
    heads = [normal(head) for head in header]
    if normal(wanted) not in heads:
        raise UnreadableSubmission(
            f"There is no column {wanted}",
            f"the header has {', '.join(header)}",
            "Name a column as the header does",
        )
    return heads.index(normal(wanted))


def told_as_text(coverage: Coverage, read: NameList, top: int, width: int = 100) -> str:
    """Tables of text: what each name came to, what else is stated, and the names left."""
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, markup=False)
    console.print(_came_table(coverage))
    parsed = ", ".join(f"{part} {count:,}" for part, count in coverage.parsed.items())
    console.print(f"Of recognised names, so many also state a product or how much: {parsed}.")
    console.print(f"{len(coverage.by_drug)} different drugs were recognised.")
    if coverage.unknown_words:
        words = ", ".join(f"{word} {count:,}" for word, count in coverage.unknown_words.items())
        console.print(f"Commonest words of unknown names: {words}.")
    if read.blank:
        console.print(f"{read.blank:,} row(s) state neither name nor code and were left out.")
    if read.illegible:
        console.print(
            f"{read.illegible:,} cell(s) hold no number: those of lines count as 1, of pounds as 0."
        )
    if top and coverage.not_recognised:
        priced = bool(coverage.all.pounds)
        console.print(f"Not recognised, the {'dearest' if priced else 'most frequent'} first")
        console.print(_left_table(coverage.not_recognised[:top], priced))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _came_table(coverage: Coverage) -> Table:
    table = Table(title="What the names came to", title_justify="left", show_footer=True)
    every = coverage.all
    table.add_column("", footer="all names")
    for label, total in (("Names", f"{every.names:,}"), ("%", ""), ("Lines", f"{every.lines:,}")):
        table.add_column(label, justify="right", footer=total)
    if every.pounds:
        table.add_column("Pounds", justify="right", footer=pounds(every.pounds))
    table.add_row("recognised", *_cells(coverage.recognised, every))
    for way, share in coverage.came.items():
        table.add_row(f"  {way}" if way in _INSIDE else str(way), *_cells(share, every))
    return table


_INSIDE = (Came.CODE, Came.NAME, Came.BRAND, Came.MISSPELLING)


def _cells(share: Share, every: Share) -> tuple[str, ...]:
    cells = f"{share.names:,}", _percent(share, every), f"{share.lines:,}"
    return (*cells, pounds(share.pounds)) if every.pounds else cells


def _percent(share: Share, every: Share) -> str:
    return f"{100 * share.names / every.names:.1f}" if every.names else "0.0"


def _left_table(left: Sequence[Unknown], priced: bool) -> Table:
    table = Table()
    table.add_column("Name", overflow="fold")
    for label in ("Lines", "Pounds")[: 1 + priced]:
        table.add_column(label, justify="right")
    table.add_column("May be")
    for each in left:
        named = each.named
        name = _shown(veiled(named.name)) or "(a code alone)"
        charged = (pounds(named.pounds),) if priced else ()
        table.add_row(name, f"{named.lines:,}", *charged, each.suggestion or "")
    return table


def told_as_json(coverage: Coverage, read: NameList, top: int) -> dict[str, Any]:
    """The same for a program. Pounds are text, exact."""
    return {
        "all": _body(coverage.all),
        "recognised": _body(coverage.recognised),
        "came_to": {str(way): _body(share) for way, share in coverage.came.items()},
        "of_recognised_also_state": coverage.parsed,
        "by_drug": {drug: _body(share) for drug, share in sorted(coverage.by_drug.items())},
        "unknown_words": coverage.unknown_words,
        "rows_without_name": read.blank,
        "cells_without_number": read.illegible,
        "not_recognised": [
            {
                "name": veiled(each.named.name),
                "lines": each.named.lines,
                "pounds": f"{each.named.pounds:f}",
                "came_to": str(each.came),
                "suggestion": each.suggestion,
            }
            for each in coverage.not_recognised[:top]
        ],
    }


def _body(share: Share) -> dict[str, Any]:
    return {**asdict(share), "pounds": f"{share.pounds:f}"}
