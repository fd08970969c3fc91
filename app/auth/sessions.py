"""Sessions of people, and sign-ins under way.

A session is a row; the browser holds only its secret, in a cookie, and the row only the secret's
digest. It ends when it was idle too long, at its absolute limit, when it is revoked, and when its
person or the role acted in is. The secret is drawn anew at sign-in and at each choice of a role.
"""

import datetime as dt
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.audit.log import record
from app.audit.model import Actor, Event
from app.auth.errors import NotAllowed, NotSignedIn
from app.auth.model import Caller, Role
from app.auth.people import Person, Seat, active_person, granted, seat_from
from app.auth.store import draw_token, token_hash
from app.db.tables import logout_token, session, sign_in
from app.db.tables import person as person_table
from app.db.work import Work

SIGN_IN_LIFE: Final = dt.timedelta(minutes=10)
#: How the state of a sign-in begins that must ask the person again, whoever is signed in there.
AGAIN: Final = "again."
LOGOUT_TOKEN_KEPT: Final = dt.timedelta(days=1)
#: Being seen is written down at most this often: a page is not worth a write each time.
SEEN_EVERY: Final = dt.timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts without a call, and at all."""

    idle: dt.timedelta
    absolute: dt.timedelta


@dataclass(frozen=True, slots=True)
class Session:
    """A live session. Without a seat, its person has still to choose one."""

    id: str
    person: Person
    choices: tuple[Seat, ...]
    seat: Seat | None
    csrf: str = field(repr=False)
    last_seen_at: dt.datetime
    #: When its person last proved who they are, as far as the provider tells.
    proved_at: dt.datetime | None = None

    def caller(self, correlation_id: str) -> Caller:
        """Whom the person acts as. Raises NotSignedIn before a role is chosen."""
        if self.seat is None:
            raise NotSignedIn("Choose the role that you act in first.")
        return Caller(
            id=self.person.id,
            name=self.person.name,
            kind="person",
            organisation=self.seat.organisation,
            role=self.seat.role,
            client=self.id,
            correlation_id=correlation_id,
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come back from the provider: the nonce, and the verifier for its code."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


# --- signing in ----------------------------------------------------------------------------------


def begin(work: Work, *, again: bool = False) -> tuple[str, str, Expected]:
    """Begin a sign-in: the browser's secret, the state to send along, and what to expect.

    `again`: the person must prove anew who they are. The state tells it when it comes back, and
    cannot be altered on the way, since its digest is kept here.
    """
    browser, state = draw_token(work), (AGAIN if again else "") + draw_token(work)
    expected = Expected(draw_token(work), draw_token(work))
    past = sa.delete(sign_in).where(sign_in.c.expires_at <= work.moment.instant)
    work.connection.execute(past)
    work.connection.execute(
        sa.insert(sign_in).values(
            browser_hash=token_hash(browser),
            state_hash=token_hash(state),
            nonce=expected.nonce,
            verifier=expected.verifier,
            expires_at=work.moment.instant + SIGN_IN_LIFE,
        )
    )
    return browser, state, expected


def take(work: Work, browser: str, state: str) -> Expected | None:
    """Use up the sign-in that this browser began; None when the state is not its own."""
    row = work.connection.execute(
        sa.delete(sign_in)
        .where(sign_in.c.browser_hash == token_hash(browser))
        .returning(sign_in.c.state_hash, sign_in.c.nonce, sign_in.c.verifier, sign_in.c.expires_at)
    ).one_or_none()
    if row is None or row.expires_at <= work.moment.instant:
        return None
    if not hmac.compare_digest(row.state_hash, token_hash(state)):
        return None
    return Expected(row.nonce, row.verifier)


def open_session(
    work: Work,
    person: Person,
    seats: Sequence[Seat],
    limits: Limits,
    *,
    correlation_id: str,
    provider_session: str | None = None,
    provider_subject: str | None = None,
    browser: str | None = None,
    proved_at: dt.datetime | None = None,
) -> tuple[str, Session]:
    """Open a session and return its secret, which only the browser keeps, and the session.

    `provider_session` and `provider_subject`: the provider's names for session and person, by which
    it may end it; `browser`: which one it is, in words of ours; `proved_at`: when the person proved
    who they are.
    A person with one seat acts in it at once. Raises NotAllowed for one who has none.
    """
    choices = tuple(sorted({*seats, *granted(work, person.id)}))
    if not choices:
        raise NotAllowed(
            "sign in",
            "you have no role here",
            "Ask your organisation's administrator for one, or choose another at sign-in.",
        )
    secret, csrf = draw_token(work), draw_token(work)
    seat = choices[0] if len(choices) == 1 else None
    now = work.moment.instant
    opened = Session(work.new_id(), person, choices, seat, csrf, now, proved_at)
    work.connection.execute(
        sa.insert(session).values(
            id=opened.id,
            token_hash=token_hash(secret),
            person_id=person.id,
            choices=[each.as_json() for each in choices],
            organisation=seat and seat.organisation,
            role=seat and seat.role.value,
            csrf=csrf,
            provider_session=provider_session,
            provider_subject=provider_subject,
            created_at=now,
            last_seen_at=now,
            ends_at=now + limits.absolute,
            browser=browser,
            proved_at=proved_at,
        )
    )
    _audit(work, opened, "sign in", correlation_id)
    return secret, opened


def choose(work: Work, secret: str, found: Session, seat: Seat, correlation_id: str) -> str:
    """Act in one of the session's seats, under a new secret, which is returned.

    Raises NotAllowed for a seat that is not the person's.
    """
    if seat not in found.choices:
        raise NotAllowed("act in that role", "it is not one of yours", "Choose one of the list.")
    fresh = draw_token(work)
    done = work.connection.execute(
        sa.update(session)
        .where(session.c.token_hash == token_hash(secret), session.c.revoked_at.is_(None))
        .values(
            token_hash=token_hash(fresh),
            csrf=draw_token(work),
            organisation=seat.organisation,
            role=seat.role.value,
            last_seen_at=work.moment.instant,
        )
    )
    if done.rowcount != 1:
        raise NotSignedIn
    chosen = Session(found.id, found.person, found.choices, seat, "", work.moment.instant)
    _audit(work, chosen, "choose role", correlation_id)
    return fresh


# --- being signed in -----------------------------------------------------------------------------


def find_session(work: Work, secret: str, limits: Limits) -> Session | None:
    """The live session of this secret; None when it ended, or its person was revoked."""
    now = work.moment.instant
    row = work.connection.execute(
        sa.select(session).where(
            session.c.token_hash == token_hash(secret),
            session.c.revoked_at.is_(None),
            session.c.ends_at > now,
            session.c.last_seen_at > now - limits.idle,
        )
    ).one_or_none()
    person = None if row is None else active_person(work, row.person_id)
    if row is None or person is None:
        return None
    seat = None if row.role is None else seat_from(row._mapping)
    choices = tuple(seat_from(each) for each in row.choices)
    return Session(row.id, person, choices, seat, row.csrf, row.last_seen_at, row.proved_at)


def seen(work: Work, found: Session) -> None:
    """Note that the session was used just now."""
    work.connection.execute(
        sa.update(session)
        .where(session.c.id == found.id, session.c.last_seen_at < work.moment.instant)
        .values(last_seen_at=work.moment.instant)
    )


# --- ending --------------------------------------------------------------------------------------


def end(work: Work, found: Session, action: str, correlation_id: str) -> None:
    """End a session, once."""
    done = work.connection.execute(
        sa.update(session)
        .where(session.c.id == found.id, session.c.revoked_at.is_(None))
        .values(revoked_at=work.moment.instant)
    )
    if done.rowcount:
        _audit(work, found, action, correlation_id)


def end_all(work: Work, actor: Actor, person_id: str, why: str) -> int:
    """End every session of a person; returns how many there were."""
    return end_where(work, actor, session.c.person_id == person_id, why)


def acts_at(work: Work, person_id: str, organisation: str) -> bool:
    """Whether a person has a session that is not revoked, in a role at an organisation."""
    query = sa.select(session.c.id).where(
        session.c.person_id == person_id,
        session.c.organisation == organisation,
        session.c.revoked_at.is_(None),
    )
    return work.connection.execute(query.limit(1)).first() is not None


def acting_at(work: Work, organisation: str) -> list[tuple[Person, Role, dt.datetime]]:
    """Who has a session that is neither revoked nor over, in a role at an organisation."""
    c = session.c
    query = (
        sa.select(person_table, c.role, sa.func.max(c.last_seen_at).label("seen"))
        .join(person_table, person_table.c.id == c.person_id)
        .where(
            c.organisation == organisation,
            c.revoked_at.is_(None),
            c.ends_at > work.moment.instant,
            person_table.c.revoked_at.is_(None),
        )
        .group_by(*person_table.c, c.role)
        .order_by(person_table.c.name, person_table.c.id, c.role)
    )
    return [
        (Person(row.id, row.issuer, row.subject, row.name), Role(row.role), row.seen)
        for row in work.connection.execute(query)
    ]


def end_at_provider(
    work: Work,
    *,
    issuer: str,
    jti: str,
    provider_session: str | None,
    provider_subject: str | None,
    correlation_id: str,
) -> int | None:
    """End the sessions that a logout token names; None when the token was used before.

    It names a session, or all those of a subject (OpenID Connect Back-Channel Logout 1.0, 2.4). A
    session of which the provider told no name is ended with its subject's, to be safe.
    """
    # A token this old is refused for its age, so its name need not be kept.
    past = sa.delete(logout_token).where(logout_token.c.expires_at <= work.moment.instant)
    work.connection.execute(past)
    insert = postgresql.insert if work.on_postgres else sqlite.insert
    taken = work.connection.execute(
        insert(logout_token)
        .values(issuer=issuer, jti=jti, expires_at=work.moment.instant + LOGOUT_TOKEN_KEPT)
        .on_conflict_do_nothing()
        .returning(logout_token.c.jti)
    )
    if taken.first() is None:
        return None
    actor = Actor("provider", "system", "SERVICE", "provider", "back-channel", correlation_id)
    of_issuer = sa.select(person_table.c.id).where(person_table.c.issuer == issuer)
    # Who signed in before the subject was kept is known by it only where it is their id here.
    is_subject = sa.or_(
        session.c.provider_subject == provider_subject,
        sa.and_(
            session.c.provider_subject.is_(None),
            session.c.person_id.in_(of_issuer.where(person_table.c.subject == provider_subject)),
        ),
    )
    named = is_subject
    if provider_session is not None:
        named = sa.or_(
            session.c.provider_session == provider_session,
            sa.and_(session.c.provider_session.is_(None), is_subject),
        )
    named = sa.and_(named, session.c.person_id.in_(of_issuer))
    return end_where(work, actor, named, "signed out at the provider")


def end_where(work: Work, actor: Actor, which: sa.ColumnElement[bool], why: str) -> int:
    """End the sessions that a condition names, each with its event; returns how many there were."""
    ended = work.connection.execute(
        sa.update(session)
        .where(which, session.c.revoked_at.is_(None))
        .values(revoked_at=work.moment.instant)
        .returning(session.c.id)
    ).scalars()
    ids = sorted(ended)
    for id_ in ids:
        record(work, actor, Event("end session", "session", id_, after={"why": why}))
    return len(ids)


def actor_of(found: Session, correlation_id: str) -> Actor:
    """Who acts in a session, also before a role is chosen, as the audit log names them."""
    seat = found.seat
    return Actor(
        id=found.person.id,
        kind="person",
        organisation=seat.organisation if seat else "SERVICE",
        role=seat.role.value if seat else "not chosen",
        client=found.id,
        correlation_id=correlation_id,
    )


def _audit(work: Work, found: Session, action: str, correlation_id: str) -> None:
    after = found.seat.as_json() if found.seat else {"choices": len(found.choices)}
    actor = actor_of(found, correlation_id)
    record(work, actor, Event(action, "session", found.id, after=after))
