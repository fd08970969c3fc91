"""Worklists: approvals and supplies that somebody should look at."""

import datetime as dt
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, Field

from app.api.documents import Document
from app.api.reading import read_recorded
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.slices import Code, Month, Year
from app.api.submissions import Reconciler, ThisDesk
from app.approvals.permissions import Action
from app.audit import Reading
from app.db.work import Work
from app.reconciliation import listing_work
from app.reconciliation.listing_work import Sought
from app.reconciliation.windows import Window
from app.reconciliation.worklists import Entry, Place, Worklist

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

LARGEST: Final = 1000
_PLACE: Final = r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}\.[0-9a-f-]{36}\.[0-9]{1,6}$"


def _a_day(text: str | None) -> str | None:
    try:
        place_of(text)
    except ValueError:
        raise ValueError("is not a day of the calendar") from None
    return text


PlaceText = Annotated[
    str | None,
    Query(pattern=_PLACE, description="The `next` of the page before, unchanged"),
    AfterValidator(_a_day),
]


def text_of(place: Place) -> str:
    """A place of a list as an address has it."""
    return f"{place.day.isoformat()}.{place.treatment_id}.{place.number}"


def place_of(text: str | None) -> Place | None:
    """The place that `text_of` wrote."""
    if text is None:
        return None
    day, treatment_id, number = text.split(".")
    return Place(dt.date.fromisoformat(day), treatment_id, int(number))


class LineReference(Document):
    """A line that it rests on."""

    run: str
    row: int


class EntryDocument(Document):
    """One thing to look at. It names no patient: read the treatment."""

    treatment: str
    reference: str | None
    drug: str
    providers: list[str]
    day: dt.date
    why: str
    lines: list[LineReference] = Field(description="Read them at /v1/runs/{run}/lines/{row}")


class WorklistDocument(Document):
    """A list, the oldest first. It is where to begin asking, never a finding."""

    name: Worklist
    count: int = Field(description="How many there are, also beyond the limit")
    entries: list[EntryDocument]
    next: str | None = Field(description="Send it as `after` for the next page; null at the end")


@router.get(
    "/worklists/{name}",
    summary="Read a worklist",
    openapi_extra=for_roles(Action.RECONCILE),
)
def read_worklist(
    request: Request,
    caller: Reconciler,
    desk: ThisDesk,
    name: Annotated[Worklist, Path(description="Which list")],
    provider: Code = None,
    financial_year: Year = None,
    financial_month: Month = None,
    window: Annotated[
        Window | None,
        Query(description="Whether the month of its day may still be challenged in time"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = 100,
    after: PlaceText = None,
) -> WorklistDocument:
    """Of your organisation's own approvals and the newest run over each of its submissions.

    Approvals with no supply after their start-by date; supplies after a stop; no supply for four
    months, measured to the newest supply that the provider invoiced; supplies of two trusts at the
    same time, of which one is not approved to supply.
    """

    sought = Sought(provider, financial_year, financial_month, window)

    def read(work: Work) -> tuple[WorklistDocument, Reading]:
        found = listing_work.worklist(work, desk, caller, name, limit, sought, place_of(after))
        body = WorklistDocument(
            name=name,
            count=found.count,
            entries=[_entry(each) for each in found.entries],
            next=None if found.next is None else text_of(found.next),
        )
        return body, Reading("worklist read", names=found.shown(name))

    return read_recorded(request, caller, read)


def _entry(each: Entry) -> EntryDocument:
    return EntryDocument(
        treatment=each.treatment_id,
        reference=each.reference,
        drug=each.drug,
        providers=list(each.providers),
        day=each.day,
        why=each.why,
        lines=[LineReference(run=run, row=row) for run, row in each.lines],
    )
