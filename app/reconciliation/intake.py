"""Bytes of a DrPLCM file to a Submission. Nothing is dropped: every row is a line or is skipped."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from app.reconciliation.errors import UnreadableSubmission
from app.reconciliation.find_table import Most, find_table
from app.reconciliation.layouts import BEYOND, OWN_COLUMN, Header, layout_named, normal
from app.reconciliation.model import ContractLine, Skipped, Submission
from app.reconciliation.parse import clean, is_absent
from app.reconciliation.parse_dates import (
    BIRTH,
    SUPPLY,
    WHY_AMBIGUOUS,
    WHY_MONTHS,
    DateRule,
    Tally,
    financial_period,
)
from app.reconciliation.read_line import (
    DATED,
    NO_CELL,
    WHY_SHIFTED,
    LineReader,
    line_reader,
    read_line,
    shifted_line,
)
from app.reconciliation.source import in_memory

_IDENTITY = (
    "nhs_number",
    "local_patient_id",
    "nhs_pseudonym",
    "local_pseudonym",
    "withheld_reason",
)
_BARE_TOTAL = re.compile(r"(?:(?:grand|sub|overall|report)[ -]?)?totals?:?", re.IGNORECASE)
_FOOTER_WORDS = re.compile(
    r"(?:(?:grand|sub|overall|report)[ -]?)?totals?(?: (?:cost|charge|price|for) ?.{0,40})?"
    r"|end of (?:report|file|data)\b.*|page [0-9]+.*|(?:record|row|line)s? ?count\b.*"
    r"|report (?:generated|produced|run)\b.*|printed\b.*|\*+ ?end.*",
    re.IGNORECASE,
)

WHY_BLANK = "blank row"
WHY_HEADER = "repeated header"
WHY_FOOTER = "total or footer row"
WHY_SWALLOWED = f"{WHY_SHIFTED}: an unclosed quotation mark seems to hold further rows"
_SWALLOWED_CELLS = 4  # delimiters inside one cell that also breaks the line


def read_submission(
    data: bytes, file_name: str, *, reference_headers: Sequence[str] = ()
) -> Submission:
    """Read a whole file, row by row. Pure: the same bytes always give the same Submission.

    It defines what reading means; `read_columns` reads large files to the same result.

    `reference_headers`: columns that carry the approval reference beside PROVIDER REFERENCE
    NUMBER, where a commissioner has agreed one. Raises UnreadableSubmission.
    """
    found = find_table(in_memory(data), file_name, reference_headers, Most())
    rows = list(found.rows)
    header, body = rows[found.position], rows[found.position + 1 :]
    witness = Witness(found.header)
    witness.look_at(body)
    check_filled(witness)
    read = BodyReader(header, found.header, found.delimiter, witness)
    told = [read(row, raw) for row, raw in enumerate(body, start=1)]
    lines = tuple(each for each in told if isinstance(each, ContractLine))
    months = {(line.financial_year, line.financial_month) for line in lines}
    return Submission(
        sha256=hashlib.sha256(data).hexdigest(),
        file_name=file_name,
        header=header,
        layout=found.header.layout,
        encoding=found.encoding,
        delimiter=found.delimiter or ",",
        preamble=tuple(rows[: found.position]),
        lines=lines,
        skipped=tuple(each for each in told if isinstance(each, Skipped)),
        columns=found.header.columns,
        notes=(*found.notes, *witness.notes(), *layout_note(found.header.layout, months)),
    )


def layout_note(name: str, stated: Iterable[tuple[str | None, int | None]]) -> tuple[str, ...]:
    """What to tell of months that the layout was not made for; they are read all the same."""
    layout = layout_named(name)
    months = [financial_period(y, m) for y, m in stated if y is not None and m is not None]
    outside = [
        first for first, last in months
        if last < layout.from_ or (layout.to is not None and first > layout.to)
    ]  # fmt: skip
    if not outside:
        return ()
    made_for = f"from {layout.from_:%d/%m/%Y}" + (f" to {layout.to:%d/%m/%Y}" if layout.to else "")
    return (f"The layout is {name}, made for activity {made_for}; {len(outside)} month(s) of the "
            "file lie outside.",)  # fmt: skip


def _of_supply(known: Header) -> tuple[int, ...]:
    """The columns of days that tell of a supply: one file writes them in one way, or doubtfully."""
    return tuple(index for name in DATED for index in known.columns.get(name, ()))


_DOUBTS = {
    WHY_AMBIGUOUS: "writes dates both day first and month first",
    WHY_MONTHS: "seems to write dates month first, by the months that the rows state",
}


def _stated_with(
    rows: Sequence[Sequence[str]], day: int, years: Sequence[int], months: Sequence[int]
) -> list[tuple[str, str, str]]:
    """A column of days beside the year and month of each row, from rows that reach so far."""
    if len(years) == len(months) == 1:  # nearly every file: millions of rows pass here
        (year,), (month,) = years, months
        least = max(day, year, month)
        return [(row[day], row[year], row[month]) for row in rows if len(row) > least]
    return [(row[day], _first(row, years), _first(row, months)) for row in rows if len(row) > day]


def _first(row: Sequence[str], indexes: Sequence[int]) -> str:
    """The first cell of these that states anything."""
    return next((row[i] for i in indexes if i < len(row) and not is_absent(row[i])), "")


class Witness:
    """What the rows below the header must be asked as a whole, before the first of them is read:
    whether any is filled, and how their dates are written."""

    def __init__(self, known: Header) -> None:
        self.filled = False
        self._dates = (
            ("supply date", _of_supply(known), Tally(SUPPLY)),
            ("birth date", known.columns.get("birth_date", ()), Tally(BIRTH)),
        )
        self._month = [known.columns.get(f"financial_{part}", ()) for part in ("year", "month")]

    def look_at(self, rows: Iterable[Sequence[str]]) -> None:
        """Take these rows into account."""
        rows = list(rows)
        self.filled = self.filled or any(map(_filled, rows))
        for _, indexes, tally in self._dates:
            tally.add(row[i] for row in rows for i in indexes if i < len(row))
        (_, days, supply), _ = self._dates
        years, months = self._month
        for i in days:
            supply.add_stated(_stated_with(rows, i, years, months))

    def rules(self) -> tuple[DateRule, DateRule]:
        """How to read supply dates and birth dates."""
        supply, birth = (tally.rule() for _, _, tally in self._dates)
        if supply.why_doubtful == WHY_MONTHS:  # whoever writes these dates writes those too
            birth = replace(
                birth,
                day_first_doubtful=birth.day_first_doubtful or supply.day_first_doubtful,
                month_first_doubtful=birth.month_first_doubtful or supply.month_first_doubtful,
                why_doubtful=WHY_MONTHS,
            )
        return supply, birth

    def notes(self) -> tuple[str, ...]:
        """What to tell of columns that contradict themselves, or that nothing speaks for."""
        labels = [label for label, _, _ in self._dates]
        told = [
            f"The {label} column {_DOUBTS[rule.why_doubtful]}: "
            "dates that could be either were not read."
            for label, rule in zip(labels, self.rules(), strict=True)
            if rule.day_first_doubtful or rule.month_first_doubtful
        ]
        (label, _, supply), _ = self._dates
        if supply.tells_nothing:
            told.append(
                f"Every date of the {label} column could be day first or month first, and no "
                "stated month tells which: they were read day first, as UK files write them."
            )
        return tuple(told)


def check_filled(witness: Witness) -> None:
    """Raise UnreadableSubmission where no row below the header holds anything."""
    if not witness.filled:
        raise UnreadableSubmission(
            "The file holds a header and no lines",
            "there is no filled row below the header",
            "Send the file with its lines. A month that has none now is stated as empty, not sent",
        )


class BodyReader:
    """Reads the rows below a header, each to a line or to the reason why it is none."""

    def __init__(
        self, header: tuple[str, ...], known: Header, delimiter: str, witness: Witness
    ) -> None:
        self.known, self.delimiter = known, delimiter
        self.names = [normal(cell) for cell in header]
        self.own = own_columns(header)
        self.reader = _line_reader(header, self.own, known, witness)

    def __call__(self, row: int, raw: tuple[str, ...]) -> ContractLine | Skipped:
        """One row; `row` counts the rows below the header from 1."""
        cells = _without(self.own, raw) if self.own else raw
        why = _why_skipped(cells, self.names, self.known)
        if why is not None:
            return Skipped(row, why, raw)
        line = _line(row, cells, self.reader, self.delimiter)
        return replace(line, raw=raw) if self.own else line

    def is_suspect(self, column: int, text: str) -> bool:
        """Whether a cell alone could make its row another thing than a line, or a shifted one.

        Where no cell of a row that is as wide as its header is suspect, and some cell is filled,
        the row is a line that stands under its headers.
        """
        body = clean(text)
        name = self.names[column] if column < len(self.names) else ""
        return bool(
            (name and body and normal(text) == name)
            or _FOOTER_WORDS.fullmatch(body.rstrip(": "))
            or _swallows_rows(text, self.delimiter)
            or text == NO_CELL
            or (column >= self.reader.widest and body)
        )


def _without(own: frozenset[int], cells: tuple[str, ...]) -> tuple[str, ...]:
    """The cells with those that this service appended to an earlier return emptied."""
    return tuple("" if i in own else cell for i, cell in enumerate(cells))


def _line(row: int, cells: tuple[str, ...], reader: LineReader, delimiter: str) -> ContractLine:
    """The line, unless a quotation mark has swallowed what look like further rows."""
    if any(_swallows_rows(cell, delimiter) for cell in cells):
        return shifted_line(row, cells, WHY_SWALLOWED)
    return read_line(row, cells, reader)


def _swallows_rows(cell: str, delimiter: str) -> bool:
    return (
        bool(delimiter)
        and ("\n" in cell or "\r" in cell)
        and cell.count(delimiter) >= _SWALLOWED_CELLS
    )


def _line_reader(
    header: tuple[str, ...], own: frozenset[int], known: Header, witness: Witness
) -> LineReader:
    beyond = [i for i, cell in enumerate(header) if i in own or clean(cell) == BEYOND]
    widest = min(beyond, default=len(header))
    narrowest = max((i + 1 for i, cell in enumerate(header[:widest]) if clean(cell)), default=0)
    return line_reader(known.columns, narrowest, widest, *witness.rules())


def _filled(cells: Sequence[str]) -> bool:
    return any(clean(cell) for cell in cells)


def _why_skipped(cells: tuple[str, ...], names: list[str], known: Header) -> str | None:
    if not _filled(cells):
        return WHY_BLANK
    if _repeats_header(cells, names):
        return WHY_HEADER
    return WHY_FOOTER if _is_footer(cells, known) else None


def _repeats_header(cells: tuple[str, ...], names: list[str]) -> bool:
    filled = [(i, cell) for i, cell in enumerate(cells) if clean(cell)]
    if not any(i < len(names) and normal(cell) == names[i] for i, cell in filled[:3]):
        return False
    filled = [(i, normal(cell)) for i, cell in filled]
    same = sum(1 for i, name in filled if i < len(names) and name and name == names[i])
    return same >= 2 and same * 5 >= len(filled) * 4


def _is_footer(cells: tuple[str, ...], known: Header) -> bool:
    """A row that names itself a total or an end and charges nobody's drug.

    A row that states a patient or a drug is always a line, whatever else it says: "Total
    parenteral nutrition" is a drug name.
    """
    told = _stated(cells, known, (*_IDENTITY, "drug_code"))
    if any(not _FOOTER_WORDS.fullmatch(text) for text in told):
        return False
    if any(not _BARE_TOTAL.fullmatch(text) for text in _stated(cells, known, ("drug_name",))):
        return False
    return any(_FOOTER_WORDS.fullmatch(clean(cell).rstrip(": ")) for cell in cells)


def _stated(cells: tuple[str, ...], known: Header, fields: Sequence[str]) -> Iterator[str]:
    """What a row states in these fields, without the cells that state nothing."""
    for field in fields:
        for i in known.columns.get(field, ()):
            if i < len(cells) and not is_absent(cells[i]):
                yield clean(cells[i]).rstrip(": ")


def own_columns(header: Sequence[str]) -> frozenset[int]:
    """The columns that an earlier return of this service appended."""
    return frozenset(i for i, name in enumerate(header) if clean(name).startswith(OWN_COLUMN))
