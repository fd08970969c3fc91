"""Registered systems, their keys, and the short-lived tokens that they are given."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.audit.log import record
from app.audit.model import Actor, Event
from app.auth.assertions import Assertion
from app.auth.errors import AssertionRefused, CallerNotAccepted, NotAllowed
from app.auth.model import Caller, Role
from app.auth.scopes import SCOPES
from app.auth.store import check_description, draw_token, token_hash
from app.db.statements import Statement, Values
from app.db.tables import access_token, client, client_assertion, client_key
from app.db.work import Work

TOKEN_LIFE: Final = dt.timedelta(minutes=10)
_HELD = Statement(
    sa.select(access_token.c.scopes.label("given"), client)
    .join_from(access_token, client, client.c.id == access_token.c.client_id)
    .where(
        access_token.c.token_hash == sa.bindparam("digest"),
        access_token.c.expires_at > sa.bindparam("now"),
        client.c.revoked_at.is_(None),
    )
)


@dataclass(frozen=True, slots=True)
class Client:
    """A registered system: its role, whom it may act for, and what its tokens may be used for."""

    id: str
    name: str
    role: Role
    organisations: tuple[str, ...]
    scopes: frozenset[str]
    jwks_url: str | None
    requests_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is given out, once."""

    text: str
    scopes: tuple[str, ...]
    seconds: int


def register_client(
    work: Work,
    actor: Actor,
    *,
    name: str,
    role: Role,
    organisations: Sequence[str],
    scopes: Collection[str],
    jwks_url: str | None = None,
    requests_per_minute: int | None = None,
) -> str:
    """Register a system and return its client id. Raises CallerNotAccepted."""
    check_client(name, organisations, scopes)
    if jwks_url is not None and not jwks_url.startswith("https://"):
        raise CallerNotAccepted("The address of a key set begins with https://.")
    id_ = work.new_id()
    described = {
        "name": name,
        "role": role.value,
        "organisations": list(organisations),
        "scopes": sorted(scopes),
        "jwks_url": jwks_url,
        "requests_per_minute": requests_per_minute,
    }
    work.connection.execute(
        sa.insert(client).values(id=id_, created_at=work.moment.instant, **described)
    )
    record(work, actor, Event("register client", "client", id_, after=described))
    return id_


def check_client(name: str, organisations: Sequence[str], scopes: Collection[str]) -> None:
    """Raise CallerNotAccepted unless a client may be registered so."""
    if not organisations:
        raise CallerNotAccepted("Name at least one organisation that the client acts for.")
    for organisation in organisations:
        check_description(name, organisation)
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise CallerNotAccepted(f"Give scopes out of: {', '.join(SCOPES)}.")


def add_key(work: Work, actor: Actor, client_id: str, kid: str, jwk: Mapping[str, Any]) -> None:
    """Register a public key for a client, beside those it has. Raises CallerNotAccepted."""
    if _active(work, client_id) is None:
        raise CallerNotAccepted("There is no active client of that id. List the clients.")
    if not kid or len(kid) > 100:
        raise CallerNotAccepted("A key's id has 1 to 100 characters.")
    known = sa.select(client_key.c.kid).where(
        client_key.c.client_id == client_id, client_key.c.kid == kid
    )
    if work.connection.execute(known).first() is not None:
        raise CallerNotAccepted("The client has had a key of that id. Give the new one another.")
    work.connection.execute(
        sa.insert(client_key).values(
            client_id=client_id, kid=kid, jwk=dict(jwk), added_at=work.moment.instant
        )
    )
    after = {"kid": kid, "jwk": dict(jwk)}
    record(work, actor, Event("add client key", "client", client_id, after=after))


def remove_key(work: Work, actor: Actor, client_id: str, kid: str) -> bool:
    """Take a key out of use from this moment; False when it was not in use."""
    done = work.connection.execute(
        sa.update(client_key)
        .where(
            client_key.c.client_id == client_id,
            client_key.c.kid == kid,
            client_key.c.removed_at.is_(None),
        )
        .values(removed_at=work.moment.instant)
    )
    if done.rowcount:
        record(work, actor, Event("remove client key", "client", client_id, before={"kid": kid}))
    return bool(done.rowcount)


def revoke_client(work: Work, actor: Actor, client_id: str) -> bool:
    """Refuse a client and its tokens from this moment; False when no such one is active."""
    done = work.connection.execute(
        sa.update(client)
        .where(client.c.id == client_id, client.c.revoked_at.is_(None))
        .values(revoked_at=work.moment.instant)
    )
    if done.rowcount:
        record(work, actor, Event("revoke client", "client", client_id, after={"revoked": True}))
    return bool(done.rowcount)


def clients(work: Work) -> list[dict[str, Any]]:
    """Every client with the ids of its keys in use, newest first."""
    keys: dict[str, list[str]] = {}
    in_use = sa.select(client_key.c.client_id, client_key.c.kid).where(
        client_key.c.removed_at.is_(None)
    )
    for row in work.connection.execute(in_use.order_by(client_key.c.added_at)):
        keys.setdefault(row.client_id, []).append(row.kid)
    query = sa.select(client).order_by(client.c.created_at.desc(), client.c.id)
    return [
        {**row, "keys": keys.get(row["id"], [])}
        for row in work.connection.execute(query).mappings()
    ]


def find_client(work: Work, client_id: str) -> Client | None:
    """The active client of that id."""
    row = _active(work, client_id)
    return None if row is None else _client(row)


def find_key(work: Work, client_id: str, kid: str) -> dict[str, Any] | None:
    """A client's registered key that is in use."""
    return work.connection.execute(
        sa.select(client_key.c.jwk).where(
            client_key.c.client_id == client_id,
            client_key.c.kid == kid,
            client_key.c.removed_at.is_(None),
        )
    ).scalar_one_or_none()


def give_token(work: Work, known: Client, assertion: Assertion, wanted: Collection[str]) -> Token:
    """A token for an assertion, which is used up by it.

    Raises AssertionRefused when it was used before, on whichever worker, or asks for a scope that
    the client does not have.
    """
    if not set(wanted) <= known.scopes:
        raise AssertionRefused(
            f"your client has only these scopes: {', '.join(sorted(known.scopes))}.",
            "invalid_scope",
        )
    _take(work, assertion)
    scopes = tuple(sorted(wanted or known.scopes))
    text = draw_token(work)
    now = work.moment.instant
    work.connection.execute(
        sa.insert(access_token).values(
            token_hash=token_hash(text),
            client_id=known.id,
            scopes=list(scopes),
            issued_at=now,
            expires_at=now + TOKEN_LIFE,
        )
    )
    return Token(text, scopes, int(TOKEN_LIFE.total_seconds()))


def _take(work: Work, assertion: Assertion) -> None:
    insert = postgresql.insert if work.on_postgres else sqlite.insert
    taken = work.connection.execute(
        insert(client_assertion)
        .values(client_id=assertion.client_id, jti=assertion.jti, expires_at=assertion.expires_at)
        .on_conflict_do_nothing()
        .returning(client_assertion.c.jti)
    )
    if taken.first() is None:
        raise AssertionRefused("the assertion was used before. Sign a new one, with its own 'jti'.")


def question_of_holder(token: str, now: dt.datetime) -> tuple[Statement, Values]:
    """What `holder_of` asks."""
    return _HELD, {"digest": token_hash(token), "now": now}


def holder_of(
    work: Work, token: str, organisation: str | None, correlation_id: str
) -> tuple[Client, Caller] | None:
    """The client whose live token this is, acting for an organisation of its own.

    `organisation` is the call's NHSD-End-User-Organisation-ODS; it may be left out by a client
    that acts for one only. Raises NotAllowed for another's.
    """
    rows = work.ask(*question_of_holder(token, work.moment.instant))
    if not rows:
        return None
    row = rows[0]
    known = _client(row)
    own = organisation or (known.organisations[0] if len(known.organisations) == 1 else "")
    if own not in known.organisations:
        raise NotAllowed(
            "act for that organisation",
            "your client is not registered for it" if own else "the call names none",
            "Send NHSD-End-User-Organisation-ODS with the code of one that it is registered for.",
            who=known.id,
        )
    caller = Caller(
        id=known.id,
        name=known.name,
        kind="system",
        organisation=own,
        role=known.role,
        client=known.id,
        correlation_id=correlation_id,
        scopes=frozenset(row["given"]),
    )
    return known, caller


def forget_the_past(work: Work) -> int:
    """Remove tokens and assertions that have expired for an hour; returns how many."""
    past = work.moment.instant - dt.timedelta(hours=1)
    gone = 0
    for table in (access_token, client_assertion):
        gone += work.connection.execute(sa.delete(table).where(table.c.expires_at < past)).rowcount
    return gone


def _active(work: Work, client_id: str) -> Any:
    return (
        work.connection.execute(
            sa.select(client).where(client.c.id == client_id, client.c.revoked_at.is_(None))
        )
        .mappings()
        .one_or_none()
    )


def _client(row: Any) -> Client:
    return Client(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        organisations=tuple(row["organisations"]),
        scopes=frozenset(row["scopes"]),
        jwks_url=row["jwks_url"],
        requests_per_minute=row["requests_per_minute"],
    )
