"""Handing a drug's treatments to another commissioner: one proposes, another confirms."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from app.api.fields import IdPath
from app.api.hand_overs import HandOverBody
from app.api.submissions import desk_of
from app.approvals import handing
from app.approvals.errors import DetailsNotAccepted, NotFound
from app.approvals.handed import HandedPlace, handed, received
from app.approvals.permissions import Action, check_can
from app.approvals.second_person import CONFIRMED, WAITING, place_of
from app.auth.sessions import Session
from app.clock import london_day
from app.db.jobs import Job
from app.db.work import Work
from app.problems import BAD_REQUEST, DoorProblem
from app.reconciliation import handing_over
from app.reference_data.drugs import load_drugs
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of, this_office
from app.web.desk.hand_overs_view import (
    MISSING,
    effect_pairs,
    handed_rows,
    progress_of,
    proposal_pairs,
    proposal_rows,
    receivers,
)
from app.web.form.typed import day_parts, typed_day
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.paging import ASKED_FOR, AfterQuery, one_page, place_in, second_place
from app.web.places import instant_of, parts_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/hand-overs", route_class=PageRoute, include_in_schema=False)
HOME = "/hand-overs"
_Several = tuple[handing.HandOver, ...]
_Found = tuple[_Several, _Several, _Several]


@router.get("")
def show(
    request: Request,
    session: SignedInBrowser,
    only: Annotated[str, Query(alias="list", pattern="^(proposals|given|received)?$")] = "",
    after: AfterQuery = None,
) -> Response:
    """What waits for a second person, what was handed over and what was received.

    `list` names the one of the three that is read on, from behind a place.
    """
    caller = caller_of(request, session)
    check_can(caller, Action.HAND_OVER)
    asked = place_in(after, second_place) if only == "proposals" else None
    behind = place_in(after, _handed_place) if only in ("given", "received") else None

    def read(work: Work) -> _Found:
        return (
            handing.proposals(work, caller, ASKED_FOR, asked, without=CONFIRMED),
            handed(work, caller, ASKED_FOR, behind if only == "given" else None),
            received(work, caller, ASKED_FOR, behind if only == "received" else None),
        )

    proposals, given, got = door_of(request).read(read)
    at = after if only else None
    shown, more = one_page(proposals, place_of, f"{HOME}?list=proposals", at)
    given_shown, given_more = one_page(given, _handed_key, f"{HOME}?list=given", at)
    got_shown, got_more = one_page(got, _handed_key, f"{HOME}?list=received", at)
    return page(
        request,
        "desk/hand_overs.html",
        session=session,
        only=only,
        proposals=proposal_rows(shown),
        given=handed_rows(given_shown),
        received=handed_rows(got_shown),
        onward={"proposals": more, "given": given_more, "received": got_more},
    )


def _handed_key(found: handing.HandOver) -> tuple[Any, ...]:
    return found.decided_at, found.id


def _handed_place(text: str) -> HandedPlace:
    at, id_ = parts_of(text, 2)
    return HandedPlace(instant_of(at), id_)


@router.get("/new")
def ask(request: Request, session: SignedInBrowser) -> Response:
    """The form: which drug, to whom, from which day, and why."""
    check_can(caller_of(request, session), Action.HAND_OVER)
    return _form(request, session, {}, {})


@router.post("/preview")
def preview(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """What the hand-over would touch; nothing is proposed yet."""
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.HAND_OVER)
    body, wrong = body_of(HandOverBody, _values(form))
    if body is None:
        missing = {name: words for name, words in MISSING.items() if name in wrong}
        return _form(request, session, form, missing)
    asked = body.asked()
    try:
        effect, charged = door_of(request).transact(
            lambda work: handing_over.preview(work, desk, caller, asked)
        )
    except DetailsNotAccepted as error:
        return _form(request, session, form, {error.field: str(error)})
    return page(
        request,
        "desk/hand_over_preview.html",
        session=session,
        asked=effect_pairs(asked, effect, charged),
        kept={name: form[name] for name in sorted(form) if name in _BOXES},
        once=fresh_name(request),
    )


@router.post("")
def propose(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Propose it; nothing is handed over until another person confirms."""
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.HAND_OVER)
    body, _ = body_of(HandOverBody, _values(form))
    if body is None:
        raise DoorProblem(BAD_REQUEST, "Part of the form cannot be read. Fill it again.")
    asked = body.asked()

    def take(work: Work) -> str:
        return f"{HOME}/{handing_over.propose(work, desk, caller, asked).id}"

    return act_once(request, session, form, take)


@router.get("/{id}")
def show_one(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """One proposal of the organisation: what it is about, and whether it can be confirmed."""
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[handing.HandOver, Job | None, bool, bool]:
        found = handing.proposal(work, caller, id)
        job = handing.job_of(work, found) if found.state == handing.UNDER_WAY else None
        # Of many it is worked out when they are confirmed, not each time the page is looked at.
        stale = not handing.is_of_many(found) and handing.is_stale(work, found)
        return found, job, stale, found.from_day > work.moment.day

    found, job, stale, early = door_of(request).read(read)
    failed = job is not None and job.state == "failed"  # so it may be confirmed again, or declined
    waits = found.state == WAITING or failed
    return page(
        request,
        "desk/hand_over.html",
        session=session,
        row=proposal_rows([found])[0],
        told=proposal_pairs(found),
        progress=None if job is None else progress_of(job),
        stale=stale,
        of_many=handing.is_of_many(found),
        early=waits and early,
        may_confirm=waits and not stale and not early and found.proposed_by != caller.id,
        may_decline=waits,
        own=found.proposed_by == caller.id,
        once=fresh_name(request),
    )


@router.get("/{id}/state")
def state(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """How far the worker is with it, for the page's script."""
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[handing.HandOver, Job | None]:
        found = handing.proposal(work, caller, id)
        return found, handing.job_of(work, found)

    found, job = door_of(request).read(read)
    if job is None:
        raise NotFound("job")
    told = progress_of(job)
    over = found.state != handing.UNDER_WAY or told.failed
    return JSONResponse({"words": told.words, "done": told.done, "of": told.of, "over": over})


@router.post("/{id}/confirm")
def confirm(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Hand over what another person proposed."""
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        made = handing.confirm(work, caller, id)
        return HOME if made.state == CONFIRMED else f"{HOME}/{id}"

    return act_once(request, session, form, take)


@router.post("/{id}/decline")
def decline(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Decline a proposal, or take one's own back."""
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        handing.decline(work, caller, id)
        return HOME

    return act_once(request, session, form, take)


_BOXES = ("receiver", "drug", "why", "from-day", "from-month", "from-year")


def _values(form: Mapping[str, str]) -> dict[str, Any]:
    """The form as the API takes it."""
    return {
        "receiver": form.get("receiver", ""),
        "drug": form.get("drug", ""),
        "from_day": typed_day("from", form),
        "why": form.get("why", "").strip(),
    }


def _form(
    request: Request, session: Session, form: Mapping[str, str], wrong: Mapping[str, str]
) -> Response:
    caller = caller_of(request, session)
    known, office = load_drugs().drugs, this_office(request)
    library = door_of(request).read(office.library_at)
    offered = {each.drug for each in library.all_versions()}  # a treatment is under a policy
    drugs = sorted((known[key].name, key) for key in offered if key in known)
    anchors = {"from_day": "#from-day"}
    return page(
        request,
        "desk/hand_over_new.html",
        session=session,
        status=422 if wrong else 200,
        typed=form,
        parts=day_parts(typed_day("from", form)),
        wrong=wrong,
        drugs=drugs,
        receivers=receivers(caller.organisation, london_day(door_of(request).now())),
        errors=[
            {"text": text, "href": anchors.get(name, f"#{name}")} for name, text in wrong.items()
        ],
    )
