"""What an uploaded file would change, in words. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.api.slices_model import PreviewDocument, SlicePreviewDocument
from app.reconciliation.accepting import CORRECTS, FIRST, REPLACES, UNCHANGED
from app.web.decision import Colour
from app.web.desk.common import period_words
from app.web.words import day_words, number_words, pounds

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


@dataclass(frozen=True, slots=True)
class PreviewShown:
    """A preview with a page of the rows that would change; addresses lead to the others."""

    document: PreviewDocument
    slices: tuple[SliceChanges, ...]
    changed: int
    shown: str
    first: bool
    next_after: int | None


def preview_shown(
    document: PreviewDocument, rows: Sequence[Sequence[Any]], changed: int, after: int
) -> PreviewShown:
    """A page of a preview: these rows come after so many."""
    of_slice: dict[int, list[ChangedRow]] = defaultdict(list)
    for n, *values in rows:
        of_slice[n].append(_row(*values))
    last = after + len(rows)
    return PreviewShown(
        document=document,
        slices=tuple(_slice(each, tuple(of_slice[n])) for n, each in enumerate(document.slices)),
        changed=changed,
        shown=f"{number_words(after + 1)} to {number_words(last)}" if rows else "",
        first=after == 0,
        next_after=last if rows and last < changed else None,
    )


def _slice(each: SlicePreviewDocument, rows: tuple[ChangedRow, ...]) -> SliceChanges:
    how, colour = _HOW[each.how]
    month = period_words(each.financial_year, each.financial_month)
    closed = ""
    if each.closed_since is not None:
        closed = (
            f"The month closed on {day_words(each.closed_since)}: what stands is kept, and the "
            "signed difference is added as a correction."
        )
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
    )


def _row(
    kind: str,
    was_row: int | None,
    row: int | None,
    differing: Sequence[str],
    was_total: str | None,
    total: str | None,
) -> ChangedRow:
    where = f"row {row}" if row is not None else "not in this file"
    if was_row is not None and was_row != row:
        where += f" (was row {was_row})"
    names = ", ".join(each.replace("_", " ") for each in differing)
    if kind == "changed" and not names:
        names = "how it is written"
    return ChangedRow(
        _KINDS.get(kind, kind),
        where,
        names,
        "" if kind == "added" else pounds(was_total),
        "" if kind == "removed" else pounds(total),
    )
