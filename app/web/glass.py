"""The reminder on every page that break-glass access of the reader's own is open."""

from fastapi import Request

from app.api.callers import door_of
from app.approvals import break_glass
from app.approvals.break_glass_model import Grant
from app.approvals.permissions import Action, can
from app.auth.sessions import Session


def open_glass(request: Request, session: Session | None) -> tuple[Grant, ...]:
    """What the reader has open now; nothing for who may open nothing, and asks nothing then."""
    if session is None or session.seat is None:
        return ()
    caller = session.caller("")
    if not can(caller, Action.BREAK_GLASS):
        return ()
    return door_of(request).read(lambda work: break_glass.open_now(work, caller))
