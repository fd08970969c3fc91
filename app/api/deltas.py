"""Signed deltas of closed months: what changed approvals make of lines that are settled."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field

from app.api.documents import Document
from app.api.reading import read_recorded
from app.api.routing import StrictRoute
from app.api.slices import Code, Month, Year
from app.api.slices_model import SliceKeyDocument
from app.api.submissions import RECONCILERS, WHO, Reconciler
from app.api.types import ExactNumber
from app.audit import Reading
from app.db.work import Work
from app.reconciliation.delta_report import (
    ClosedMonth,
    DeltaRow,
    as_csv,
    closed_months,
    deltas_for,
    shown,
)

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)
LARGEST: Final = 1_000
_ABOUT: Final = (
    "When an approval is corrected, withdrawn, stopped for days past, transferred or brought over, "
    "or a decision by hand changes, its lines are matched again. An open month takes the new "
    "result; a month whose freeze is over keeps its own, and each line that now stands otherwise, "
    "or of which a test can be made now or no more, gets a signed delta; so does each line that a "
    "correction after the freeze adds, once it is reconciled, or takes away. Frozen amount and all "
    "deltas are what the lines stand at, exactly."
)


class DeltaDocument(SliceKeyDocument):
    """One line of a closed month that stands otherwise than it was frozen. Pounds, exact."""

    kind: str = Field(
        description="changed: a line that stood; added, taken away: by a correction after the "
        "freeze"
    )
    submission: str = Field(description="Whose row it is: the statement's, or a correction's")
    run: str = Field(
        description="The run that it comes of; of a line that was taken away the last that had it"
    )
    frozen_run: str = Field(description="The run that was frozen")
    row: int
    reference: str | None = Field(description="Of the approval that it stands on, or stood on")
    outcome_before: str
    outcome: str
    accepted_before: ExactNumber
    accepted: ExactNumber
    accepted_more: ExactNumber
    queried_before: ExactNumber
    queried: ExactNumber
    queried_more: ExactNumber
    not_testable_before: ExactNumber | None = Field(
        description="Of what was accepted of the line: all of it where a test could not be made, "
        "or nothing; null, not known, of deltas from before that was kept"
    )
    not_testable: ExactNumber | None
    not_testable_more: ExactNumber | None = Field(description="null where one side is not known")
    reason: str = Field(description="Why the line stands as it does")
    changed: str | None = Field(description="What changed; null where no one change is known")
    changed_at: AwareDatetime | None
    added_at: AwareDatetime


class ClosedMonthDocument(SliceKeyDocument):
    """A closed slice with deltas: frozen, the deltas' sum, and both. Pounds, exact."""

    deltas: int
    accepted: ExactNumber
    accepted_more: ExactNumber
    accepted_now: ExactNumber
    not_testable: ExactNumber | None = Field(
        description="Of what was accepted when it was frozen: lines with a test that could not be "
        "made; null, not known, where it was frozen before that was kept"
    )
    not_testable_more: ExactNumber | None = Field(
        description="The deltas' sum; null, not known, where one was added before that was kept"
    )
    not_testable_now: ExactNumber | None = Field(
        description="Both; null where one of them is not known"
    )
    queried: ExactNumber
    queried_more: ExactNumber
    queried_now: ExactNumber


class DeltaList(Document):
    """The deltas that count, and the slices that they change."""

    deltas: list[DeltaDocument]
    left_out: int = Field(description="How many more there are; the export holds all")
    slices: list[ClosedMonthDocument]


@router.get(
    "/slice-deltas",
    summary="List the deltas of closed months",
    description=f"{_ABOUT} {WHO}",
    openapi_extra=RECONCILERS,
)
def list_deltas(
    request: Request,
    caller: Reconciler,
    financial_year: Year = None,
    provider: Code = None,
    commissioner: Code = None,
    financial_month: Month = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = LARGEST,
) -> DeltaList:
    def read(work: Work) -> tuple[DeltaList, Reading]:
        rows = deltas_for(
            work,
            caller,
            financial_year=financial_year,
            provider=provider,
            commissioner=commissioner,
            financial_month=financial_month,
        )
        return delta_list(rows, limit), Reading("deltas read", names=shown(rows))

    return read_recorded(request, caller, read)


@router.get(
    "/slice-deltas/export",
    summary="Export the deltas of closed months as CSV",
    description=f"{_ABOUT} No cell is run as a formula. {WHO}",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}},
    openapi_extra=RECONCILERS,
)
def export_deltas(
    request: Request,
    caller: Reconciler,
    financial_year: Year = None,
    provider: Code = None,
    commissioner: Code = None,
    financial_month: Month = None,
) -> Response:
    def read(work: Work) -> tuple[Sequence[DeltaRow], Reading]:
        rows = deltas_for(
            work,
            caller,
            financial_year=financial_year,
            provider=provider,
            commissioner=commissioner,
            financial_month=financial_month,
        )
        return rows, Reading("deltas exported", names=shown(rows))

    return export_reply(read_recorded(request, caller, read))


def export_reply(rows: Sequence[DeltaRow]) -> Response:
    """The deltas as a file to take away."""
    return Response(
        as_csv(rows),
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="deltas.csv"',
        },
    )


def delta_list(rows: Sequence[DeltaRow], most: int) -> DeltaList:
    """The newest of the deltas, in their order, and the sums of all."""
    return DeltaList(
        deltas=[_delta(row) for row in rows[-most:]],
        left_out=max(0, len(rows) - most),
        slices=[_month(each) for each in closed_months(rows)],
    )


def _delta(row: DeltaRow) -> DeltaDocument:
    delta = row.delta
    return DeltaDocument(
        **row.key._asdict(),
        kind=delta.kind,
        submission=row.submission,
        run=row.run,
        frozen_run=row.frozen.run_id,
        row=delta.row,
        reference=delta.reference,
        outcome_before=delta.outcome_was,
        outcome=delta.outcome,
        accepted_before=delta.accepted_was,
        accepted=delta.accepted,
        accepted_more=delta.accepted_more,
        queried_before=delta.queried_was,
        queried=delta.queried,
        queried_more=delta.queried_more,
        not_testable_before=delta.not_testable_was,
        not_testable=delta.not_testable,
        not_testable_more=delta.not_testable_more,
        reason=delta.reason,
        changed=delta.cause,
        changed_at=delta.cause_at,
        added_at=delta.made_at,
    )


def _month(each: ClosedMonth) -> ClosedMonthDocument:
    return ClosedMonthDocument(
        **each.key._asdict(),
        deltas=each.deltas,
        accepted=each.accepted,
        accepted_more=each.accepted_more,
        accepted_now=each.accepted_now,
        not_testable=each.not_testable,
        not_testable_more=each.not_testable_more,
        not_testable_now=each.not_testable_now,
        queried=each.queried,
        queried_more=each.queried_more,
        queried_now=each.queried_now,
    )
