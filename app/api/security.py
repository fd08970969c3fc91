"""Security events: who signed in, and what was refused to whom; a log line and a count of each.

A line holds ids of ours, a role, an organisation, the route's template and words that stand in
this code: no secret, no called address, nothing of any object, and so nothing of a patient. Lines
are written whatever level the log is set to. `docs/assurance/logging.md` lists them.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog
from starlette.requests import Request

from app import problems
from app.auth.errors import AssertionRefused, NotAllowed, NotSignedIn
from app.auth.model import Caller
from app.auth.sessions import Session
from app.problems import DoorProblem

log: Final[Any] = structlog.wrap_logger(
    None, wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
)

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
_SIGN_IN: Final = "/sign-in"
_TOKEN: Final = "/oauth2/token"


class What(StrEnum):
    """What a security event is about."""

    SIGN_IN = "sign-in"
    ROLE = "choice of a role"
    SIGN_OUT = "sign-out"
    PROVIDERS_SIGN_OUT = "sign-out at the provider"
    TOKEN = "token for a system"
    CREDENTIAL = "credential of a call"
    ACCESS = "access"
    OBJECT = "object not found or another's"
    FORM = "form of another site or session"
    LIMIT = "limit"
    FILE = "file with malware"
    INPUT = "message not as described"


@dataclass(frozen=True, slots=True)
class Acting:
    """Who is known to call, by ids of ours."""

    who: str
    role: str = ""
    organisation: str = ""
    client: str = ""


#: Statuses by which a message is turned away unread.
_UNREAD: Final = frozenset({400, 413, 415, 422})


def acts(request: Request, caller: Caller | Session) -> None:
    """Remember who calls, for whatever is noted of the call later."""
    if isinstance(caller, Caller):
        known = Acting(caller.id, caller.role.value, caller.organisation, caller.client)
    elif caller.seat is None:
        known = Acting(caller.person.id, client=caller.id)
    else:
        seat = caller.seat
        known = Acting(caller.person.id, seat.role.value, seat.organisation, caller.id)
    request.state.acting = known


def claims(request: Request, who: str) -> None:
    """Remember whom a sign-in or an assertion names, known here and not proved yet."""
    request.state.acting = Acting(who)


def note(request: Request, what: What, outcome: str, **words: str) -> None:
    """Write an event down. `words` stand in the code, or are ids of ours."""
    acting = getattr(request.state, "acting", None) or Acting("")
    known = {name: getattr(acting, name) for name in Acting.__slots__}
    line: dict[str, str] = {
        "what": what.value,
        "outcome": outcome,
        **known,
        "method": request.method if request.method in ("GET", "HEAD", "POST") else "other",
        "route": str(getattr(request.scope.get("route"), "path", "(no route)")),
        "peer": request.client.host if request.client else "",
        **words,
    }
    told = {name: value for name, value in line.items() if value}
    (log.info if outcome == ACCEPTED else log.warning)("security", **told)
    request.app.state.metrics.security(what.value, outcome)


def note_refusal(request: Request, error: Exception) -> None:
    """Write down what was refused, where the refusal is one of security."""
    found = _event_of(request, error)
    if found is not None:
        what, words = found
        note(request, what, REFUSED, **words)


def _event_of(request: Request, error: Exception) -> tuple[What, dict[str, str]] | None:
    kind = problems.kind_of(error)
    path = str(getattr(request.scope.get("route"), "path", ""))
    if kind.status == 429:
        return What.LIMIT, {"code": kind.code}
    if path == _TOKEN and kind.status < 500:
        # Each of these texts is a constant, or lists scopes of ours.
        told = isinstance(error, AssertionRefused | DoorProblem)
        return What.TOKEN, {"code": kind.code} | ({"why": str(error)} if told else {})
    if isinstance(error, NotAllowed):
        signing_in = path.startswith(_SIGN_IN)
        if signing_in:
            return What.SIGN_IN, {"why": error.why}
        return What.ACCESS, {"action": error.action, "why": error.why}
    if isinstance(error, NotSignedIn):
        sent = "authorization" in request.headers
        return What.CREDENTIAL, {"why": "not valid" if sent else "none came along"}
    if kind is problems.NOT_ALLOWED:
        return What.FORM, {"code": kind.code}
    return _of_a_known_caller(request, kind)


def _of_a_known_caller(request: Request, kind: problems.Kind) -> tuple[What, dict[str, str]] | None:
    if getattr(request.state, "acting", None) is None:
        return None
    if kind.status == 404:
        return What.OBJECT, {"code": kind.code}
    if kind.status in _UNREAD:
        return What.INPUT, {"code": kind.code}
    return None
