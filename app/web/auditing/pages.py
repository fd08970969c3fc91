"""The auditor's pages: find a trail, read it, narrow it, and see how the log stands."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.fields import ID_PATTERN, IdPath
from app.api.veil import Veil
from app.approvals import store, trails
from app.approvals.errors import NotFound
from app.approvals.permissions import Action, check_can
from app.audit import Reading, TrailEntry
from app.audit.findings import log_state
from app.auth.model import Caller
from app.auth.people import names_of
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import fresh_name
from app.web.auditing.view import LookedThrough, Wanted, state_rows, trail_of
from app.web.callers import caller_of, read_recorded
from app.web.form.typed import day_parts, typed_day
from app.web.pages import PageRoute, check_csrf, door_of, go
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/audit", route_class=PageRoute, include_in_schema=False)

#: At most so many events stand on one page.
MOST: Final = 300
_READ: Final = "audit trail read"
_NOTHING: Final = (
    "Nothing of your organisation is on record under that. Enter an approval's reference, or the "
    "id of a request or a treatment."
)
_WRONG_DAY: Final = "Enter a day, such as 15 7 2026, or leave it empty."
Named = tuple[tuple[TrailEntry, ...], dict[str, str]]
Chosen = Annotated[str, Query(max_length=60)]


@router.get("")
def start(request: Request, session: SignedInBrowser) -> Response:
    """How the log stands, and a field to find a trail by."""
    return _started(request, session)


@router.post("")
def find(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """The trail of what a reference or an id names."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.READ_AUDIT)
    typed = form.get("named", "").strip()
    found = door_of(request).read(lambda work: _found(work, caller, typed))
    return _started(request, session, typed, _NOTHING) if found is None else go(found)


@router.get("/requests/{id}")
def of_request(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    who: Chosen = "",
    action: Chosen = "",
) -> Response:
    """Who did what to a request, or read it."""
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[Named, Reading]:
        treatment_id, entries = trails.trail_of_request(work, caller, id)
        named = _named(work, caller, treatment_id, entries)
        return named, Reading(_READ, treatment_id, id)

    named = read_recorded(request, caller, read)
    return _shown(request, session, f"/requests/{id}", "The request", named, (who, action))


@router.get("/treatments/{id}")
def of_patient(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    who: Chosen = "",
    action: Chosen = "",
    before: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
) -> Response:
    """The same of every treatment of one patient that the organisation may see.

    Of lists that showed the patient among others a part is looked through at a time, the newest
    first: `before` is the event at which the part before it ended.
    """
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[tuple[Named, LookedThrough], Reading]:
        trail = trails.trail_of_patient(work, caller, id, before)
        looked = LookedThrough(before, trail.back_to, trail.since, request.query_params)
        return (_named(work, caller, id, trail.entries), looked), Reading(_READ, id)

    named, looked = read_recorded(request, caller, read)
    about = f"/treatments/{id}"
    return _shown(request, session, about, "The treatment", named, (who, action), looked)


def _found(work: Work, caller: Caller, typed: str) -> str | None:
    """The address of the trail that a reference or an id names."""
    if re.fullmatch(ID_PATTERN, typed.lower()) is None:
        try:
            approval = store.find_approval(work, caller, typed.upper())
        except NotFound:
            return None
        return f"/audit/treatments/{approval.treatment_id}"
    try:
        return f"/audit/requests/{store.find_request(work, caller, typed.lower()).id}"
    except NotFound:
        pass
    try:
        return f"/audit/treatments/{store.find_treatment(work, caller, typed.lower()).id}"
    except NotFound:
        return None


def _named(work: Work, caller: Caller, treatment_id: str, entries: tuple[TrailEntry, ...]) -> Named:
    """The entries as the reader may see them, and the names of who acted."""
    veil = Veil.over_treatment(work, caller, treatment_id)
    hidden = tuple(_veiled(veil, each) for each in entries)
    return hidden, names_of(work, {each.actor.id for each in entries})


def _veiled(veil: Veil, entry: TrailEntry) -> TrailEntry:
    return replace(entry, before=veil.over(entry.before), after=veil.over(entry.after))


def _shown(
    request: Request,
    session: Session,
    about: str,
    about_words: str,
    named: Named,
    chosen: tuple[str, str],
    looked: LookedThrough | None = None,
) -> Response:
    entries, names = named
    days, faults = _days(request.query_params)
    wanted = Wanted(*chosen, days.get("from"), days.get("to"))
    return page(
        request,
        "auditing/trail.html",
        status=422 if faults else 200,
        session=session,
        about=about,
        about_words=about_words,
        trail=trail_of(entries, names, wanted, MOST),
        wanted=wanted,
        parts={n: day_parts(typed_day(n, request.query_params)) for n in ("from", "to")},
        most=MOST,
        looked=looked,
        narrowed=wanted != Wanted(),
        faults=faults,
        errors=[{"text": text, "href": f"#{name}-day"} for name, text in faults.items()],
    )


def _days(query: Mapping[str, str]) -> tuple[dict[str, dt.date], dict[str, str]]:
    """The days typed, and what is wrong with one that is none."""
    days, faults = {}, {}
    for name in ("from", "to"):
        typed = typed_day(name, query)
        if typed is None:
            continue
        try:
            days[name] = dt.date.fromisoformat(typed)
        except ValueError:
            faults[name] = _WRONG_DAY
    return days, faults


def _started(request: Request, session: Session, typed: str = "", wrong: str = "") -> Response:
    caller = caller_of(request, session)
    check_can(caller, Action.READ_AUDIT)
    door = door_of(request)
    state = door.read(log_state)
    return page(
        request,
        "auditing/start.html",
        status=422 if wrong else 200,
        session=session,
        state=state_rows(state, door.now()),
        typed=typed,
        wrong=wrong,
        once=fresh_name(request),
        errors=[{"text": wrong, "href": "#named"}] if wrong else [],
    )
