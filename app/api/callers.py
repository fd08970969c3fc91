"""The bearer token → Caller."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api import correlation
from app.auth.errors import NotSignedIn
from app.auth.model import Caller
from app.auth.store import find_caller
from app.door import Door

bearer = HTTPBearer(
    auto_error=False,
    description="A token that the service's administrator registered for your system.",
)


def door_of(request: Request) -> Door:
    """The application's door: its database, clock and randomness."""
    door = request.app.state.door
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
    return caller


SignedIn = Annotated[Caller, Depends(signed_in)]
