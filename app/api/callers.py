"""The bearer token → Caller."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api import correlation
from app.auth.errors import NotSignedIn
from app.auth.model import Caller
from app.auth.store import find_caller
from app.db.work import NOBODY
from app.door import Door

bearer = HTTPBearer(
    auto_error=False,
    description="A token that the service's administrator registered for your system.",
)


def door_of(request: Request) -> Door:
    """The door for this call: the caller's organisation's, or nobody's while none is known."""
    door = getattr(request.state, "door", None) or request.app.state.door.acting_for(NOBODY)
    assert isinstance(door, Door)
    return door


def signed_in(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Caller:
    """The caller whose token came along; NotSignedIn without a valid one."""
    if given is None or not given.credentials:
        raise NotSignedIn
    correlation_id = correlation.of(request.scope)
    caller = door_of(request).read(
        lambda work: find_caller(work, given.credentials, correlation_id=correlation_id)
    )
    if caller is None:
        raise NotSignedIn
    request.state.door = door_of(request).acting_for(caller.organisation)
    return caller


SignedIn = Annotated[Caller, Depends(signed_in)]
