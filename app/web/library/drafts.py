"""Policy drafts in the browser: written and checked by one author, published by another."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from app.api.fields import IdPath
from app.approvals.errors import ApprovalsError, VersionMismatch
from app.approvals.library import Library
from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.auth.sessions import Session
from app.authoring import drafting, prover, proving
from app.authoring.draft_check import CheckedDraft, check_draft
from app.authoring.drafting import PolicyDraft
from app.authoring.errors import BenchRefused
from app.authoring.skeleton import skeleton
from app.db.work import Work
from app.policy import PolicyVersion
from app.reference_data.drugs import load_drugs
from app.web.acting import act_once, fresh_name
from app.web.callers import caller_of, this_office, version_in
from app.web.library import draft_view
from app.web.library.room import room_of
from app.web.library.typed import TEXT, TextForm
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.paging import ASKED_FOR, AfterQuery, one_page, place_in
from app.web.places import instant_of, parts_of, rank_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/policy-drafts", route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What checks a draft: the library of this moment, and whom the page acts for."""

    caller: Caller
    library: Library


@router.get("")
def list_drafts(request: Request, session: SignedInBrowser, after: AfterQuery = None) -> Response:
    """A page of the organisation's drafts, and three ways to begin one."""
    return _listed(request, session, after=after)


@router.post("")
def begin(request: Request, session: SignedInBrowser, form: TextForm) -> Response:
    """Begin a draft: from a text or file, from a version of the library, or from nothing."""
    check_csrf(session, form)
    desk = _desk(request, session)
    try:
        text = _first_text(request, desk, form)
        drafting.check_storable(text)
        checked = _check(request, desk, text)

        def take(work: Work) -> str:
            made = drafting.create_draft(work, desk.caller, text, checked)
            return f"/policy-drafts/{made.id}"

        return act_once(request, session, form, take)
    except BenchRefused as error:
        return _listed(request, session, str(error))


@router.get("/{id}")
def show(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """A draft with its text, everything that is wrong with it, and what can be done."""
    return _shown(request, session, id)


@router.post("/{id}")
def save(request: Request, session: SignedInBrowser, id: IdPath, form: TextForm) -> Response:
    """Keep the text as it is now, and check it; what cannot be kept is told and shown again."""
    check_csrf(session, form)
    desk, text = _desk(request, session), form[TEXT]
    door_of(request).read(lambda work: drafting.find_draft(work, desk.caller, id))
    try:
        drafting.check_storable(text)
    except BenchRefused as error:
        return _shown(request, session, id, str(error))
    checked = _check(request, desk, text)

    def take(work: Work) -> str:
        drafting.save_draft(work, desk.caller, id, version_in(form), text, checked)
        return f"/policy-drafts/{id}#checked"

    try:
        return act_once(request, session, form, take)
    except VersionMismatch:
        return _shown(request, session, id, draft_view.SAVED_BETWEEN, text)


@router.get("/{id}/reading")
def preview(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """The draft as the library would show it: criteria, terms, forms, and what changes."""
    desk = _desk(request, session)
    draft = door_of(request).read(lambda work: drafting.find_draft(work, desk.caller, id))
    checked = _check(request, desk, draft.text)
    room = room_of(request)
    shown = draft_view.reading_of(checked.found, desk.library, room.catalogue, room.cases)
    return page(request, "library/draft_reading.html", session=session, draft=draft, shown=shown)


@router.post("/{id}/ask")
def ask(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Ask another author to publish it; its proofs are asked for along, where there is a prover."""

    def step(work: Work, caller: Caller, version: int, checked: CheckedDraft) -> None:
        drafting.ask_to_publish(work, caller, id, version, checked)
        if isinstance(checked.found, PolicyVersion) and prover.available():
            proving.queue_proof(work, caller, checked.found)

    return _step(request, session, id, form, step)


@router.post("/{id}/publish")
def publish(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Publish it, as the second person. Its text never changes after that."""
    office, publishers = this_office(request), request.app.state.settings.policy_publishers

    def step(work: Work, caller: Caller, version: int, checked: CheckedDraft) -> None:
        drafting.publish_draft(work, office.joined, caller, id, version, checked, publishers)

    return _step(request, session, id, form, step)


@router.post("/{id}/return")
def send_back(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Let it be written further before it is published."""

    def step(work: Work, caller: Caller, version: int, _: CheckedDraft) -> None:
        drafting.return_draft(work, caller, id, version)

    return _step(request, session, id, form, step)


@router.post("/{id}/proofs")
def prove(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Ask the worker for the proofs of the text as it was saved."""

    def step(work: Work, caller: Caller, _: int, checked: CheckedDraft) -> None:
        drafting.find_draft(work, caller, id)
        if not isinstance(checked.found, PolicyVersion):
            raise BenchRefused("Only a version without faults in its text can be proved.")
        proving.queue_proof(work, caller, checked.found)

    return _step(request, session, id, form, step)


@router.post("/{id}/discard")
def discard(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Put the draft away, text and all."""
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        drafting.discard_draft(work, caller, id, version_in(form))
        return "/policy-drafts"

    return act_once(request, session, form, take)


# --- parts --------------------------------------------------------------------------------------

_Step = Callable[[Work, Caller, int, CheckedDraft], None]


def _step(
    request: Request, session: Session, id: str, form: dict[str, str], step: _Step
) -> Response:
    """Take a step on the text as it is stored, checked anew before the transaction begins."""
    check_csrf(session, form)
    desk = _desk(request, session)
    draft = door_of(request).read(lambda work: drafting.find_draft(work, desk.caller, id))
    checked = _check(request, desk, draft.text)

    def take(work: Work) -> str:
        step(work, desk.caller, version_in(form), checked)
        return f"/policy-drafts/{id}"

    try:
        return act_once(request, session, form, take)
    except BenchRefused as error:
        return _shown(request, session, id, str(error))


def _desk(request: Request, session: Session) -> _Desk:
    caller = caller_of(request, session)
    check_can(caller, Action.WRITE_POLICY)
    return _Desk(caller, door_of(request).read(this_office(request).library_at))


def _check(request: Request, desk: _Desk, text: str) -> CheckedDraft:
    room = room_of(request)
    return check_draft(text, desk.library, room.shelf(), room.catalogue.area, load_drugs().keys())


def _first_text(request: Request, desk: _Desk, form: dict[str, str]) -> str:
    """The text to begin with. Raises BenchRefused where none was given."""
    if form.get("from"):
        policy, _, number = form["from"].partition("@")
        try:
            version = desk.library.get(policy, number)
        except ApprovalsError as error:
            raise BenchRefused(str(error)) from None
        return room_of(request).source_of(version)
    if form.get("drug"):
        indication = form.get("indication", "").strip()
        if not indication:
            raise BenchRefused("Say the indication in words, to begin from a blank policy.")
        today = door_of(request).moment().day
        return skeleton(form["drug"], indication, today, load_drugs().keys())
    return form[TEXT]


def _listed(
    request: Request, session: Session, wrong: str = "", after: str | None = None
) -> Response:
    caller = caller_of(request, session)
    check_can(caller, Action.WRITE_POLICY)
    place = place_in(after, _place)
    found, onward = one_page(
        door_of(request).read(lambda work: drafting.drafts_of(work, caller, ASKED_FOR, place)),
        drafting.place_of,
        "/policy-drafts",
        after,
    )
    return page(
        request,
        "library/drafts.html",
        status=422 if wrong else 200,
        session=session,
        rows=draft_view.draft_rows(found, caller.id),
        onward=onward,
        drugs=sorted((drug.name, key) for key, drug in load_drugs().drugs.items()),
        once=fresh_name(request),
        errors=[{"text": wrong, "href": "#new"}] if wrong else [],
    )


def _place(text: str) -> drafting.Place:
    rank, at, id_ = parts_of(text, 3)
    return drafting.Place(rank_of(rank), instant_of(at), id_)


def _shown(
    request: Request, session: Session, id: str, wrong: str = "", typed: str | None = None
) -> Response:
    desk = _desk(request, session)

    def read(work: Work) -> tuple[PolicyDraft, CheckedDraft, draft_view.ProofState]:
        draft = drafting.find_draft(work, desk.caller, id)
        checked = _check(request, desk, draft.text if typed is None else typed)
        digest = draft.hash or ""
        waiting = proving.waiting_proof(work, desk.caller.organisation, digest)
        proof = proving.stored_proof(work, digest)
        return draft, checked, draft_view.ProofState(proof, waiting is not None)

    draft, checked, proofs = door_of(request).read(read)
    return page(
        request,
        "library/draft.html",
        status=409 if wrong == draft_view.SAVED_BETWEEN else 422 if wrong else 200,
        session=session,
        draft=draft,
        text=draft.text if typed is None else typed,
        checked=checked,
        proof=proofs.proof,
        proving=proofs.waits,
        may=draft_view.steps_of(
            draft,
            checked,
            desk.caller,
            request.app.state.settings.policy_publishers,
            proved=proofs,
        ),
        once=fresh_name(request),
        errors=[{"text": wrong, "href": "#text"}] if wrong else [],
    )
