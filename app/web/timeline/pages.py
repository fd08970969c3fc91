"""The timeline of a treatment's patient."""

from fastapi import APIRouter, Request, Response

from app.api.timeline import read_timeline
from app.approvals.permissions import Action, can
from app.web.callers import caller_of, read_recorded, this_office
from app.web.decision import patient_words
from app.web.pages import PageRoute
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser
from app.web.starting import IdPath
from app.web.timeline.view import timeline_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/treatments/{id}/timeline")
def show(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """What happened to the patient's treatments, what was measured, and what was supplied."""
    caller, office = caller_of(request, session), this_office(request)
    document = read_recorded(request, caller, lambda work: read_timeline(work, office, caller, id))
    return page(
        request,
        "timeline/timeline.html",
        session=session,
        treatment=id,
        patient=patient_words(document.patient),
        view=timeline_view(document, can(caller, Action.RECONCILE)),
    )
