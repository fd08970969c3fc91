"""A patient's timeline: treatments, decisions, scores and supplies, in order of time."""

from fastapi import APIRouter, Request

from app.api.callers import SignedIn
from app.api.fields import IdPath
from app.api.reading import read_recorded
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice
from app.api.timeline_model import TimelineDocument, timeline_document
from app.approvals.office import Office
from app.approvals.permissions import Action
from app.approvals.timeline import timeline
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation.supplied import supplies_of

router = APIRouter(prefix="/v1/treatments", tags=["treatments"], route_class=StrictRoute)


@router.get(
    "/{id}/timeline",
    summary="Show the timeline of a treatment's patient",
    openapi_extra=for_roles(Action.READ),
)
def show(request: Request, caller: SignedIn, office: ThisOffice, id: IdPath) -> TimelineDocument:
    """Treatments, requests and their decisions, approvals, scores as forms state them, supplies.

    Of every treatment of the patient that you may see, and of each no more than it tells by itself.
    A patient's other treatments are found as a search finds them: not of a patient who objects to
    being shown beyond those who treat them. Supplies are those of your organisation's own runs.
    Each treatment that is told of is on record as read.
    """
    return read_recorded(request, caller, lambda work: read_timeline(work, office, caller, id))


def read_timeline(
    work: Work, office: Office, caller: Caller, treatment_id: str
) -> tuple[TimelineDocument, tuple[Reading, ...]]:
    """The document, and what is to be put on record as read."""
    found = timeline(work, office, caller, treatment_id)
    ids = [view.treatment.id for view in found.treatments]
    document = timeline_document(work, office, caller, found, supplies_of(work, caller, ids))
    return document, tuple(Reading("timeline read", each) for each in ids)
