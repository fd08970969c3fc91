"""Whose a credential is. Where two people must act, persons are counted, never credentials.

A person is a row of `person`, known by their own id at the provider where people sign in. Their
sessions are theirs by that. A long-lived token, a system's client, or a second record of the same
person (another provider, another id there) is tied to them here; one that is tied to nobody may do
what its role may, but is no person, so it is neither the first nor the second of two.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa

from app.audit.log import record
from app.audit.model import Actor, Event
from app.auth.errors import CallerNotAccepted, NotAllowed
from app.auth.model import Caller
from app.db.tables import caller as callers
from app.db.tables import client, credential_holder, person
from app.db.work import Work

Kind = Literal["token", "system", "person"]
_TABLES: Final[tuple[tuple[Kind, sa.Table], ...]] = (
    ("token", callers),
    ("system", client),
    ("person", person),
)
TIE: Final = "Ask the people who run the service to tie it to you ('assent people tie')."


@dataclass(frozen=True, slots=True)
class Tie:
    """A credential, what kind it is, and whose it is."""

    credential: str
    kind: Kind
    person_id: str


def person_of(work: Work, credential: str) -> str | None:
    """The person whose credential this is: a caller's id, a client's, or a person's own.

    None for one that is tied to nobody, and where its person was revoked.
    """
    tied = sa.select(credential_holder.c.person_id).where(
        credential_holder.c.standing == credential
    )
    return work.connection.execute(
        sa.select(person.c.id).where(
            person.c.id == sa.func.coalesce(tied.scalar_subquery(), credential),
            person.c.revoked_at.is_(None),
        )
    ).scalar_one_or_none()


def credentials_of(work: Work, person_id: str) -> tuple[str, ...]:
    """Every id under which a person calls, their own first. For what they did before."""
    c = credential_holder.c
    query = sa.select(c.credential).where(c.person_id == person_id, c.standing.is_not(None))
    return (person_id, *work.connection.execute(query.order_by(c.credential)).scalars())


def same_holder(work: Work, one: str, other: str) -> bool:
    """Whether two credentials are one, or one person's."""
    if one == other:
        return True
    first = person_of(work, one)
    return first is not None and first == person_of(work, other)


# --- acts of two people --------------------------------------------------------------------------


def check_person(work: Work, caller: Caller, action: str) -> str:
    """The person who calls. Raises NotAllowed for a credential that is tied to none."""
    found = person_of(work, caller.id)
    if found is None:
        raise NotAllowed(
            action,
            "it takes two people, and your credential is tied to no person",
            f"Call as yourself. {TIE}",
        )
    return found


def check_second(work: Work, caller: Caller, first: str, action: str, next: str) -> None:
    """Raise NotAllowed unless the caller is a person other than the one whose credential is first.

    `first`: the id of the credential that the act was begun with; `next`: what to do instead.
    """
    if first == caller.id:
        raise NotAllowed(action, "you made it yourself", next)
    second = check_person(work, caller, action)
    began = person_of(work, first)
    if began is None:
        raise NotAllowed(
            action,
            "it takes two people, and whoever made it called as no person, or was revoked since",
            "Take it back, and let a person make it anew.",
        )
    if began == second:
        raise NotAllowed(action, "you made it yourself, with another credential of yours", next)


def check_two_named(
    work: Work, one: str, other: str, *, registered: bool = False
) -> tuple[str | None, str | None]:
    """The persons whom two names stand for: a person's id here, or a registered name.

    Raises CallerNotAccepted where both stand for one person, and with `registered` where one
    stands for nobody or for several.
    """
    found = _named(work, one, registered), _named(work, other, registered)
    if found[0] is not None and found[0] == found[1]:
        raise CallerNotAccepted("Both are the same person. Name a second one.")
    return found


def _named(work: Work, text: str, registered: bool) -> str | None:
    wanted = _plain(text)
    rows = work.connection.execute(
        sa.select(person.c.id, person.c.name).where(person.c.revoked_at.is_(None))
    ).all()
    known = {person_of(work, row.id) for row in rows if wanted in (row.id, _plain(row.name))}
    if len(known) == 1:
        return known.pop()
    if registered:
        why = "is nobody's" if not known else "is that of several people"
        raise CallerNotAccepted(
            f"A name that was given {why} here. Name each by their id, as 'assent people list' "
            "shows it; 'assent people add' registers one."
        )
    return None


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


# --- tying ---------------------------------------------------------------------------------------


def check_tie(work: Work, credential: str, person_id: str) -> Tie:
    """The tie that would be made. Raises CallerNotAccepted for one that cannot be."""
    kind = _kind(work, credential)
    holder = person_of(work, person_id)
    if kind is None or holder is None:
        raise CallerNotAccepted(
            "There is no active credential or no active person of that id. List them."
        )
    if _standing(work, credential) is not None:
        raise CallerNotAccepted(
            "That credential is tied to somebody. The people who run the service untie it first."
        )
    if credential == holder:
        raise CallerNotAccepted("Those are one person already.")
    return Tie(credential, kind, holder)


def tie(work: Work, actor: Actor, credential: str, person_id: str) -> Tie:
    """Say whose a credential is. Raises CallerNotAccepted.

    A person who is tied to another takes what was tied to them along.
    """
    made = check_tie(work, credential, person_id)
    c = credential_holder.c
    moved = work.connection.execute(
        sa.update(credential_holder)
        .where(c.person_id == credential, c.standing.is_not(None))
        .values(person_id=made.person_id)
        .returning(c.credential)
    ).scalars()
    along = sorted(moved)
    work.connection.execute(
        sa.insert(credential_holder).values(
            id=work.new_id(),
            credential=credential,
            standing=credential,
            kind=made.kind,
            person_id=made.person_id,
            tied_at=work.moment.instant,
            tied_by=actor.id,
        )
    )
    after = {"person": made.person_id, "kind": made.kind, "along": along}
    record(work, actor, Event("tie credential", "credential", credential, after=after))
    return made


def untie(work: Work, actor: Actor, credential: str) -> bool:
    """Say that a credential is nobody's any more; False when it was nobody's."""
    held = _standing(work, credential)
    if held is None:
        return False
    work.connection.execute(
        sa.update(credential_holder)
        .where(credential_holder.c.standing == credential)
        .values(standing=None, untied_at=work.moment.instant, untied_by=actor.id)
    )
    before = {"person": held.person_id, "kind": held.kind}
    record(work, actor, Event("untie credential", "credential", credential, before=before))
    return True


def ties(work: Work) -> dict[str, Tie]:
    """Every tie that stands, by credential."""
    c = credential_holder.c
    rows = work.connection.execute(
        sa.select(c.credential, c.kind, c.person_id).where(c.standing.is_not(None))
    )
    return {row.credential: Tie(row.credential, row.kind, row.person_id) for row in rows}


def _kind(work: Work, credential: str) -> Kind | None:
    for kind, table in _TABLES:
        query = sa.select(table.c.id).where(table.c.id == credential, table.c.revoked_at.is_(None))
        if work.connection.execute(query).first() is not None:
            return kind
    return None


def _standing(work: Work, credential: str) -> Any:
    c = credential_holder.c
    query = sa.select(c.person_id, c.kind).where(c.standing == credential)
    return work.connection.execute(query).one_or_none()
