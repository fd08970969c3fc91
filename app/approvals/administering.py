"""What one administrator does for their own organisation: look, and take power away, at once.

Everything goes through the services that the command line uses. Another organisation's people and
systems are not found; a system that acts for others too is changed by the people who run the
service.
"""

import datetime as dt
from typing import Any

from app.approvals.errors import NotFound
from app.approvals.permissions import Action, check_can
from app.auth import clients, holders, people, sessions
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.auth.people import Person, Seat
from app.auth.store import callers_at, revoke_caller
from app.db.work import Work


def list_people(work: Work, caller: Caller) -> list[tuple[Person, tuple[Role, ...]]]:
    """Who was granted a role at the caller's organisation, and which."""
    check_can(caller, Action.ADMINISTER)
    return people.people_at(work, caller.organisation)


def list_acting(work: Work, caller: Caller) -> list[tuple[Person, Role, dt.datetime]]:
    """Who has a live session in a role at the caller's organisation, and when they were last seen.

    By the session's absolute end: one that has been idle too long is still told.
    """
    check_can(caller, Action.ADMINISTER)
    return sessions.acting_at(work, caller.organisation)


def withdraw_role(work: Work, caller: Caller, person_id: str, role: Role) -> None:
    """Take a role back that was granted here, and end the person's sessions everywhere.

    Everywhere, since a session elsewhere may still hold the role among its choices.
    """
    check_can(caller, Action.ADMINISTER)
    seat = Seat(caller.organisation, role)
    if not people.withdraw(work, caller.actor(), person_id, seat):
        raise NotFound("person with that role")
    sessions.end_all(work, caller.actor(), person_id, "role withdrawn")


def end_sessions(work: Work, caller: Caller, person_id: str, reason: str) -> int:
    """End every session of a person who has, or acts in, a role here; returns how many."""
    check_can(caller, Action.ADMINISTER)
    own = caller.organisation
    has_role = any(seat.organisation == own for seat in people.granted(work, person_id))
    if not has_role and not sessions.acts_at(work, person_id, own):
        raise NotFound("person")
    return sessions.end_all(work, caller.actor(), person_id, reason)


def list_clients(work: Work, caller: Caller) -> list[dict[str, Any]]:
    """The systems that act for the caller's organisation, revoked ones too, newest first."""
    check_can(caller, Action.ADMINISTER)
    own = caller.organisation
    found = [each for each in clients.clients(work) if own in each["organisations"]]
    return _with_persons(work, found)


def find_own_client(work: Work, caller: Caller, client_id: str, *, changing: bool) -> None:
    """Raise NotFound unless an active system acts for the caller's organisation.

    With `changing`, NotAllowed for one that acts for others too.
    """
    known = clients.find_client(work, client_id)
    if known is None or caller.organisation not in known.organisations:
        raise NotFound("client")
    if changing and known.organisations != (caller.organisation,):
        raise NotAllowed(
            "change that client",
            "it acts for other organisations too",
            "Ask the people who run the service.",
        )


def remove_key(work: Work, caller: Caller, client_id: str, kid: str) -> None:
    """Take a system's key out of use at once."""
    check_can(caller, Action.ADMINISTER)
    find_own_client(work, caller, client_id, changing=True)
    if not clients.remove_key(work, caller.actor(), client_id, kid):
        raise NotFound("key in use")


def revoke_client(work: Work, caller: Caller, client_id: str) -> None:
    """Refuse a system and its tokens at once."""
    check_can(caller, Action.ADMINISTER)
    find_own_client(work, caller, client_id, changing=True)
    clients.revoke_client(work, caller.actor(), client_id)


def list_callers(work: Work, caller: Caller) -> list[dict[str, Any]]:
    """Who may call with a long-lived token of the caller's organisation."""
    check_can(caller, Action.ADMINISTER)
    return _with_persons(work, callers_at(work, caller.organisation))


def check_own_credential(work: Work, caller: Caller, credential: str, person_id: str) -> None:
    """Raise NotFound unless both are the caller's organisation's own.

    A token or a system that acts for it alone, and a person who was granted a role there.
    """
    if credential not in {each["id"] for each in callers_at(work, caller.organisation)}:
        find_own_client(work, caller, credential, changing=True)
    if all(seat.organisation != caller.organisation for seat in people.granted(work, person_id)):
        raise NotFound("person with a role")


def _with_persons(work: Work, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ties = holders.ties(work)
    return [
        {**each, "person": ties[each["id"]].person_id if each["id"] in ties else None}
        for each in found
    ]


def revoke_token(work: Work, caller: Caller, caller_id: str) -> None:
    """Refuse a long-lived token of the caller's own organisation at once."""
    check_can(caller, Action.ADMINISTER)
    if caller_id not in {each["id"] for each in callers_at(work, caller.organisation)}:
        raise NotFound("caller")
    revoke_caller(work, caller.actor(), caller_id)
