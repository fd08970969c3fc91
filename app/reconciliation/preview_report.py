"""A preview, and what a submission states, as lines of text. They name no patient."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from app.reconciliation.accepting import CORRECTS, FIRST, REPLACES, UNCHANGED, SliceChange
from app.reconciliation.emptying import Emptying
from app.reconciliation.preview import Preview
from app.reconciliation.report import pounds
from app.reconciliation.slice_store import CORRECTION, STATEMENT, SliceVersion
from app.reconciliation.slices import RowChange, SliceKey

_HOW = {
    FIRST: "stated for the first time",
    REPLACES: "replaces what stands",
    CORRECTS: "corrects a closed month",
    UNCHANGED: "says what stands",
}


def preview_lines(told: Preview) -> Iterator[str]:
    """A line for the file, one for each slice, and one for each row that would change."""
    yield f"{told.lines} lines, {told.skipped} rows skipped (layout {told.layout})."
    yield from told.notes
    if told.received is not None:
        yield "The same file was received before: sending it again changes nothing."
    for change, rows in zip(told.accepted.changes, told.rows, strict=True):
        yield _slice(change)
        yield from (f"  {_row(row)}" for row in rows.rows)
    if told.accepted.unplaced_lines:
        yield (
            f"{told.accepted.unplaced_lines} line(s) of £{pounds(told.accepted.unplaced_total)} do "
            "not say provider, commissioner or month: they belong to no slice."
        )
    for key in told.accepted.not_restated:
        yield f"{_name(key)}: stands, and is not in this file. A line that moved counts twice."
    yield "Nothing was stored."


def emptying_lines(told: Emptying) -> Iterator[str]:
    """A line for the month that is stated as empty, and one for each row that goes."""
    yield _slice(told.change)
    yield from (f"  {_row(row)}" for row in told.rows.rows)


def _slice(change: SliceChange) -> str:
    closed = "" if change.frozen_on is None else f" (closed since {change.frozen_on:%d/%m/%Y})"
    return (
        f"{_name(change.key)}: {_HOW[change.how]}{closed}: {change.was_lines} lines of "
        f"£{pounds(change.was_total)} → {change.lines} lines of £{pounds(change.total)}"
    )


def _name(key: SliceKey) -> str:
    return f"{key.provider} {key.commissioner} {key.financial_year} M{key.financial_month:02d}"


def _row(row: RowChange) -> str:
    if row.kind == "added":
        return f"row {row.row} added, {_amount(row.total)}"
    if row.kind == "removed":
        return f"row {row.was_row} of the older file removed, {_amount(row.was_total)}"
    named = ", ".join(row.fields) or "how it is written"
    totals = f"{_amount(row.was_total)} → {_amount(row.total)}"
    return f"row {row.row} changed (was row {row.was_row}): {named}; {totals}"


def _amount(amount: Decimal | None) -> str:
    return "no legible total" if amount is None else f"£{pounds(amount)}"


def stated_lines(stated: Sequence[tuple[SliceKey, SliceVersion, bool]]) -> Iterator[str]:
    """What of a submission is current, and what it corrected."""
    current = sum(is_current for _, _, is_current in stated)
    older = sum(v.kind == STATEMENT and v.lines > 0 and not now for _, v, now in stated)
    if current:
        yield f"{current} slice(s) of this file are current."
    if older:
        yield f"{older} slice(s) of this file are not: a newer file has replaced them."
    for key, version, _ in stated:
        if version.kind == CORRECTION:
            yield (
                f"{_name(key)} was closed: {version.lines_more:+} lines and "
                f"£{pounds(version.total_more)} were added as signed corrections."
            )
