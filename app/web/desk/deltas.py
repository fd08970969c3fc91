"""The deltas of closed months: what changed approvals make of lines that are settled."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.deltas import delta_list, export_reply
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation.delta_report import DeltaRow, deltas_for, shown
from app.web.callers import caller_of, read_recorded
from app.web.desk.deltas_view import delta_rows, export_href, month_rows
from app.web.pages import PageRoute
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser

router = APIRouter(prefix="/slices/deltas", route_class=PageRoute, include_in_schema=False)

Year = Annotated[str | None, Query(pattern="^(20[0-9]{4})?$")]
Month = Annotated[str | None, Query(pattern="^([1-9]|1[0-2])?$")]
Code = Annotated[str | None, Query(pattern="^([A-Z0-9]{3,9})?$")]
#: Deltas on a page; the export holds all.
MOST: Final = 200


@router.get("")
def deltas(
    request: Request,
    session: SignedInBrowser,
    financial_year: Year = None,
    financial_month: Month = None,
    provider: Code = None,
) -> Response:
    """Line by line what was frozen, what stands now, the difference, and what changed."""
    rows = _read(request, session, "deltas read", financial_year, financial_month, provider)
    found = delta_list(rows, MOST)
    return page(
        request,
        "desk/deltas.html",
        session=session,
        months=month_rows(found.slices),
        rows=delta_rows(found.deltas),
        left_out=found.left_out,
        export=export_href(financial_year, financial_month, provider),
        narrowed=bool(financial_year or financial_month or provider),
    )


@router.get("/export")
def export(
    request: Request,
    session: SignedInBrowser,
    financial_year: Year = None,
    financial_month: Month = None,
    provider: Code = None,
) -> Response:
    """The same as CSV, all of them."""
    return export_reply(
        _read(request, session, "deltas exported", financial_year, financial_month, provider)
    )


def _read(
    request: Request,
    session: Session,
    action: str,
    year: str | None,
    month: str | None,
    provider: str | None,
) -> Sequence[DeltaRow]:
    caller = caller_of(request, session)
    check_can(caller, Action.RECONCILE)

    def read(work: Work) -> tuple[Sequence[DeltaRow], Reading]:
        rows = deltas_for(
            work,
            caller,
            financial_year=year or None,
            financial_month=int(month) if month else None,
            provider=provider or None,
        )
        return rows, Reading(action, names=shown(rows))

    return read_recorded(request, caller, read)
