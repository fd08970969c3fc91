"""A person's own open sessions: seeing them, and ending one or all others."""

from typing import Final

from fastapi import APIRouter, Request, Response

from app.api import security
from app.api.fields import IdPath
from app.api.security import ACCEPTED, What
from app.approvals.errors import NotFound
from app.auth import own_sessions
from app.auth.own_sessions import proved_lately
from app.auth.sessions import Session
from app.web.pages import PageRoute, check_csrf, correlation_of, door_of, go
from app.web.rendering import page
from app.web.sessions_view import ended_words, session_cards
from app.web.sign_in import FormFields, SignedInBrowser

AT: Final = "/sessions"
router = APIRouter(prefix=AT, route_class=PageRoute, include_in_schema=False)


@router.get("")
def show(request: Request, session: SignedInBrowser, ended: str = "") -> Response:
    """The open sessions of whoever asks. `ended` says how many were ended just now."""
    limits = request.app.state.session_limits
    found = door_of(request).read(lambda work: own_sessions.open_of(work, session, limits))
    cards = session_cards(found)
    return page(
        request,
        "sessions.html",
        session=session,
        this=next((each for each in cards if each.this), None),
        others=[each for each in cards if not each.this],
        proved=proved_lately(session, door_of(request).now()),
        again=_again(request, session),
        ended=ended_words(ended),
    )


@router.post("/end-others")
def end_others(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """End every session of the person but the one that asks."""
    check_csrf(session, form)
    limits, correlation_id = request.app.state.session_limits, correlation_of(request)
    ended = door_of(request).transact(
        lambda work: own_sessions.end_others(work, session, limits, correlation_id)
    )
    return _done(request, ended)


@router.post("/{id}/end")
def end(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """End one other session of the person; anybody else's is not found."""
    check_csrf(session, form)
    correlation_id = correlation_of(request)
    theirs = door_of(request).transact(
        lambda work: own_sessions.end_other(work, session, id, correlation_id)
    )
    if not theirs:
        raise NotFound("session")
    return _done(request, 1)


def _done(request: Request, ended: int) -> Response:
    security.note(request, What.SIGN_OUT, ACCEPTED, why=f"sessions ended by their person: {ended}")
    return go(f"{AT}?ended={ended}")


def _again(request: Request, session: Session) -> str:
    """Where the person proves anew who they are."""
    provider = request.app.state.provider
    if provider is not None and session.person.issuer == provider.issuer:
        return "/sign-in/start?again=yes"
    return "/sign-in"
