"""Replays in the browser: asked for on a version's or a draft's page, worked off by the worker."""

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request, Response

from app.api.fields import IdPath
from app.api.policies import PolicyKey, VersionNumber
from app.approvals.library import Library
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.authoring import drafting, proving
from app.authoring.draft_check import check_draft
from app.authoring.errors import BenchRefused
from app.authoring.replay.jobs import Asked, find_replay, queue_replay, replays_of
from app.db.jobs import Job
from app.db.work import Work
from app.policy import Kind, PolicyVersion
from app.problems import BAD_REQUEST, DoorProblem
from app.reference_data.drugs import load_drugs
from app.web.acting import act_once, fresh_name
from app.web.callers import caller_of, read_recorded, this_office
from app.web.library import replay_view
from app.web.library.room import room_of
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/replays")
def list_replays(request: Request, session: SignedInBrowser) -> Response:
    """The organisation's newest replays."""
    caller = caller_of(request, session)
    found = door_of(request).read(lambda work: replays_of(work, caller))
    rows = replay_view.replay_rows(found)
    return page(request, "library/replays.html", session=session, rows=rows)


@router.get("/replays/{id}")
def show(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """What a replay came to; until it is done, that it is being worked out."""
    caller = caller_of(request, session)
    check_can(caller, Action.REPLAY)
    may_read = can(caller, Action.READ)

    def read(work: Work) -> tuple[Job, Reading]:
        return find_replay(work, caller, id), Reading("policy replay read", names={"job": id})

    # Whoever sees which requests would change has read of them, and is put on record.
    found = (
        read_recorded(request, caller, read)
        if may_read
        else door_of(request).read(lambda work: find_replay(work, caller, id))
    )
    return page(
        request,
        "library/replay.html",
        session=session,
        job=found,
        asked=found.payload,
        shown=replay_view.outcome_of(found, may_read=may_read),
    )


@router.get("/library/{policy}/{version}/replay")
def ask(
    request: Request, session: SignedInBrowser, policy: PolicyKey, version: VersionNumber
) -> Response:
    """Ask for the last year under this version."""
    check_can(caller_of(request, session), Action.REPLAY)
    library = _library(request)
    return _asking(request, session, library, library.get(policy, version), "")


@router.post("/library/{policy}/{version}/replay")
def queue(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    form: FormFields,
) -> Response:
    """Queue it for the worker."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.REPLAY)
    library = _library(request)
    return _queued(request, session, form, library, library.get(policy, version), None)


@router.get("/policy-drafts/{id}/replay")
def ask_of_draft(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """Ask for the last year under a draft, as it was saved."""
    check_can(caller_of(request, session), Action.WRITE_POLICY)
    library, version = _draft(request, session, id)
    return _asking(request, session, library, version, id)


@router.post("/policy-drafts/{id}/replay")
def queue_of_draft(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Queue it for the worker."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.WRITE_POLICY)
    library, version = _draft(request, session, id)
    return _queued(request, session, form, library, version, id)


@router.post("/library/{policy}/{version}/proofs")
def prove(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    form: FormFields,
) -> Response:
    """Ask the worker for a version's proofs."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.WRITE_POLICY)
    found = _library(request).get(policy, version)

    def take(work: Work) -> str:
        proving.queue_proof(work, caller, found)
        return f"/library/{policy}/{version}#proofs"

    return _asked(request, session, form, take)


@router.post("/library/{policy}/{version}/changes/proofs")
def prove_against(
    request: Request,
    session: SignedInBrowser,
    policy: PolicyKey,
    version: VersionNumber,
    form: FormFields,
) -> Response:
    """Ask the worker what a version does to another one of its policy."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.WRITE_POLICY)
    library = _library(request)
    found, other = library.get(policy, version), library.get(policy, form.get("since", ""))

    def take(work: Work) -> str:
        proving.queue_comparison(work, caller, other, found)
        return f"/library/{policy}/{version}/changes?since={other.version}#proofs"

    return _asked(request, session, form, take)


def _asked(
    request: Request, session: Session, form: Mapping[str, str], take: Callable[[Work], str]
) -> Response:
    try:
        return act_once(request, session, form, take)
    except BenchRefused as error:
        raise DoorProblem(BAD_REQUEST, str(error)) from None


# --- parts --------------------------------------------------------------------------------------


def _library(request: Request) -> Library:
    return door_of(request).read(this_office(request).library_at)


def _draft(request: Request, session: Session, id: str) -> tuple[Library, PolicyVersion]:
    """The version that a draft's text is. Raises DoorProblem where it is none."""
    caller, room, library = caller_of(request, session), room_of(request), _library(request)
    draft = door_of(request).read(lambda work: drafting.find_draft(work, caller, id))
    checked = check_draft(
        draft.text, library, room.shelf(), room.catalogue.area, load_drugs().keys()
    )
    if not isinstance(checked.found, PolicyVersion):
        raise DoorProblem(
            BAD_REQUEST, "Only a draft of a version that loads can be replayed. Mend it first."
        )
    return library, checked.found


def _others(library: Library, version: PolicyVersion) -> tuple[PolicyVersion, ...]:
    held = library.versions(version.policy) if library.decides(version.policy) else ()
    return tuple(each for each in reversed(held) if each.hash != version.hash)


def _asking(
    request: Request, session: Session, library: Library, version: PolicyVersion, draft: str
) -> Response:
    others = _others(library, version)
    at = f"/policy-drafts/{draft}" if draft else f"/library/{version.policy}/{version.version}"
    return page(
        request,
        "library/replay_ask.html",
        session=session,
        version=version,
        at=at,
        others=[each.version for each in others],
        usual=replay_view.usual_other(version, others),
        kinds=replay_view.kinds_of(version),
        once=fresh_name(request),
    )


def _queued(
    request: Request,
    session: Session,
    form: dict[str, str],
    library: Library,
    version: PolicyVersion,
    draft: str | None,
) -> Response:
    caller: Caller = caller_of(request, session)
    kind, against = form.get("kind", ""), form.get("against", "")
    if kind not in set(Kind):
        raise DoorProblem(BAD_REQUEST, "Go back and choose the kind of request.")
    other = None
    if against:
        other = next((v for v in _others(library, version) if v.version == against), None)
        if other is None:
            raise DoorProblem(BAD_REQUEST, "Go back and choose a version to compare with.")

    def take(work: Work) -> str:
        return f"/replays/{queue_replay(work, caller, Asked(version, Kind(kind), other, draft))}"

    try:
        return act_once(request, session, form, take)
    except BenchRefused as error:
        raise DoorProblem(BAD_REQUEST, str(error)) from None
