"""The documents of slices, and of what a submission does or would do to them."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from pydantic import Field

from app.api.documents import Document
from app.api.types import ExactNumber
from app.reconciliation.accepting import SliceChange
from app.reconciliation.preview import Preview
from app.reconciliation.slice_months import Challenged, MonthSum, by_month
from app.reconciliation.slice_report import CommissionerSum, SliceRow, by_commissioner
from app.reconciliation.slice_store import Period, SliceVersion
from app.reconciliation.slices import RowChange, SliceKey

MOST_ROWS = 1_000
NOTHING_CHALLENGED: Final[Mapping[Period, Challenged]] = {}


class SliceKeyDocument(Document):
    """Provider, commissioner, financial year and month: what a submission states whole."""

    provider: str
    commissioner: str
    financial_year: str = Field(examples=["202627"])
    financial_month: int = Field(description="1 is April")


class StatedDocument(SliceKeyDocument):
    """What a submission states for a slice. `correction`: the month was closed, and its signed
    difference to what stood is added to the frozen statement."""

    kind: str = Field(description="statement or correction")
    version: int
    current: bool = Field(description="Whether it is the slice's current statement")
    lines: int
    total: ExactNumber
    lines_more: int
    total_more: ExactNumber


class SliceDocument(SliceKeyDocument):
    """A slice as it stands. Amounts are exact, in pounds."""

    submission: str
    version: int
    accepted_at: dt.datetime
    lines: int
    total: ExactNumber
    accepted: ExactNumber | None = Field(
        description="Of the run that stands, or of a closed month as it was frozen; null before "
        "there is a run"
    )
    queried: ExactNumber | None
    deltas: int = Field(description="Lines of a closed month that changed since; see slice-deltas")
    accepted_more: ExactNumber = Field(description="The sum of its deltas, to be added")
    queried_more: ExactNumber
    out_of_date: int = Field(description="Changes of approvals that no run has seen yet")
    matching_failed: int = Field(
        description="Those of them whose matching failed too often to be tried again by itself: "
        "reconcile the submission again"
    )
    not_testable: ExactNumber | None = Field(
        description="Of what is accepted, of a closed month as it was frozen without deltas: lines "
        "with a test that could not be made; null before there is a run, and not known where the "
        "run, or what was frozen, is of before that was kept"
    )
    not_testable_more: ExactNumber | None = Field(
        description="The sum of its deltas, to be added; null, not known, where one was added "
        "before that was kept"
    )
    corrections: int
    corrected_lines: int
    corrected: ExactNumber = Field(description="The total with the corrections after the freeze")
    submission_by: dt.date | None
    flex: dt.date | None
    freeze: dt.date | None
    challenge_by: dt.date | None
    closed: bool = Field(description="The day of the freeze is over")
    stated_total: ExactNumber | None = Field(description="Aggregate Contract Monitoring figure")
    difference: ExactNumber | None = Field(description="Corrected total less the stated one")


class CommissionerDocument(Document):
    """A commissioner's current slices, summed; accepted and queried with deltas."""

    commissioner: str
    slices: int
    lines: int
    total: ExactNumber
    accepted: ExactNumber
    queried: ExactNumber
    not_testable: ExactNumber | None = Field(
        description="Of what is accepted, with the deltas of closed slices: lines with a test that "
        "could not be made; null where that is not known of a slice"
    )
    corrected: ExactNumber
    without_run: int = Field(description="Slices that no run has reconciled yet")
    with_stated_total: int
    stated_total: ExactNumber
    difference: ExactNumber


class MonthDocument(Document):
    """A month's current slices, summed, and what of the month is challenged and waits.

    `accepted` and `queried` are with the deltas of closed slices, `accepted_more` these alone.
    """

    financial_year: str = Field(examples=["202627"])
    financial_month: int = Field(description="1 is April")
    slices: int
    closed: int = Field(description="Slices whose freeze is over")
    lines: int
    total: ExactNumber
    accepted: ExactNumber
    queried: ExactNumber
    deltas: int
    accepted_more: ExactNumber
    not_testable: ExactNumber | None = Field(
        description="Of what is accepted, with the deltas of closed slices: lines with a test that "
        "could not be made; null where that is not known of a slice"
    )
    corrections: int
    more: ExactNumber = Field(description="What signed corrections after the freeze add")
    corrected: ExactNumber
    with_stated_total: int
    untied: int = Field(description="Slices that differ from their stated total")
    difference: ExactNumber
    open_challenges: int
    challenged: ExactNumber = Field(description="Pounds queried by open challenges")


class SliceList(Document):
    """The current slices, and their sums for each commissioner and month. No version is counted
    twice."""

    slices: list[SliceDocument]
    commissioners: list[CommissionerDocument]
    months: list[MonthDocument]


class RowChangeDocument(Document):
    """A row that would be added, removed or changed; `fields` names what differs."""

    kind: str
    was_row: int | None
    row: int | None
    fields: list[str]
    was_total: ExactNumber | None
    total: ExactNumber | None


class SlicePreviewDocument(SliceKeyDocument):
    """What a submission would do to a slice, row by row."""

    how: str = Field(description="first, replaces, corrects (the month is closed) or unchanged")
    closed_since: dt.date | None
    against: str | None = Field(description="The submission that stands")
    was_lines: int
    was_total: ExactNumber
    lines: int
    total: ExactNumber
    rows: list[RowChangeDocument]
    rows_left_out: int


class PreviewDocument(Document):
    """What accepting the file now would change. Nothing was stored."""

    received_before: str | None = Field(description="The submission, where the same file came")
    layout: str
    lines: int
    skipped: int
    notes: list[str]
    slices: list[SlicePreviewDocument]
    unplaced_lines: int = Field(description="Lines that do not say to which slice they belong")
    unplaced_total: ExactNumber
    not_restated: list[SliceKeyDocument] = Field(
        description="Slices of the same providers, up to the newest month stated, that stand as "
        "they are: a line that moved from one of them would count twice"
    )


def key_document(key: SliceKey) -> SliceKeyDocument:
    return SliceKeyDocument(**key._asdict())


def stated_document(key: SliceKey, version: SliceVersion, current: bool) -> StatedDocument:
    return StatedDocument(
        **key._asdict(),
        kind=version.kind,
        version=version.number,
        current=current,
        lines=version.lines,
        total=version.total,
        lines_more=version.lines_more,
        total_more=version.total_more,
    )


def slice_list(
    rows: tuple[SliceRow, ...], challenged: Mapping[Period, Challenged] = NOTHING_CHALLENGED
) -> SliceList:
    return SliceList(
        slices=[_slice(row) for row in rows],
        commissioners=[_commissioner(each) for each in by_commissioner(rows)],
        months=[_month(each) for each in by_month(rows, challenged)],
    )


def _month(each: MonthSum) -> MonthDocument:
    named = {"open_challenges", "with_stated_total", *Period._fields}
    same = {name: getattr(each, name) for name in MonthDocument.model_fields if name not in named}
    return MonthDocument(
        **each.period._asdict(),
        **same,
        open_challenges=each.challenges,
        with_stated_total=each.with_figure,
    )


def _slice(row: SliceRow) -> SliceDocument:
    month = row.month
    return SliceDocument(
        **row.key._asdict(),
        submission=row.submission,
        version=row.version,
        accepted_at=row.accepted_at,
        lines=row.lines,
        total=row.total,
        accepted=row.accepted,
        queried=row.queried,
        deltas=row.deltas,
        accepted_more=row.accepted_more,
        queried_more=row.queried_more,
        out_of_date=row.changes,
        matching_failed=row.given_up,
        not_testable=row.not_testable,
        not_testable_more=row.not_testable_more,
        corrections=row.corrections,
        corrected_lines=row.corrected_lines,
        corrected=row.corrected,
        submission_by=None if month is None else month.submission,
        flex=None if month is None else month.flex,
        freeze=None if month is None else month.freeze,
        challenge_by=None if month is None else month.challenge_by,
        closed=row.frozen_on is not None,
        stated_total=row.figure,
        difference=row.difference,
    )


def _commissioner(each: CommissionerSum) -> CommissionerDocument:
    return CommissionerDocument(
        commissioner=each.commissioner,
        slices=each.slices,
        lines=each.lines,
        total=each.total,
        accepted=each.accepted,
        queried=each.queried,
        not_testable=each.not_testable,
        corrected=each.corrected,
        without_run=each.without_run,
        with_stated_total=each.with_figure,
        stated_total=each.figure,
        difference=each.difference,
    )


def preview_document(told: Preview) -> PreviewDocument:
    changes = zip(told.accepted.changes, told.rows, strict=True)
    return PreviewDocument(
        received_before=None if told.received is None else told.received.id,
        layout=told.layout,
        lines=told.lines,
        skipped=told.skipped,
        notes=list(told.notes),
        slices=[slice_preview(change, rows.against, rows.rows) for change, rows in changes],
        unplaced_lines=told.accepted.unplaced_lines,
        unplaced_total=told.accepted.unplaced_total,
        not_restated=[key_document(key) for key in told.accepted.not_restated],
    )


def slice_preview(
    change: SliceChange, against: str | None, rows: tuple[RowChange, ...]
) -> SlicePreviewDocument:
    """What is or would be done to a slice, with the first of its rows."""
    return SlicePreviewDocument(
        **change.key._asdict(),
        how=change.how,
        closed_since=change.frozen_on,
        against=against,
        was_lines=change.was_lines,
        was_total=change.was_total,
        lines=change.lines,
        total=change.total,
        rows=[_row(row) for row in rows[:MOST_ROWS]],
        rows_left_out=max(0, len(rows) - MOST_ROWS),
    )


def _row(row: RowChange) -> RowChangeDocument:
    return RowChangeDocument(
        kind=row.kind,
        was_row=row.was_row,
        row=row.row,
        fields=list(row.fields),
        was_total=row.was_total,
        total=row.total,
    )
