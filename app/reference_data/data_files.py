"""Reads the packaged CSV files: the only file access of this room.

Each file may begin with `#` lines that say where it comes from. Faults name the file and the row.
"""

import csv
import datetime as dt
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from app.reference_data.errors import ReferenceDataFault


@dataclass(frozen=True, slots=True)
class Row:
    """One data row with the file and position needed to name it in a fault."""

    file: str
    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """The cell, trimmed; empty when the cell is empty."""
        return self.cells[column].strip()

    def required(self, column: str) -> str:
        """The cell, trimmed; a fault when empty."""
        value = self.text(column)
        if not value:
            raise self.fault(f"{column} is empty", "Fill it in")
        return value

    def day(self, column: str) -> dt.date | None:
        """The ISO date of the cell, or None when empty (open-ended)."""
        value = self.text(column)
        if not value:
            return None
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise self.fault(f"{column} is not a date", "Write it as YYYY-MM-DD") from None

    def flag(self, column: str) -> bool:
        """True or false, written exactly so."""
        value = self.text(column)
        if value not in ("true", "false"):
            raise self.fault(f"{column} is neither true nor false", "Write true or false")
        return value == "true"

    def fault(self, what: str, mend: str) -> ReferenceDataFault:
        """A fault at this row."""
        return ReferenceDataFault(self.file, self.number, what, mend)


def read_rows(name: str, columns: tuple[str, ...]) -> tuple[Row, ...]:
    """The data rows of a packaged file, whose header must hold exactly these columns.

    Raises ReferenceDataFault for a wrong header or a row of the wrong width.
    """
    text = (resources.files("app.reference_data") / "data" / name).read_text(encoding="utf-8")
    return parse_rows(text, name, columns)


def parse_rows(text: str, name: str, columns: tuple[str, ...]) -> tuple[Row, ...]:
    """As `read_rows`, for text already in hand."""
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    reader = csv.reader(io.StringIO(body), strict=True)
    header = tuple(next(reader, ()))
    if header != columns:
        raise ReferenceDataFault(
            name, None, "the header differs from what is read", f"Write {','.join(columns)}"
        )
    rows = []
    for number, cells in enumerate(reader, start=1):
        if len(cells) != len(columns):
            raise ReferenceDataFault(
                name, number, f"{len(cells)} cells, not {len(columns)}", "Quote cells with commas"
            )
        rows.append(Row(name, number, dict(zip(columns, cells, strict=True))))
    return tuple(rows)


def in_force(from_: dt.date | None, to: dt.date | None, on: dt.date | None) -> bool:
    """Whether a row holds on a day; both ends included, None is open; no day asks for any day."""
    if on is None:
        return True
    return (from_ is None or from_ <= on) and (to is None or on <= to)
