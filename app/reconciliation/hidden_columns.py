"""A submission without its patients' identities: pseudonyms for numbers, years for birth dates.

Only columns that this service knows are kept. What stands under a header that is not known, above
the header, in a skipped row or in a shifted one may be anything, and is hidden. Pure: the same
file and key always give the same rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.reconciliation.model import ContractLine, MatchedLine, Submission
from app.reconciliation.parse import clean, is_absent
from app.reconciliation.read_line import NO_CELL
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.reference_data.pseudonyms import PseudonymKey

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


@dataclass(frozen=True, slots=True)
class _Hiding:
    """How the cells of one file are replaced: the field of each column that is known."""

    key: PseudonymKey | None
    fields: Mapping[int, str]


def hide_identities(submission: Submission, key: PseudonymKey | None) -> Submission:
    """The submission with its rows' cells replaced; without a key no pseudonym is written."""
    fields = {i: name for name, found in submission.columns.items() for i in found}
    hiding = _Hiding(key, fields)
    return replace(
        submission,
        header=tuple(
            RENAMED.get(fields.get(i, ""), cell) for i, cell in enumerate(submission.header)
        ),
        preamble=tuple(_all_hidden(cells) for cells in submission.preamble),
        lines=tuple(replace(line, raw=_cells(hiding, line)) for line in submission.lines),
        skipped=tuple(replace(row, raw=_all_hidden(row.raw)) for row in submission.skipped),
    )


def hide_those_who_object(
    submission: Submission,
    key: PseudonymKey | None,
    numbers: frozenset[str],
    local_ids: frozenset[str],
) -> Submission:
    """The submission with the identities of these patients hidden; every other row as it came.

    A row that could not be read as a line is hidden where one of the numbers stands in it.
    """
    hiding = _Hiding(key, {i: name for name, found in submission.columns.items() for i in found})

    def told(line: ContractLine) -> ContractLine:
        is_theirs = (
            line.nhs_number in numbers
            or line.local_patient_id in local_ids
            or _holds(line.raw, numbers)
        )
        return replace(line, raw=_cells(hiding, line)) if is_theirs else line

    def bare(cells: tuple[str, ...]) -> tuple[str, ...]:
        return _all_hidden(cells) if _holds(cells, numbers) else cells

    return replace(
        submission,
        preamble=tuple(bare(cells) for cells in submission.preamble),
        lines=tuple(told(line) for line in submission.lines),
        skipped=tuple(replace(row, raw=bare(row.raw)) for row in submission.skipped),
    )


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


def _cells(hiding: _Hiding, line: ContractLine) -> tuple[str, ...]:
    if line.shifted:
        return _all_hidden(line.raw)
    return tuple(_cell(hiding, line, i, cell) for i, cell in enumerate(line.raw))


def _cell(hiding: _Hiding, line: ContractLine, column: int, cell: str) -> str:
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
