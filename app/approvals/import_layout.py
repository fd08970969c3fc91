"""Which column of an import holds what: the packaged names, and recognising a header row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

import yaml

from app.approvals.import_errors import ImportColumnsAmbiguous, ImportColumnsNotKnown
from app.reference_data.tabular import DELIMITERS, NotATable, rows_of

HEADERS_FILE = "import_headers.yaml"
#: Title lines may stand above the header, but not many.
ROWS_TO_LOOK_AT = 20
FEWEST_RECOGNISED = 4


class Standing(StrEnum):
    """What the old system's status means for coverage."""

    APPROVED = "approved"
    COMPLETE = "complete"
    STOPPED = "stopped"
    NO_COVERAGE = "no_coverage"


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of columns and statuses, by letters and digits only."""

    fields: Mapping[str, str]
    labels: Mapping[str, str]
    statuses: Mapping[str, Standing]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file under its header: where each field stands, and the rows below with their numbers.

    Numbers are those that a spreadsheet shows; blank rows are left out.
    """

    columns: Mapping[str, int]
    width: int
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def cell(self, cells: Sequence[str], name: str) -> str:
        """The raw cell of a field; empty where the column or the cell is missing."""
        at = self.columns.get(name)
        return cells[at] if at is not None and at < len(cells) else ""


@cache
def load_layout() -> Layout:
    """The packaged names. ValueError where one name stands for two things."""
    text = (resources.files("app.approvals") / "data" / HEADERS_FILE).read_text(encoding="utf-8")
    return parse_layout(text)


def parse_layout(text: str) -> Layout:
    """As `load_layout`, for text already in hand."""
    document = yaml.safe_load(text)
    fields: dict[str, str] = {}
    for field, names in document["fields"].items():
        for name in names:
            if fields.setdefault(normal(name), field) != field:
                raise ValueError(f"{HEADERS_FILE}: '{name}' stands for two fields. Keep one.")
    for name in document["not_read"]:
        if normal(name) in fields:
            raise ValueError(f"{HEADERS_FILE}: '{name}' is both read and not read. Keep one.")
    statuses: dict[str, Standing] = {}
    for standing, words in document["statuses"].items():
        for word in words:
            if statuses.setdefault(normal(word), Standing(standing)) != Standing(standing):
                raise ValueError(f"{HEADERS_FILE}: '{word}' means two things. Keep one.")
    labels = {field: names[0] for field, names in document["fields"].items()}
    return Layout(fields, labels, statuses)


def normal(name: str) -> str:
    """A column's or status's name as it is compared: letters and digits, lower case."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def read_sheet(text: str, layout: Layout) -> Sheet:
    """The file under its header.

    Raises ImportColumnsNotKnown or ImportColumnsAmbiguous; NotATable where it is no CSV.
    """
    best: tuple[int, int, str] | None = None
    tables: dict[str, tuple[tuple[str, ...], ...]] = {}
    broken: NotATable | None = None
    for delimiter in DELIMITERS:
        try:
            tables[delimiter] = rows_of(text, delimiter)
        except NotATable as error:
            broken = broken or error
            continue
        for at, cells in enumerate(tables[delimiter][:ROWS_TO_LOOK_AT]):
            found = len(_fields_of(cells, layout))
            if found >= FEWEST_RECOGNISED and (best is None or found > best[0]):
                best = (found, at, delimiter)
    if best is None:
        if broken is not None:
            raise broken
        raise ImportColumnsNotKnown(_missing({}, layout))
    _, at, delimiter = best
    return _under(tables[delimiter], at, layout)


def _under(table: tuple[tuple[str, ...], ...], at: int, layout: Layout) -> Sheet:
    columns = _fields_of(table[at], layout)
    twice = tuple(layout.labels[name] for name, found in columns.items() if len(found) > 1)
    if twice:
        raise ImportColumnsAmbiguous(twice)
    missing = _missing(columns, layout)
    if missing:
        raise ImportColumnsNotKnown(missing)
    rows = tuple(
        (number, cells)
        for number, cells in enumerate(table[at + 1 :], start=at + 2)
        if any(cell.strip() for cell in cells)
    )
    return Sheet({name: found[0] for name, found in columns.items()}, len(table[at]), rows)


def is_header(cells: Sequence[str], layout: Layout) -> bool:
    """Whether a row is a header, such as one repeated on each page."""
    return len(_fields_of(cells, layout)) >= FEWEST_RECOGNISED


def _fields_of(cells: Sequence[str], layout: Layout) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for at, cell in enumerate(cells):
        field = layout.fields.get(normal(cell))
        if field is not None:
            found.setdefault(field, []).append(at)
    return found


#: What an approval cannot do without: one of each group.
NEEDED = (
    ("legacy_reference",),
    ("nhs_number", "local_id"),
    ("birth_date",),
    ("provider",),
    ("commissioner",),
    ("drug",),
    ("policy", "form", "guidance", "indication"),
    ("status",),
    ("approved_on",),
)


def _missing(columns: Mapping[str, object], layout: Layout) -> tuple[str, ...]:
    return tuple(
        " or ".join(layout.labels[name] for name in group)
        for group in NEEDED
        if not any(name in columns for name in group)
    )
