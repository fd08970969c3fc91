"""Whom a page acts for, and the two ways in which it reaches the use cases."""

from fastapi import Request

from app.api.reading import read_recorded
from app.approvals.office import Office
from app.auth.errors import NotSignedIn
from app.auth.model import Caller
from app.auth.sessions import Session
from app.web.pages import correlation_of

__all__ = ["caller_of", "read_recorded", "this_office", "version_in"]


def caller_of(request: Request, session: Session) -> Caller:
    """Whom the session acts as. Raises NotSignedIn before a role is chosen."""
    if session.seat is None:
        raise NotSignedIn
    return session.caller(correlation_of(request))


def this_office(request: Request) -> Office:
    """The application's office."""
    office = request.app.state.office
    assert isinstance(office, Office)
    return office


def version_in(form: dict[str, str]) -> int:
    """The version of the object that the page was drawn from; 0 for none, which never fits."""
    given = form.get("version", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
