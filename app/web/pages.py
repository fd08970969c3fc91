"""What every page and every form of a page goes through."""

import hmac
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app import problems
from app.api import security
from app.api.callers import door_of as door_of
from app.api.routing import is_upload
from app.auth.errors import NotSignedIn
from app.auth.sessions import SEEN_EVERY, Session, find_session, seen
from app.db.work import Work
from app.problems import BAD_REQUEST, NOT_ALLOWED, DoorProblem
from app.problems import BODY_TOO_LARGE as TOO_LARGE
from app.web import cookies
from app.web.not_sent import OTHER_SESSION, SIGNED_OUT, not_sent, too_large, unfit_page
from app.web.rendering import page
from app.web.searching import too_long_search
from app.web.too_many import TooManySteps, too_many

LONGEST_FIELD: Final = 2000
#: No keyboard types these, the API takes none, and PostgreSQL keeps no NUL.
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: Forms in which nothing is typed that could be lost.
_WITHOUT_WORDS: Final = frozenset({"/sign-out", "/role"})
#: Not counted: whoever wants to be out is let out.
_UNCOUNTED: Final = frozenset({"/sign-out"})
#: Counted by session: who used up a person's steps elsewhere must not keep them from ending that.
_OWN_SESSIONS: Final = "/sessions"
#: Bytes of a form with a file that are not the file's.
_REST_OF_FORM: Final = 65_536
#: What a page says no with.
_REFUSALS: Final[tuple[type[Exception], ...]] = (*problems.TABLE, DoorProblem)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def correlation_of(request: Request) -> str:
    """The correlation id that the outer middleware gave the call."""
    return str(request.scope.get("state", {}).get("correlation_id", ""))


class OtherSession(DoorProblem):
    """A form that carries another session's token, or none."""


class Unfit(DoorProblem):
    """A form with fields that cannot be taken. `wrong` says of each what is the matter with it.

    `form` is all of it, as the page shows it again.
    """

    def __init__(
        self, wrong: Mapping[str, str], form: Mapping[str, str], *, file: bool = False
    ) -> None:
        super().__init__(BAD_REQUEST, "Part of the form cannot be taken. Shorten it.")
        self.wrong, self.form, self.file = wrong, form, file


UNREAD_FORM: Final = (
    "This form cannot be read: it is not one of this service's, or part of it is missing. Go back, "
    "load the page again, and send it once more."
)
UNREAD_ADDRESS: Final = (
    "The address of this page cannot be read: part of it was cut off or changed, or is too long. "
    "Go back, and open the page by its link."
)


class PageRoute(APIRoute):
    """A route of pages: refusals are pages too, and who is not signed in is sent to sign in."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                _note_stale(request)
                if request.method == "POST" and request.url.path not in _WITHOUT_WORDS:
                    return await not_sent(request, SIGNED_OUT, 401)
                return go("/sign-in")
            except OtherSession as error:
                security.note_refusal(request, error)
                return await not_sent(request, OTHER_SESSION, 403)
            except Unfit as error:
                security.note_refusal(request, error)
                return unfit_page(request, error.wrong, error.form, file=error.file)
            except TooManySteps as error:
                security.note_refusal(request, error)
                return await too_many(request, error)
            except RequestValidationError as error:
                unread = UNREAD_FORM if request.method == "POST" else UNREAD_ADDRESS
                words = too_long_search(error) or unread
                return refusal(request, DoorProblem(BAD_REQUEST, words))
            except HTTPException as error:  # of the framework: the form is none that it reads
                if error.status_code != BAD_REQUEST.status:
                    raise
                return refusal(request, DoorProblem(BAD_REQUEST, UNREAD_FORM))
            except _REFUSALS as error:
                security.note_refusal(request, error)
                if is_upload(request.scope.get("route")) and problems.kind_of(error) is TOO_LARGE:
                    largest = request.app.state.settings.max_upload_bytes
                    return too_large(request, largest_file(largest).words)
                return refusal(request, error)

        return shown


@dataclass(frozen=True, slots=True)
class LargestFile:
    """How many bytes a file may have, and what is said of more."""

    bytes: int
    words: str


def largest_file(limit: int) -> LargestFile:
    """The largest file that a form may carry whose body has this limit, in bytes."""
    size = f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit:,} bytes"
    words = f"The file is over {size}. Choose a smaller one: nothing was sent."
    return LargestFile(max(limit - _REST_OF_FORM, 0), words)


def _note_stale(request: Request) -> None:
    """A secret that opens nothing is worth a note; a first visit without one is not."""
    if not cookies.read(request, cookies.SESSION):
        return
    known = getattr(request.state, "acting", None) is not None
    why = "no role was chosen" if known else "its session is over, or never was"
    security.note(request, security.What.CREDENTIAL, security.REFUSED, why=why)


def refusal(request: Request, error: Exception) -> Response:
    """A page that says what was refused, why and what to do next."""
    kind = problems.kind_of(error)
    reply = page(
        request,
        "refusal.html",
        status=kind.status,
        title=kind.title,
        detail=problems.detail_of(error),
    )
    reply.headers.update(problems.headers_of(error))
    return reply


def go(path: str) -> Response:
    """See another page, by GET."""
    return RedirectResponse(path, 303)


def signed_in(request: Request) -> Session:
    """The session of the browser that calls. Raises NotSignedIn without a live one.

    Raises TooManySteps where its person, over all their sessions, takes more steps a minute than
    the settings let one.
    """
    secret = cookies.read(request, cookies.SESSION)
    if not secret:
        raise NotSignedIn
    door, limits = door_of(request), request.app.state.session_limits
    found = door.read(lambda work: find_session(work, secret, limits))
    if found is None:
        raise NotSignedIn
    security.acts(request, found)
    _count(request, found)
    if door.now() - found.last_seen_at >= SEEN_EVERY:
        door.transact(lambda work: seen(work, found))
    if found.seat is not None:
        request.state.door = request.app.state.door.acting_for(found.seat.organisation)
    return found


def _count(request: Request, found: Session) -> None:
    path, state = request.url.path, request.app.state
    if path in _UNCOUNTED:
        return
    ends = path == _OWN_SESSIONS or path.startswith(f"{_OWN_SESSIONS}/")
    who = f"session {found.id}" if ends else f"person {found.person.id}"
    most = state.settings.requests_per_minute_of_people
    try:
        state.limits.check(who, door_of(request).now(), most)
    except DoorProblem as error:
        raise TooManySteps(error.kind, "Too many steps a minute.", headers=error.headers) from None


async def form_of(request: Request) -> dict[str, str]:
    """The form's fields, each once, as `whole_form_of` reads them.

    Raises Unfit, with which the page says what cannot be taken and shows every word again.
    """
    found = await whole_form_of(request)
    if wrong := unfit(found):
        raise Unfit(wrong, found)
    return found


async def whole_form_of(request: Request) -> dict[str, str]:
    """The form's fields, each once, be they too long or not: for pages that show them again.

    Raises DoorProblem for anything that is no form of ours. A form of another site is refused by
    its origin as well as by the token that it cannot know.
    """
    origin = request.headers.get("origin")
    settings = request.app.state.settings
    if origin is not None and origin != settings.origin():
        raise DoorProblem(NOT_ALLOWED, "The form came from another site, so it was not taken.")
    found: dict[str, str] = {}
    async with request.form(max_fields=200, max_files=0) as form:
        for name, value in form.multi_items():
            if not isinstance(value, str) or not may_be_typed(name, "") or name in found:
                raise DoorProblem(BAD_REQUEST, "Part of the form cannot be read. Fill it again.")
            found[name] = value
    return found


def unfit(form: Mapping[str, str]) -> dict[str, str]:
    """What cannot be taken of a form, by the field's name: it is too long, or no text."""
    wrong = {}
    for name, value in form.items():
        if len(value) > LONGEST_FIELD:
            wrong[name] = (
                f"It has {len(value):,} characters. Shorten it to {LONGEST_FIELD:,} at most."
            )
        elif CONTROL.search(value):
            wrong[name] = (
                "It held characters that cannot be kept, as copied text may. They are taken out "
                "here: look it through, then send it again."
            )
    return wrong


def may_be_typed(name: str, value: str) -> bool:
    """Whether a field of a form has what a person can type, and no more than fits."""
    return len(value) <= LONGEST_FIELD and CONTROL.search(name + value) is None


def check_csrf(session: Session, form: dict[str, str]) -> None:
    """Raise OtherSession, a 403, unless the form carries this session's token."""
    if not hmac.compare_digest(form.get("csrf", "").encode(), session.csrf.encode()):
        raise OtherSession(
            NOT_ALLOWED,
            "The form is not of this session: it may have been open since before you signed in. "
            "Go back, load the page again, and send it once more.",
        )


def in_role(request: Request, session: Session, fn: Callable[[Work], Any]) -> Any:
    """Run a use case in the session's role; who has chosen none is sent to choose."""
    if session.seat is None:
        raise NotSignedIn
    return door_of(request).transact(fn)
