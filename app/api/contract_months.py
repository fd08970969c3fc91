"""An organisation's contract calendar, the totals stated to it, and months stated as empty."""

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import WORDS_PATTERN, PlausibleDay, Reason, StoredNumber
from app.api.openapi import refusals
from app.api.request_bodies import example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.slices import Year
from app.api.slices_model import SlicePreviewDocument, slice_preview
from app.api.submissions import RECONCILERS, Reconciler, ThisDesk
from app.api.types import OrganisationCode
from app.api.writing import NAMED, Answer, write
from app.approvals.permissions import Action
from app.db.work import Work
from app.reconciliation import calendar, emptying
from app.reconciliation.emptying import Emptying
from app.reconciliation.slice_store import ContractMonth, MonitoringFigure
from app.reconciliation.slices import SliceKey

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)
KEEPERS: Final = for_roles(Action.KEEP_CALENDAR)
MOST: Final = 500
_YEAR: Final = {"pattern": "^20[0-9]{4}$", "examples": ["202627"]}
FinancialYear = Annotated[str, Field(**_YEAR)]
FinancialMonth = Annotated[int, Field(ge=1, le=12, description="1 is April", strict=True)]
Source = Annotated[
    str,
    Field(max_length=200, pattern=WORDS_PATTERN, description="Where it is written"),
]
_SLICE: Final = {
    "provider": "DEMO1",
    "commissioner": "DEMQ1",
    "financial_year": "202627",
    "financial_month": 1,
}


class ContractMonthDocument(Document):
    """The days of a contract month. From the day after its freeze it is closed."""

    financial_year: FinancialYear
    financial_month: FinancialMonth
    submission: PlausibleDay | None = None
    flex: PlausibleDay | None = None
    freeze: PlausibleDay | None = None
    challenge_by: PlausibleDay | None = None
    source: Source


class ContractCalendar(Document):
    """Contract months, as set last. A month that is not among them is open."""

    model_config = example(
        {
            "months": [
                {
                    "financial_year": "202627",
                    "financial_month": 1,
                    "flex": "2026-05-20",
                    "freeze": "2026-06-20",
                    "challenge_by": "2026-07-11",
                    "source": "Contract 2026/27, schedule 6 (invented)",
                }
            ]
        }
    )

    months: Annotated[list[ContractMonthDocument], Field(max_length=MOST)]


class _SliceNamed(Document):
    provider: OrganisationCode
    commissioner: OrganisationCode
    financial_year: FinancialYear
    financial_month: FinancialMonth


class StatedTotalDocument(_SliceNamed):
    """What the Aggregate Contract Monitoring set states for a slice, in pounds."""

    amount: StoredNumber
    source: Source


class StatedTotals(Document):
    """Stated totals, as set last."""

    model_config = example(
        {"totals": [{**_SLICE, "amount": "12500.00", "source": "ACM of May 2026 (invented)"}]}
    )

    totals: Annotated[list[StatedTotalDocument], Field(max_length=MOST)]


class SetDocument(Document):
    """How many were set. What was set before stays on record."""

    set: int


class EmptyMonthPreviewBody(_SliceNamed):
    """The month that would be stated as empty."""

    model_config = example(dict(_SLICE))


class EmptyMonthBody(_SliceNamed):
    """The month that is stated as empty, with the lines and pounds that are seen to stand."""

    model_config = example(
        {**_SLICE, "lines": 2, "total": "1250.00", "reason": "Posted to the wrong month."}
    )

    lines: Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]
    total: StoredNumber
    reason: Reason


@router.get("/calendar", summary="List the contract months", openapi_extra=RECONCILERS)
def list_calendar(
    request: Request, caller: Reconciler, financial_year: Year = None
) -> ContractCalendar:
    """Days for submission, flex, freeze and challenges, as your organisation has set them."""
    found = door_of(request).read(lambda work: calendar.calendar_for(work, caller, financial_year))
    names = ContractMonthDocument.model_fields
    return ContractCalendar(
        months=[ContractMonthDocument(**{n: getattr(each, n) for n in names}) for each in found]
    )


@router.post(
    "/calendar",
    summary="Set contract months",
    response_model=SetDocument,
    responses=refusals(422),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def set_calendar(request: Request, caller: SignedIn, body: ContractCalendar) -> Response:
    """The months named are set; others stand. Moving a freeze on opens the month again."""
    months = [ContractMonth(**each.model_dump()) for each in body.months]

    def keep(work: Work) -> Answer:
        calendar.set_calendar(work, caller, months)
        return Answer(200, SetDocument(set=len(months)))

    return write(request, caller, keep)


@router.get("/stated-totals", summary="List the stated totals", openapi_extra=RECONCILERS)
def list_totals(request: Request, caller: Reconciler, financial_year: Year = None) -> StatedTotals:
    """Aggregate Contract Monitoring figures that your organisation has set."""
    found = door_of(request).read(lambda work: calendar.figures_for(work, caller, financial_year))
    return StatedTotals(
        totals=[
            StatedTotalDocument(**each.key._asdict(), amount=each.amount, source=each.source)
            for each in found
        ]
    )


@router.post(
    "/stated-totals",
    summary="Set stated totals",
    response_model=SetDocument,
    responses=refusals(422),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def set_totals(request: Request, caller: SignedIn, desk: ThisDesk, body: StatedTotals) -> Response:
    """Slices are held against them; a difference is shown, and refuses nothing."""
    stated = [MonitoringFigure(_key(each), each.amount, each.source) for each in body.totals]

    def keep(work: Work) -> Answer:
        figures = calendar.folded_figures(stated, desk.organisations.fold)
        calendar.set_figures(work, caller, figures)
        return Answer(200, SetDocument(set=len(figures)))

    return write(request, caller, keep)


@router.post(
    "/empty-month-previews",
    summary="See what stating a month empty would change",
    responses=refusals(404, 409),
    openapi_extra=KEEPERS,
)
def preview_empty_month(
    request: Request, caller: SignedIn, desk: ThisDesk, body: EmptyMonthPreviewBody
) -> SlicePreviewDocument:
    """Row by row what would go. Nothing is stored."""
    found = door_of(request).read(
        lambda work: emptying.preview_empty(work, desk, caller, _key(body))
    )
    return _told(found)


@router.post(
    "/empty-months",
    status_code=201,
    summary="State that a month has no lines",
    response_model=SlicePreviewDocument,
    responses=refusals(404, 409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def state_empty_month(
    request: Request, caller: SignedIn, desk: ThisDesk, body: EmptyMonthBody
) -> Response:
    """Replaces what stands by nothing, or after the freeze corrects it to nothing.

    Refused unless `lines` and `total` are what stands.
    """
    return write(
        request,
        caller,
        lambda work: Answer(
            201,
            _told(
                emptying.state_empty(
                    work,
                    desk,
                    caller,
                    _key(body),
                    lines=body.lines,
                    total=body.total,
                    reason=body.reason,
                )
            ),
        ),
    )


def _key(named: _SliceNamed) -> SliceKey:
    return SliceKey(*(getattr(named, name) for name in SliceKey._fields))


def _told(found: Emptying) -> SlicePreviewDocument:
    return slice_preview(found.change, found.rows.against, found.rows.rows)
