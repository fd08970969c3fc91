"""The bearer token → Caller."""

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api import correlation, security
from app.auth.clients import holder_of, question_of_holder
from app.auth.errors import NotAllowed, NotSignedIn
from app.auth.model import Caller
from app.auth.store import find_caller, question_of_caller
from app.db.statements import Statement, Values
from app.db.work import NOBODY, Moment, Work
from app.door import Door
from app.problems import BAD_REQUEST, DoorProblem

bearer = HTTPBearer(
    auto_error=False,
    description="A token that the service's administrator registered for your system.",
)


def door_of(request: Request) -> Door:
    """The door for this call: the caller's organisation's, or nobody's while none is known."""
    door = getattr(request.state, "door", None) or request.app.state.door.acting_for(NOBODY)
    assert isinstance(door, Door)
    return door


OnBehalfOf = Annotated[
    str | None,
    Header(
        alias="NHSD-End-User-Organisation-ODS",
        description="The organisation that the call is made for. A client that is registered for "
        "one only may leave it out.",
    ),
]


def signed_in(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    organisation: OnBehalfOf = None,
) -> Caller:
    """The caller whose token came along; NotSignedIn without a valid one.

    Raises NotAllowed for an organisation that the caller does not act for, and DoorProblem 429
    when it calls too often.
    """
    if given is None or not given.credentials:
        raise NotSignedIn
    known = getattr(request.state, "caller", None)
    if isinstance(known, Caller):
        return known  # this very call was looked at already (`app/api/direct.py`)
    door, state = door_of(request), request.app.state
    correlation_id = correlation.of(request.scope)

    takes_registered = state.settings.demonstration or state.settings.registered_tokens

    def look(work: Work) -> tuple[Caller, int | None] | None:
        try:
            held = holder_of(work, given.credentials, organisation, correlation_id)
        except NotAllowed as error:
            security.claims(request, error.who)
            raise
        if held is not None:
            return held[1], held[0].requests_per_minute
        if not takes_registered:
            return None
        registered = find_caller(work, given.credentials, correlation_id=correlation_id)
        return None if registered is None else (registered, None)

    def questions(moment: Moment) -> list[tuple[Statement, Values]]:
        asked = [question_of_holder(given.credentials, moment.instant)]
        if takes_registered:
            asked.append(question_of_caller(given.credentials))
        return asked

    found = door.read(look, asking=questions)
    if found is None:
        raise NotSignedIn
    caller, per_minute = found
    security.acts(request, caller)
    if organisation and organisation != caller.organisation:
        raise NotAllowed(
            "act for that organisation",
            "your token is another's",
            "Leave NHSD-End-User-Organisation-ODS out, or use that organisation's own token.",
        )
    state.limits.check(caller.client, door.now(), per_minute)
    _check_query(request)
    request.state.door = door.acting_for(caller.organisation)
    return caller


def _check_query(request: Request) -> None:
    """Raise DoorProblem 400 for a parameter that the call does not take: it may be misspelt."""
    known = getattr(request.scope.get("route"), "query_names", None)
    if known is not None and not request.query_params.keys() <= known:
        raise DoorProblem(
            BAD_REQUEST,
            "The address has a parameter that this call does not take. Leave it out, or look up "
            "its name in the description of the call.",
        )


SignedIn = Annotated[Caller, Depends(signed_in)]
