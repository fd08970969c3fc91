"""The current slices with their days of flex and freeze, and the worklists of supplies."""

import datetime as dt
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.slices_model import SliceList, slice_list
from app.api.submissions import desk_of
from app.api.worklists import PlaceText, place_of, text_of
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.db.work import Work
from app.policy.calendar import add_months
from app.reconciliation import listing_work
from app.reconciliation.listing_work import Sought
from app.reconciliation.parse_dates import financial_month_of
from app.reconciliation.slice_report import current_slices
from app.reconciliation.windows import Window
from app.reconciliation.worklists import Listed, Place, Worklist
from app.web.callers import caller_of, read_recorded
from app.web.desk.challenge_view import month_choices, window_choices
from app.web.desk.months_view import LISTS, entry_rows, slice_rows, sum_rows, years_of
from app.web.pages import PageRoute, door_of
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Year = Annotated[str | None, Query(pattern="^(20[0-9]{4})?$")]
_FIRST: Final = Worklist.NOT_STARTED
MONTHS_OFFERED: Final = 24
ENTRIES_ON_A_PAGE: Final = 100


@router.get("/slices")
def slices(request: Request, session: SignedInBrowser, financial_year: Year = None) -> Response:
    """Each provider, commissioner and month as it stands, and the sums of it."""
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)

    def read(work: Work) -> tuple[SliceList, SliceList]:
        every = current_slices(work, caller)
        of_year = [row for row in every if financial_year in (None, "", row.key.financial_year)]
        return slice_list(every), slice_list(tuple(of_year))

    every, shown = door_of(request).read(read)
    return page(
        request,
        "desk/slices.html",
        session=session,
        rows=slice_rows(shown, door_of(request).moment().day),
        sums=sum_rows(shown),
        years=years_of(every, financial_year or ""),
    )


@router.get("/supply-lists")
def first_list(request: Request, session: SignedInBrowser) -> Response:
    """The first of the lists."""
    return worklist(request, session, _FIRST)


@router.get("/supply-lists/{name}")
def worklist(
    request: Request,
    session: SignedInBrowser,
    name: Annotated[Worklist, Path()],
    month: Annotated[str, Query(pattern="^(20[0-9]{4} M[01][0-9])?$")] = "",
    window: Annotated[str, Query(max_length=10)] = "",
    after: PlaceText = None,
) -> Response:
    """Approvals and supplies that somebody should look at, the oldest first."""
    within = Window(window) if window in set(Window) else None
    year, _, number = month.partition(" M")
    sought = Sought(None, year or None, int(number) if number else None, within)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.RECONCILE)

    def read(work: Work) -> tuple[Listed, Reading]:
        found = listing_work.worklist(
            work, desk, caller, name, ENTRIES_ON_A_PAGE, sought, place_of(after)
        )
        return found, Reading("worklist read", names=found.shown(name))

    found = read_recorded(request, caller, read)
    return page(
        request,
        "desk/worklist.html",
        session=session,
        name=name,
        lists=LISTS,
        count=found.count,
        after=after,
        first_href=_address(name, month, within, None),
        next_href=None if found.next is None else _address(name, month, within, found.next),
        rows=entry_rows(found.entries),
        months=month_choices(_months(door_of(request).moment().day), month),
        windows=window_choices(within),
    )


def _address(name: str, month: str, window: Window | None, after: Place | None) -> str:
    """The address of a page of a list, with what is chosen of it."""
    chosen = {
        "month": month,
        "window": "" if window is None else window.value,
        "after": "" if after is None else text_of(after),
    }
    query = urlencode({each: value for each, value in chosen.items() if value})
    return f"/supply-lists/{name}?{query}" if query else f"/supply-lists/{name}"


def _months(today: dt.date) -> tuple[str, ...]:
    """The financial months of the last two years, the newest first, as `202526 M01`."""
    days = (add_months(today.replace(day=1), -ago) for ago in range(MONTHS_OFFERED))
    periods = (financial_month_of(day) for day in days if day is not None)
    return tuple(f"{year} M{number:02d}" for year, number in periods)
