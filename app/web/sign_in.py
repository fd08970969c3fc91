"""Signing in and out: with the provider, or in the demonstration by choosing who to be."""

import datetime as dt
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from app.api import security
from app.api.security import ACCEPTED, REFUSED, What
from app.audit.model import Actor
from app.auth import national, people, sessions
from app.auth.errors import NotAllowed
from app.auth.people import Seat
from app.auth.sessions import Session
from app.db.work import Work
from app.demonstration.organisations import ISSUER, only_in_the_browser, seats
from app.problems import BAD_REQUEST, NO_SUCH_ADDRESS, DoorProblem
from app.settings import LOOPBACK
from app.web import cookies
from app.web.browsers import browser_words
from app.web.pages import (
    PageRoute,
    check_csrf,
    correlation_of,
    door_of,
    form_of,
    go,
    signed_in,
    whole_form_of,
)
from app.web.provider import Provider, ProviderRefused, SignedIn, TooWeak
from app.web.rendering import page

#: Each is a word of the provider's, signed; a provider may end a whole hospital's at once.
_LOGOUTS_A_MINUTE = 6_000

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SignedInBrowser = Annotated[Session, Depends(signed_in)]
FormFields = Annotated[dict[str, str], Depends(form_of)]
#: For pages that show a form again with what cannot be taken of it.
WholeForm = Annotated[dict[str, str], Depends(whole_form_of)]


@router.get("/sign-in")
def start_page(request: Request) -> Response:
    """Where to begin."""
    settings = request.app.state.settings
    invented = _invented() if settings.demonstration_sign_in else []
    return page(request, "sign_in.html", provider=bool(settings.oidc_issuer), invented=invented)


@router.get("/sign-in/start")
def start(request: Request, again: str = "") -> Response:
    """Send the browser to the provider, with what it must bring back.

    `again=yes`: the person proves anew who they are, to end sessions of theirs.
    """
    provider, anew = _provider(request), again == "yes"
    _limit(request)
    browser, state, expected = door_of(request).transact(
        lambda work: sessions.begin(work, again=anew)
    )
    reply = go(provider.address(state, expected, again=anew))
    cookies.give(reply, cookies.SIGN_IN, browser)
    return reply


@router.get("/sign-in/callback")
def callback(request: Request) -> Response:
    """The browser comes back with a code, from the sign-in that it began and no other."""
    provider, door, query = _provider(request), door_of(request), request.query_params
    _limit(request)
    browser = cookies.read(request, cookies.SIGN_IN)
    expected = door.transact(lambda work: sessions.take(work, browser, query.get("state", "")))
    issuer = query.get("iss", provider.issuer)
    if expected is None or issuer != provider.issuer or not query.get("code"):
        raise _not_completed()
    try:
        said = provider.exchange(query["code"], expected)
    except TooWeak:
        raise _too_weak() from None
    except ProviderRefused:
        raise _not_completed() from None
    again = query.get("state", "").startswith(sessions.AGAIN)
    if again and not _is_fresh(said, door.now()):
        raise _not_asked_again()
    correlation_id = correlation_of(request)
    secret, opened = door.transact(lambda work: _open(request, work, said, correlation_id))
    to = "/sessions" if again else None
    return _enter(request, secret, opened, to, how="provider", **said.assurance())


@router.get("/role")
def roles(request: Request, session: SignedInBrowser) -> Response:
    """The roles to choose from."""
    return page(request, "role.html", session=session)


@router.post("/role")
def choose(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Act in one of them, under a new session secret."""
    check_csrf(session, form)
    chosen = {f"{seat.organisation} {seat.role}": seat for seat in session.choices}.get(
        form.get("seat", "")
    )
    if chosen is None:
        raise NotAllowed("act in that role", "it is not one of yours", "Choose one of the list.")
    secret = cookies.read(request, cookies.SESSION)
    fresh = door_of(request).transact(
        lambda work: sessions.choose(work, secret, session, chosen, correlation_of(request))
    )
    security.acts(request, replace(session, seat=chosen))
    security.note(request, What.ROLE, ACCEPTED)
    reply = go("/")
    cookies.give(reply, cookies.SESSION, fresh)
    return reply


@router.post("/sign-out")
def sign_out(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """End the session here, and at the provider."""
    check_csrf(session, form)
    door_of(request).transact(
        lambda work: sessions.end(work, session, "sign out", correlation_of(request))
    )
    security.note(request, What.SIGN_OUT, ACCEPTED)
    reply = go(_sign_out_address(request, session) or "/signed-out")
    cookies.take_back(reply, cookies.SESSION)
    # Nothing is cached or kept by our pages; a browser that did all the same forgets it now.
    reply.headers["Clear-Site-Data"] = '"cache", "storage"'
    return reply


@router.get("/signed-out")
def signed_out(request: Request) -> Response:
    """Says that it is done."""
    return page(request, "signed_out.html")


@router.post("/sign-in/back-channel-logout")
async def back_channel(request: Request) -> Response:
    """The provider says that a session, or a person, signed out there (OpenID Connect)."""
    async with request.form(max_fields=5, max_files=0) as form:
        text = form.get("logout_token")
    return await run_in_threadpool(_signed_out_there, request, text)


@router.post("/sign-in/demonstration")
def be_somebody(request: Request, form: FormFields) -> Response:
    """Be one of the invented people. Served only where the settings allow it."""
    if not request.app.state.settings.demonstration_sign_in:
        raise DoorProblem(NO_SUCH_ADDRESS, "Sign in with your provider.")
    peer = request.client.host if request.client else ""
    if peer not in LOOPBACK:
        raise NotAllowed("sign in so", "it is for this machine only", "Sign in on it.")
    chosen = next((one for one in _invented() if one["key"] == form.get("who")), None)
    if chosen is None:
        raise DoorProblem(BAD_REQUEST, "Choose one of the list.")
    correlation_id = correlation_of(request)

    def run(work: Work) -> tuple[str, Session]:
        person = people.known_person(
            work,
            _door_actor(correlation_id),
            issuer=ISSUER,
            subject=chosen["key"],
            name=chosen["name"],
        )
        if person is None:
            raise NotAllowed("sign in", "this person was revoked", "Choose another.")
        limits = request.app.state.session_limits
        _end_the_one_before(request, work, correlation_id)
        return sessions.open_session(
            work,
            person,
            (chosen["seat"],),
            limits,
            correlation_id=correlation_id,
            browser=_browser(request),
            proved_at=work.moment.instant,
        )

    return _enter(request, *door_of(request).transact(run), how="demonstration")


# --- parts ---------------------------------------------------------------------------------------


def _provider(request: Request) -> Provider:
    found = request.app.state.provider
    if found is None:
        raise DoorProblem(NO_SUCH_ADDRESS, "This service has no sign-in provider.")
    assert isinstance(found, Provider)
    return found


def _limit(request: Request, what: str = "sign-in from", per_minute: int | None = None) -> None:
    peer = request.client.host if request.client else ""
    request.app.state.limits.check(f"{what} {peer}", door_of(request).now(), per_minute)


def _open(request: Request, work: Work, said: SignedIn, correlation_id: str) -> tuple[str, Session]:
    subject = national.subject_of(said.claims)
    if subject is None:
        raise _not_completed()
    known = people.find_person(work, _provider(request).issuer, subject)
    if known is not None:
        security.claims(request, known.id)
    person = people.known_person(
        work,
        _door_actor(correlation_id),
        issuer=_provider(request).issuer,
        subject=subject,
        name=national.name_of(said.claims),
    )
    if person is None:
        raise NotAllowed("sign in", "your access was revoked", "Ask the service's administrator.")
    _end_the_one_before(request, work, correlation_id)
    return sessions.open_session(
        work,
        person,
        national.seats_from(said.claims, request.app.state.national_roles, work.moment.day),
        request.app.state.session_limits,
        correlation_id=correlation_id,
        provider_session=said.session,
        provider_subject=_subject_there(said),
        browser=_browser(request),
        proved_at=said.proved_at,
    )


def _end_the_one_before(request: Request, work: Work, correlation_id: str) -> None:
    """Whoever signs in again leaves no session of this browser behind that could be used."""
    secret = cookies.read(request, cookies.SESSION)
    before = secret and sessions.find_session(work, secret, request.app.state.session_limits)
    if before:
        sessions.end(work, before, "sign in again", correlation_id)


def _subject_there(said: SignedIn) -> str | None:
    """The subject, by which a logout token may name the person; at most 255 characters long."""
    found = said.claims.get("sub")
    return found if isinstance(found, str) and len(found) <= 255 else None


def _browser(request: Request) -> str | None:
    return browser_words(request.headers.get("user-agent", ""))


def _is_fresh(said: SignedIn, now: dt.datetime) -> bool:
    """Whether the provider asked the person while this sign-in was under way."""
    return said.proved_at is not None and now - said.proved_at <= sessions.SIGN_IN_LIFE


def _enter(
    request: Request, secret: str, opened: Session, to: str | None = None, **how: str
) -> Response:
    security.acts(request, opened)
    security.note(request, What.SIGN_IN, ACCEPTED, **how)
    reply = go(to or ("/role" if opened.seat is None else "/"))
    cookies.give(reply, cookies.SESSION, secret)
    cookies.take_back(reply, cookies.SIGN_IN)
    return reply


def _signed_out_there(request: Request, text: Any) -> Response:
    provider = _provider(request)
    # Not the bucket of sign-ins: a provider that ends everybody's sessions is one peer.
    _limit(request, "signed out at the provider, from", _LOGOUTS_A_MINUTE)
    correlation_id = correlation_of(request)
    try:
        if not isinstance(text, str) or len(text) > 10_000:
            raise ProviderRefused("There is no logout token.")
        said = provider.signed_out(text)
    except ProviderRefused as error:
        security.note(request, What.PROVIDERS_SIGN_OUT, REFUSED, why=str(error))
        return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400)

    def run(work: Work) -> int | None:
        return sessions.end_at_provider(
            work,
            issuer=provider.issuer,
            jti=said.jti,
            provider_session=said.session,
            provider_subject=said.subject,
            correlation_id=correlation_id,
        )

    ended = door_of(request).transact(run)
    outcome = REFUSED if ended is None else ACCEPTED
    why = "its token was used before" if ended is None else f"{ended} sessions ended"
    security.note(request, What.PROVIDERS_SIGN_OUT, outcome, why=why)
    if ended is None:
        again = {"error": "invalid_request", "error_description": "It was used before."}
        return JSONResponse(again, 400)
    return Response(status_code=200)


def _sign_out_address(request: Request, session: Session) -> str | None:
    provider, settings = request.app.state.provider, request.app.state.settings
    if provider is None or session.person.issuer != provider.issuer:
        return None
    try:
        address = provider.sign_out_address()
    except DoorProblem:
        return None  # signed out here all the same
    query = {
        "client_id": settings.oidc_client_id,
        "post_logout_redirect_uri": settings.address("/signed-out"),
    }
    return address and f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def _invented() -> list[dict[str, Any]]:
    return [
        {"key": one.token, "name": one.name, "seat": Seat(one.organisation, one.role)}
        for one in (*seats(), *only_in_the_browser())
        if one.kind == "person"
    ]


def _door_actor(correlation_id: str) -> Actor:
    return Actor("sign-in", "system", "SERVICE", "door", "pages", correlation_id)


def _too_weak() -> NotAllowed:
    return NotAllowed(
        "sign in so",
        "this service asks for a stronger sign-in than the one that you used",
        "Begin again and use the second factor that your organisation gave you, such as a "
        "smartcard, a security key or an authenticator.",
    )


def _not_asked_again() -> NotAllowed:
    return NotAllowed(
        "end sessions so",
        "the sign-in service did not say that it asked you again who you are",
        "Nothing was ended, and you are signed in as before. Ask an administrator of your "
        "organisation to end them.",
    )


def _not_completed() -> NotAllowed:
    return NotAllowed(
        "sign in so",
        "what came back does not belong to a sign-in that this browser began, or it took too long",
        "Begin again from the sign-in page.",
    )
