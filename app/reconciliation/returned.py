"""The provider's own file, back with what was found for each line.

Every original row stands in its order with every original value unchanged, and our columns are
appended; columns that an earlier return appended are replaced. Rows are padded to one width, so
that our columns stand under their headers beside a ragged row too. Encoding and delimiter stay. A
workbook or a Parquet file comes back as CSV in UTF-8, with its cells as the text that was read.

Cells that we write are always made safe: one that begins as a formula gets an apostrophe in front.
Original values are another's evidence and stay as they came; the `safe` variant, for people who
will open the file in a spreadsheet, puts the apostrophe in front of those that would be formulas
too. Plain numbers such as -12.50 are no formulas and stay.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.reconciliation.decode import encode
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.find_table import PARQUET, XLSX
from app.reconciliation.intake import own_columns
from app.reconciliation.layouts import BEYOND
from app.reconciliation.model import MatchedLine, Submission
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
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n|]|[\t\r]")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")


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
    return _written(submission, _appended(submission, matched), safe)


def bare_file(submission: Submission) -> bytes:
    """The rows of a submission as a file, with nothing appended and nothing of ours."""
    return _written(submission, {}, safe=False)


def _written(submission: Submission, appended: Mapping[int, tuple[str, ...]], safe: bool) -> bytes:
    rows = _original_rows(submission)
    width = max(len(row.cells) for row in rows)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=submission.delimiter, lineterminator="\r\n")
    for row in rows:
        original = [safe_cell(cell) for cell in row.cells] if safe else row.cells
        padding = _padding(row, len(submission.header), width)
        writer.writerow([*original, *padding, *appended.get(row.number, ())])
    return encode(out.getvalue(), encoding_of(submission))


def encoding_of(submission: Submission) -> str:
    """The encoding in which the file comes back. The mark makes spreadsheets read it as UTF-8."""
    return "utf-8-sig" if submission.encoding in (XLSX, PARQUET) else submission.encoding


_ABOVE, _HEADER = -1, 0


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the file without our columns. Rows above the header are -1, the header is 0."""

    number: int
    cells: tuple[str, ...]
    is_line: bool = False


def _original_rows(submission: Submission) -> list[_Row]:
    """Every row of the file in its order, without what an earlier return appended."""
    own = own_columns(submission.header)

    def kept(cells: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cell for i, cell in enumerate(cells) if i not in own)

    data = [_Row(line.row, kept(line.raw), True) for line in submission.lines]
    data += [_Row(skipped.row, kept(skipped.raw)) for skipped in submission.skipped]
    above = [_Row(_ABOVE, kept(cells)) for cells in submission.preamble]
    header = _Row(_HEADER, kept(submission.header))
    return [*above, header, *sorted(data, key=lambda row: row.number)]


def _padding(row: _Row, header_width: int, width: int) -> list[str]:
    """What fills a row up to the width of the widest, told apart from cells that were empty."""
    lacking = width - len(row.cells)
    if row.number == _HEADER:
        return [BEYOND] * lacking
    short = max(0, min(lacking, header_width - len(row.cells))) if row.is_line else 0
    return [NO_CELL] * short + [""] * (lacking - short)


def _appended(
    submission: Submission, matched: Sequence[MatchedLine]
) -> Mapping[int, tuple[str, ...]]:
    """Our cells for each row number."""
    cells: dict[int, tuple[str, ...]] = {_HEADER: COLUMNS}
    for item in matched:
        ours = (safe_cell(cell) for cell in _cells(item))
        cells[item.line.row] = tuple(_encodable(cell, submission.encoding) for cell in ours)
    for skipped in submission.skipped:
        cells[skipped.row] = ("", SKIPPED, "", "", skipped.why, "")
    return cells


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
        f"{item.accepted:f}" if readable else "",
        f"{item.queried:f}" if readable else "",
        item.reason,
        item.remedy,
    )
