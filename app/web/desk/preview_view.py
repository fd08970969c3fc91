"""What an uploaded file would change, in words. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.api.slices_model import PreviewDocument, RowChangeDocument, SlicePreviewDocument
from app.reconciliation.accepting import CORRECTS, FIRST, REPLACES, UNCHANGED
from app.web.decision import Colour
from app.web.desk.common import period_words
from app.web.words import day_words, pounds

_HOW: Final[dict[str, tuple[str, Colour]]] = {
    FIRST: ("First statement", "green"),
    REPLACES: ("Replaces what stands", "yellow"),
    CORRECTS: ("Corrects a closed month", "orange"),
    UNCHANGED: ("Says what stands", "grey"),
}
_KINDS: Final = {"added": "Added", "removed": "Removed", "changed": "Changed"}


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that would be added, removed or changed. It names no patient."""

    kind: str
    where: str
    fields: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class SliceChanges:
    """What would happen to one slice."""

    title: str
    how: str
    colour: Colour
    closed: str
    was_lines: int
    was_total: Decimal
    lines: int
    total: Decimal
    difference: Decimal
    rows: tuple[ChangedRow, ...]
    left_out: int


def slice_changes(document: PreviewDocument) -> tuple[SliceChanges, ...]:
    """Each slice of the file, those that change something that stands first."""
    order = (CORRECTS, REPLACES, FIRST, UNCHANGED)
    return tuple(_slice(each) for each in sorted(document.slices, key=lambda s: order.index(s.how)))


def _slice(each: SlicePreviewDocument) -> SliceChanges:
    how, colour = _HOW[each.how]
    month = period_words(each.financial_year, each.financial_month)
    closed = ""
    if each.closed_since is not None:
        closed = (
            f"The month closed on {day_words(each.closed_since)}: what stands is kept, and the "
            "signed difference is added as a correction."
        )
    # The first statement of a slice adds every row: that is no news, row by row.
    rows = () if each.how == FIRST else tuple(_row(row) for row in each.rows)
    return SliceChanges(
        title=f"{each.provider}, {month}, paid by {each.commissioner}",
        how=how,
        colour=colour,
        closed=closed,
        was_lines=each.was_lines,
        was_total=each.was_total,
        lines=each.lines,
        total=each.total,
        difference=each.total - each.was_total,
        rows=rows,
        left_out=0 if each.how == FIRST else each.rows_left_out,
    )


def _row(row: RowChangeDocument) -> ChangedRow:
    where = f"row {row.row}" if row.row is not None else "not in this file"
    if row.was_row is not None and row.was_row != row.row:
        where += f" (was row {row.was_row})"
    fields = ", ".join(each.replace("_", " ") for each in row.fields)
    if row.kind == "changed" and not fields:
        fields = "how it is written"
    return ChangedRow(
        _KINDS.get(row.kind, row.kind),
        where,
        fields,
        "" if row.kind == "added" else pounds(row.was_total),
        "" if row.kind == "removed" else pounds(row.total),
    )
