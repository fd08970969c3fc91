"""A submission without its patients' identities: pseudonyms for numbers, years for birth dates.

Only columns that this service knows are kept. What stands under a header that is not known, above
the header, in a skipped row or in a shifted one may be anything, and is hidden. Pure: the same
file and key always give the same rows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from app.reconciliation.line_columns import FileFacts
from app.reconciliation.model import ContractLine, MatchedLine, Skipped, Submission
from app.reconciliation.parse import clean, is_absent
from app.reconciliation.read_line import NO_CELL
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.reference_data.pseudonyms import PseudonymKey

F = TypeVar("F", Submission, FileFacts)
HIDDEN: Final = "[hidden]"
NHS_PSEUDONYM: Final = "NHS NUMBER PSEUDONYM"
LOCAL_PSEUDONYM: Final = "LOCAL PATIENT IDENTIFIER PSEUDONYM"
#: What the header of an identity's column says, once its cells are replaced.
RENAMED: Final[Mapping[str, str]] = {
    "nhs_number": NHS_PSEUDONYM,
    "local_patient_id": LOCAL_PSEUDONYM,
    "birth_date": "YEAR OF BIRTH",
}
#: Their cells are codes: ten figures here are no NHS number.
_CODES: Final = frozenset({"drug_code", "indication", "route", "unit"})
_NUMBER: Final = re.compile(r"(?<![0-9])[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}(?![0-9])")


class Hider(Protocol):
    """Hides a file's identities row by row: what is above its rows, a line, a row that is none."""

    def head(self, file: F) -> F:
        """The file's header and what stands above it, hidden."""
        ...

    def line(self, line: ContractLine) -> ContractLine:
        """A line with its cells hidden."""
        ...

    def skipped(self, row: Skipped) -> Skipped:
        """A row that is no line, hidden."""
        ...


@dataclass(frozen=True, slots=True)
class Everybody:
    """Hides every identity; without a key no pseudonym is written. `fields`: of each known column.

    Nothing of another file may be hidden by it.
    """

    key: PseudonymKey | None
    fields: Mapping[int, str]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[int]], key: PseudonymKey | None) -> "Everybody":
        """Of a file's fields with their columns."""
        return cls(key, {i: name for name, found in columns.items() for i in found})

    def head(self, file: F) -> F:
        """The header says what stands for an identity; above it all is hidden."""
        named = (RENAMED.get(self.fields.get(i, ""), cell) for i, cell in enumerate(file.header))
        above = tuple(_all_hidden(cells) for cells in file.preamble)
        return replace(file, header=tuple(named), preamble=above)

    def line(self, line: ContractLine) -> ContractLine:
        """The line with pseudonyms for numbers and hidden words for all else."""
        return replace(line, raw=_cells(self, line))

    def skipped(self, row: Skipped) -> Skipped:
        """The row with every cell hidden: it may hold anything."""
        return replace(row, raw=_all_hidden(row.raw))


@dataclass(frozen=True, slots=True)
class ThoseWhoObject:
    """Hides the identities of these patients, and leaves every other row as it came.

    A row that could not be read as a line is hidden where one of the numbers stands in it.
    """

    everybody: Everybody
    numbers: frozenset[str]
    local_ids: frozenset[str]

    def head(self, file: F) -> F:
        """The header as it came; above it what names one of them is hidden."""
        return replace(file, preamble=tuple(map(self._bare, file.preamble)))

    def line(self, line: ContractLine) -> ContractLine:
        """The line as it came, but one of theirs."""
        is_theirs = (
            line.nhs_number in self.numbers
            or line.local_patient_id in self.local_ids
            or _holds(line.raw, self.numbers)
        )
        return self.everybody.line(line) if is_theirs else line

    def skipped(self, row: Skipped) -> Skipped:
        """The row as it came, unless it names one of them."""
        return replace(row, raw=self._bare(row.raw))

    def _bare(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        return _all_hidden(cells) if _holds(cells, self.numbers) else cells


def hide_identities(submission: Submission, key: PseudonymKey | None) -> Submission:
    """The submission with its rows' cells replaced; without a key no pseudonym is written."""
    return _hidden(submission, Everybody.of(submission.columns, key))


def hide_those_who_object(
    submission: Submission,
    key: PseudonymKey | None,
    numbers: frozenset[str],
    local_ids: frozenset[str],
) -> Submission:
    """The submission with the identities of these patients hidden; every other row as it came."""
    everybody = Everybody.of(submission.columns, key)
    return _hidden(submission, ThoseWhoObject(everybody, numbers, local_ids))


def _hidden(submission: Submission, hider: Hider) -> Submission:
    return replace(
        hider.head(submission),
        lines=tuple(map(hider.line, submission.lines)),
        skipped=tuple(map(hider.skipped, submission.skipped)),
    )


def hidden_rows(
    rows: Iterable[MatchedLine | Skipped], hider: Hider
) -> Iterator[MatchedLine | Skipped]:
    """A file's rows with their outcomes, each hidden as it comes."""
    for row in rows:
        if isinstance(row, Skipped):
            yield hider.skipped(row)
        else:
            yield replace(row, line=hider.line(row.line))


def _holds(cells: tuple[str, ...], numbers: frozenset[str]) -> bool:
    """Whether one of the NHS numbers stands in some cell."""
    found = (re.sub("[ -]", "", each) for cell in cells for each in _NUMBER.findall(cell))
    return any(number in numbers for number in found)


def hidden(
    submission: Submission, matched: Sequence[MatchedLine], key: PseudonymKey | None
) -> tuple[Submission, tuple[MatchedLine, ...]]:
    """The same of a submission and its lines' outcomes."""
    bare = hide_identities(submission, key)
    lines = zip(matched, bare.lines, strict=True)
    return bare, tuple(replace(item, line=line) for item, line in lines)


def _cells(hiding: Everybody, line: ContractLine) -> tuple[str, ...]:
    if line.shifted:
        return _all_hidden(line.raw)
    return tuple(_cell(hiding, line, i, cell) for i, cell in enumerate(line.raw))


def _cell(hiding: Everybody, line: ContractLine, column: int, cell: str) -> str:
    if not _filled(cell):
        return cell
    name = hiding.fields.get(column)
    if name in RENAMED:
        return _stand_in(hiding.key, line, name)
    return HIDDEN if name is None else _without_numbers(cell, name, line)


def _stand_in(key: PseudonymKey | None, line: ContractLine, name: str | None) -> str:
    """What stands for an identity: its pseudonym or year, if the cell could be read."""
    if name == "birth_date" and line.birth_date is not None:
        return f"{line.birth_date:%Y}"
    if key is not None and name == "nhs_number" and line.nhs_number is not None:
        return key.of_nhs_number(line.nhs_number)
    if key is not None and name == "local_patient_id" and line.local_patient_id is not None:
        return key.of_local_id(line.local_patient_id)
    return HIDDEN


def _without_numbers(cell: str, name: str, line: ContractLine) -> str:
    """A known column's cell, without what somebody put into it of who the patient is."""
    if name in _CODES and clean(cell).isdigit():
        return cell
    if line.local_patient_id is not None and clean(cell) == line.local_patient_id:
        return HIDDEN
    return without_nhs_numbers(cell)


def without_nhs_numbers(text: str) -> str:
    """The text with every valid NHS number in it hidden."""
    return _NUMBER.sub(lambda found: HIDDEN if _is_nhs_number(found[0]) else found[0], text)


def _is_nhs_number(text: str) -> bool:
    try:
        parse_nhs_number(text)
    except InvalidNhsNumber:
        return False
    return True


def _all_hidden(cells: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(HIDDEN if _filled(cell) else cell for cell in cells)


def _filled(cell: str) -> bool:
    return cell != NO_CELL and not is_absent(cell)
