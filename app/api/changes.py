"""What happened: the audit trail of a request, and the feed of changes that a caller may see."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, Field
from sqlalchemy import ColumnElement, and_, or_, select

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import IdPath
from app.api.reading import read_recorded
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.veil import Veil
from app.approvals.permissions import Action, can, check_can
from app.approvals.scope import TOLD_TO_SUPPLIERS, told_as_supplier, visible_requests
from app.approvals.store import find_request
from app.approvals.trails import fits, visible_events
from app.audit import READING, Reading, TrailEntry, changes_after, request_trail
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.challenge_store import visible_challenges

router = APIRouter(prefix="/v1", tags=["audit"], route_class=StrictRoute)

#: Reading is audited too, but it is no change. Earlier releases had no kind of their own for it.
NO_CHANGE: Final = ("searched", "checked without submitting", "known answers read")
LARGEST_PAGE: Final = 500


class ActorDocument(Document):
    """Who acted, for which organisation and in which role."""

    id: str
    kind: str
    organisation: str
    role: str


class TrailDocument(Document):
    """One entry of the audit log."""

    at: AwareDatetime
    actor: ActorDocument
    action: str
    object_type: str
    object_id: str
    object_number: int = Field(description="Counts the object's entries from 1 without a gap")
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    policy_hash: str | None
    correlation_id: str
    erased_at: AwareDatetime | None = Field(description="When before and after were erased")


class RequestTrail(Document):
    """Everything that happened to a request, oldest first."""

    entries: list[TrailDocument]


class ChangeDocument(Document):
    """That something changed, and where to read it. It carries no patient data."""

    at: AwareDatetime
    organisation: str = Field(description="Whose step it was")
    action: str
    object_type: str
    object_id: str
    object_number: int
    treatment_id: str | None
    request_id: str | None


class ChangePage(Document):
    """Changes in the order in which they are read; none is ever skipped."""

    changes: list[ChangeDocument]
    next: str = Field(
        description="Send it as 'after' next time, also when this page is empty; it is then "
        "behind what you may not see"
    )


@router.get(
    "/requests/{id}/audit",
    summary="Read a request's audit trail",
    openapi_extra=for_roles(Action.READ_AUDIT),
)
def show_trail(request: Request, caller: SignedIn, id: IdPath) -> RequestTrail:
    """Who did what to a request that you may see, or read it, with what it was before and after."""

    def read(work: Work) -> tuple[RequestTrail, Reading]:
        check_can(caller, Action.READ_AUDIT)
        found = find_request(work, caller, id)
        veil = Veil.over_treatment(work, caller, found.treatment_id)
        entries = [veil.over(trail_document(e)) for e in request_trail(work, id)]
        reading = Reading("audit trail read", found.treatment_id, id)
        return RequestTrail(entries=entries), reading

    return read_recorded(request, caller, read)


@router.get(
    "/changes",
    summary="Follow the changes that you may see",
    openapi_extra=for_roles(Action.READ),
)
def list_changes(
    request: Request,
    caller: SignedIn,
    after: Annotated[
        str | None,
        Query(
            pattern="^((0|[1-9][0-9]{0,17})[.]){1,2}(0|[1-9][0-9]{0,17})$",
            description="'next' of the page before; leave it out to begin at the beginning",
            examples=["1.0.0"],
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
) -> ChangePage:
    """A cursor feed: poll it with the last 'next', then read the objects that it names.

    Searches, dry runs and other readings are left out. Who supplies a treatment for another is told
    of a stop, a transfer, and that it did not start, where that cuts its own days, and of a stop
    that is taken back; of no request.
    """

    def read(work: Work) -> ChangePage:
        check_can(caller, Action.READ)
        entries, cursor = changes_after(work, after, limit, visible_changes(caller))
        seen = _requests_seen(work, caller, entries)
        return ChangePage(changes=[change_document(entry, seen) for entry in entries], next=cursor)

    return door_of(request).read(read)


def visible_changes(caller: Caller) -> ColumnElement[bool]:
    """Condition on `audit_event`: changes of treatments, requests and challenges one may see."""
    event = tables.audit_event.c
    told = and_(
        visible_events(caller), event.object_type != READING, event.action.not_in(NO_CHANGE)
    )
    told = or_(told, told_as_supplier(caller))
    if not can(caller, Action.READ_CHALLENGES):
        return told
    of_challenge = fits(event.object_id == tables.challenge.c.id, visible_challenges(caller))
    return or_(told, and_(event.object_type == "challenge", of_challenge))


def trail_document(entry: TrailEntry) -> TrailDocument:
    """An entry of the audit log in full."""
    same = ("at", "action", "object_type", "object_id", "object_number", "before", "after")
    actor = entry.actor
    return TrailDocument(
        **{name: getattr(entry, name) for name in same},
        actor=ActorDocument(
            id=actor.id, kind=actor.kind, organisation=actor.organisation, role=actor.role
        ),
        policy_hash=entry.policy_hash,
        correlation_id=actor.correlation_id,
        erased_at=entry.erased_at,
    )


def _requests_seen(
    work: Work, caller: Caller, entries: Sequence[TrailEntry]
) -> Collection[str | None]:
    """Of the requests that these entries name, those that the caller may see."""
    named = {entry.request_id for entry in entries if entry.action in TOLD_TO_SUPPLIERS}
    others = {entry.request_id for entry in entries} - named
    ids = named - {None}
    if not ids:
        return others
    r = tables.request.c
    query = select(r.id).where(r.id.in_(ids), visible_requests(caller))
    return others | set(work.connection.execute(query).scalars())


def change_document(entry: TrailEntry, requests: Collection[str | None]) -> ChangeDocument:
    """An entry of the audit log as the feed tells it, without what was changed.

    `requests`: those that the caller may see; another's is not named.
    """
    same = ("at", "action", "object_type", "object_id", "object_number")
    return ChangeDocument(
        **{name: getattr(entry, name) for name in same},
        organisation=entry.actor.organisation,
        treatment_id=entry.treatment_id,
        request_id=entry.request_id if entry.request_id in requests else None,
    )
