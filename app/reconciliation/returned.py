"""The provider's own file, back with what was found for each line.

Every original row stands in its order with every original value unchanged, and our columns are
appended; columns that an earlier return appended are replaced. Rows are padded to one width, so
that our columns stand under their headers beside a ragged row too. Encoding and delimiter stay. A
workbook or a Parquet file comes back as CSV in UTF-8, with its cells as the text that was read.

Cells that we write are always made safe: one that begins as a formula gets an apostrophe in front.
Original values are another's evidence and stay as they came; the `safe` variant, for people who
will open the file in a spreadsheet, puts the apostrophe in front of those that would be formulas
too. Plain numbers such as -12.50 are no formulas and stay.

The file is made in parts of some rows, so that one of any size is made in the memory of a part.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final, Protocol

from app.reconciliation.decode import encoder
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.find_table import PARQUET, XLSX
from app.reconciliation.intake import own_columns
from app.reconciliation.layouts import BEYOND
from app.reconciliation.model import ContractLine, MatchedLine, Skipped, Submission
from app.reconciliation.read_line import NO_CELL

COLUMNS = (
    "ASSENT LINE REFERENCE",
    "ASSENT OUTCOME",
    "ASSENT ACCEPTED",
    "ASSENT QUERIED",
    "ASSENT REASON",
    "ASSENT REMEDY",
)
SKIPPED = "not a line"
#: Rows of one part.
_TOGETHER: Final = 1_024
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n|]|[\t\r]")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")

#: A row below the header. A line whose outcome is not told gets no cells of ours.
Row = MatchedLine | ContractLine | Skipped


class FileHead(Protocol):
    """What is read of a file beside the rows below its header."""

    @property
    def header(self) -> tuple[str, ...]:
        """The header's cells."""
        ...

    @property
    def preamble(self) -> tuple[tuple[str, ...], ...]:
        """The rows above it."""
        ...

    @property
    def delimiter(self) -> str:
        """What stands between cells."""
        ...

    @property
    def encoding(self) -> str:
        """As `decode` names it."""
        ...


def safe_cell(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would run it as a formula."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def returned_file(
    submission: Submission, matched: Sequence[MatchedLine], *, safe: bool = False
) -> bytes:
    """The file to send back. Raises TotalsDoNotTie if the lines are not the submission's."""
    if [m.line.row for m in matched] != [line.row for line in submission.lines]:
        raise TotalsDoNotTie("The returned lines", len(submission.lines), len(matched))
    rows = _in_order([*matched, *submission.skipped])
    return b"".join(returned_parts(submission, rows, _widest(rows), safe=safe))


def bare_file(submission: Submission) -> bytes:
    """The rows of a submission as a file, with nothing appended and nothing of ours."""
    rows = _in_order([*submission.lines, *submission.skipped])
    return b"".join(_parts(submission, rows, _widest(rows), safe=False, bare=True))


def returned_parts(
    head: FileHead, rows: Iterable[Row], widest: int, *, safe: bool
) -> Iterator[bytes]:
    """The file to send back, part by part; of the rows in their order, none wider than `widest`."""
    return _parts(head, rows, widest, safe=safe, bare=False)


def _parts(
    head: FileHead, rows: Iterable[Row], widest: int, *, safe: bool, bare: bool
) -> Iterator[bytes]:
    laid = _Laid.of(head, widest, safe, bare)
    encoded = encoder(encoding_of(head))
    yield encoded(_text(head.delimiter, laid.above()))
    left = iter(rows)
    while some := list(islice(left, _TOGETHER)):
        yield encoded(_text(head.delimiter, map(laid.row, some)))


def _text(delimiter: str, rows: Iterable[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def encoding_of(head: FileHead) -> str:
    """The encoding in which the file comes back. The mark makes spreadsheets read it as UTF-8."""
    return "utf-8-sig" if head.encoding in (XLSX, PARQUET) else head.encoding


def _number(row: Row) -> int:
    return row.line.row if isinstance(row, MatchedLine) else row.row


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=_number)


def _raw(row: Row) -> tuple[str, ...]:
    return row.line.raw if isinstance(row, MatchedLine) else row.raw


def _widest(rows: Iterable[Row]) -> int:
    return max((len(_raw(row)) for row in rows), default=0)


@dataclass(frozen=True, slots=True)
class _Laid:
    """How the rows of one file are laid out: without `own` columns, `width` cells before ours."""

    head: FileHead
    own: frozenset[int]
    width: int
    safe: bool
    bare: bool

    @classmethod
    def of(cls, head: FileHead, widest: int, safe: bool, bare: bool) -> "_Laid":
        own = own_columns(head.header)
        longest = max(widest, len(head.header), *map(len, head.preamble), 0)
        width = longest - sum(column < longest for column in own)
        return cls(head, own, width, safe, bare)

    def above(self) -> Iterator[list[str]]:
        """What stands above the rows, and their header."""
        for cells in self.head.preamble:
            original = self._original(cells)
            yield [*original, *self._padding(len(original), is_line=False)]
        header = self._original(self.head.header)
        beyond = [BEYOND] * (self.width - len(header))
        yield [*header, *beyond, *(() if self.bare else COLUMNS)]

    def row(self, row: Row) -> list[str]:
        """A row's cells, and ours."""
        original = self._original(_raw(row))
        padding = self._padding(len(original), is_line=not isinstance(row, Skipped))
        return [*original, *padding, *self._ours(row)]

    def _original(self, cells: tuple[str, ...]) -> list[str]:
        """The cells without what an earlier return appended."""
        kept = cells
        if self.own:
            kept = tuple(cell for i, cell in enumerate(cells) if i not in self.own)
        return [safe_cell(cell) for cell in kept] if self.safe else list(kept)

    def _padding(self, cells: int, *, is_line: bool) -> list[str]:
        """What fills a row to the width of the widest, told apart from cells that were empty."""
        lacking = self.width - cells
        short = max(0, min(lacking, len(self.head.header) - cells)) if is_line else 0
        return [NO_CELL] * short + [""] * (lacking - short)

    def _ours(self, row: Row) -> tuple[str, ...]:
        if isinstance(row, MatchedLine):
            return tuple(_encodable(safe_cell(cell), self.head.encoding) for cell in _cells(row))
        if isinstance(row, Skipped) and not self.bare:
            return ("", SKIPPED, "", "", row.why, "")
        return ()


def _encodable(text: str, encoding: str) -> str:
    """Our text in the characters that the file's own encoding has."""
    if encoding != "cp1252" or text.isascii():
        return text
    return text.encode("cp1252", "replace").decode("cp1252")


def _cells(item: MatchedLine) -> tuple[str, ...]:
    readable = item.line.total_cost is not None
    return (
        item.reference or "",
        item.outcome.value,
        _pounds(item.accepted) if readable else "",
        _pounds(item.queried) if readable else "",
        item.reason,
        item.remedy,
    )


def _pounds(amount: Decimal) -> str:
    """Every digit that says something, and the pence: the same however the amount was reckoned."""
    whole, _, decimals = f"{amount:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
