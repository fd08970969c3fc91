"""A person's own open sessions: seen by that person, and ended one by one or all but this one.

Ending another session takes a sign-in of the last quarter of an hour, so that whoever came by this
browser, or by its cookie alone, cannot put its person out of every other (OWASP ASVS 5.0, 7.5.2).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from app.auth.errors import NotAllowed
from app.auth.sessions import Limits, Session, actor_of, end_where
from app.db.tables import session
from app.db.work import Work

#: For how long after proving who they are a person may end their other sessions.
PROOF_HOLDS: Final = dt.timedelta(minutes=15)
WHY: Final = "ended by its person from another session"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One open session. Without a role, its person has still to choose one there.

    `browser`: in words of ours, None where it is not known. `used_at` is right to a minute.
    """

    id: str
    browser: str | None
    organisation: str | None
    role: str | None
    began_at: dt.datetime
    used_at: dt.datetime
    ends_at: dt.datetime
    this: bool


def open_of(work: Work, found: Session, limits: Limits) -> tuple[OpenSession, ...]:
    """The open sessions of the person whose session this is: this one first, then the last used."""
    c = session.c
    query = sa.select(
        c.id, c.browser, c.organisation, c.role, c.created_at, c.last_seen_at, c.ends_at
    ).where(*_open(work, found, limits))
    held = [
        OpenSession(
            row.id,
            row.browser,
            row.organisation,
            row.role,
            row.created_at,
            row.last_seen_at,
            # Whichever limit comes first, if nobody uses it any more.
            min(row.ends_at, row.last_seen_at + limits.idle),
            this=row.id == found.id,
        )
        for row in work.connection.execute(query)
    ]
    return tuple(sorted(held, key=lambda each: (not each.this, _newest(each.used_at), each.id)))


def proved_lately(found: Session, now: dt.datetime) -> bool:
    """Whether the person proved who they are within the last quarter of an hour."""
    return found.proved_at is not None and now - found.proved_at <= PROOF_HOLDS


def end_other(work: Work, found: Session, id_: str, correlation_id: str) -> bool:
    """End another session of the same person; False where they have no such one, ended or not.

    Once ended it stays so, and is ended again without harm. Raises NotAllowed without a fresh
    proof, and for the session itself, which signs out.
    """
    _check(work, found)
    if id_ == found.id:
        raise NotAllowed("end this session here", "it is the one that you use", "Sign out instead.")
    c = session.c
    theirs = sa.and_(c.id == id_, c.person_id == found.person.id)
    if work.connection.execute(sa.select(c.id).where(theirs)).first() is None:
        return False
    end_where(work, actor_of(found, correlation_id), theirs, WHY)
    return True


def end_others(work: Work, found: Session, limits: Limits, correlation_id: str) -> int:
    """End every other open session of the same person; returns how many there were.

    Raises NotAllowed without a fresh proof.
    """
    _check(work, found)
    others = sa.and_(*_open(work, found, limits), session.c.id != found.id)
    return end_where(work, actor_of(found, correlation_id), others, WHY)


def _open(work: Work, found: Session, limits: Limits) -> tuple[sa.ColumnElement[bool], ...]:
    c, now = session.c, work.moment.instant
    return (
        c.person_id == found.person.id,
        c.revoked_at.is_(None),
        c.ends_at > now,
        c.last_seen_at > now - limits.idle,
    )


def _check(work: Work, found: Session) -> None:
    if not proved_lately(found, work.moment.instant):
        raise NotAllowed(
            "end your other sessions",
            "you signed in more than 15 minutes ago",
            "Sign in again from the page of your sessions, then end them.",
        )


def _newest(instant: dt.datetime) -> float:
    return -instant.timestamp()
