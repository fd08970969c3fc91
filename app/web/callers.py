"""Whom a page acts for, and the two ways in which it reaches the use cases."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from app.approvals.office import Office
from app.audit import Reading, record_reading
from app.auth.errors import NotSignedIn
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.web.pages import correlation_of, door_of

T = TypeVar("T")


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


def read_recorded(
    request: Request, caller: Caller, fn: Callable[[Work], tuple[T, Reading | tuple[Reading, ...]]]
) -> T:
    """Read for a page, then commit what was read, then show it; as the API does."""
    door = door_of(request)
    answer, found = door.read(fn)
    readings = found if isinstance(found, tuple) else (found,)

    def keep(work: Work) -> None:
        for reading in readings:
            record_reading(work, caller.actor(), reading)

    door.transact(keep)
    return answer


def version_in(form: dict[str, str]) -> int:
    """The version of the object that the page was drawn from; 0 for none, which never fits."""
    given = form.get("version", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
