"""The overview's page. It reads what the worker counted, and counts nothing itself."""

from fastapi import APIRouter, Request, Response

from app.insight.figures import kept_for
from app.web.callers import caller_of
from app.web.overview.view import overview_of
from app.web.pages import PageRoute, door_of
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/overview")
def overview(request: Request, session: SignedInBrowser) -> Response:
    """Approvals, spend, overdue continuations and rates of one's own organisation."""
    caller = caller_of(request, session)
    kept = door_of(request).read(lambda work: kept_for(work, caller))
    return page(
        request,
        "overview/overview.html",
        session=session,
        organisation=caller.organisation,
        kept=kept,
        view=None if kept is None else overview_of(kept),
    )
