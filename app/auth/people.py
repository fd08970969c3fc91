"""People: who they are at the provider, and the roles that were granted to them here.

Care staff have their roles from the provider (`national`). Panel members, commissioners and
delegates, whom it does not know as such, are granted theirs by an administrator. A panel is an
organisation: to belong to it is to have the role *panel member* there.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from app.audit.log import record
from app.audit.model import Actor, Event
from app.auth.errors import CallerNotAccepted
from app.auth.model import Role
from app.auth.store import NAME_LENGTH, check_description
from app.db.tables import caller, person, person_role
from app.db.work import Work

SUBJECT_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in."""

    id: str
    issuer: str
    subject: str
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """A role at an organisation: what a person acts as, one at a time."""

    organisation: str
    role: Role

    def as_json(self) -> dict[str, str]:
        return {"organisation": self.organisation, "role": self.role.value}


def seat_from(value: Any) -> Seat:
    """A seat as the session keeps it."""
    return Seat(value["organisation"], Role(value["role"]))


def add_person(work: Work, actor: Actor, *, issuer: str, subject: str, name: str) -> Person:
    """Register a person by their id at the provider. Raises CallerNotAccepted."""
    if not subject.strip() or len(subject) > SUBJECT_LENGTH:
        raise CallerNotAccepted(
            f"A person's id at the provider has 1 to {SUBJECT_LENGTH} characters. Correct it."
        )
    if not name.strip() or len(name) > NAME_LENGTH:
        raise CallerNotAccepted(f"A person's name has 1 to {NAME_LENGTH} characters. Correct it.")
    if not issuer:
        raise CallerNotAccepted("Set ASSENT_OIDC_ISSUER first: people are known at a provider.")
    if find_person(work, issuer, subject) is not None:
        raise CallerNotAccepted("A person of that id is registered already. List the people.")
    made = Person(work.new_id(), issuer, subject, name)
    work.connection.execute(
        sa.insert(person).values(created_at=work.moment.instant, **asdict(made))
    )
    record(work, actor, Event("register person", "person", made.id, after={"name": name}))
    return made


def known_person(
    work: Work, actor: Actor, *, issuer: str, subject: str, name: str
) -> Person | None:
    """The person whom the provider names, registered now if new; None for one who was revoked."""
    row = find_person(work, issuer, subject)
    if row is None:
        return add_person(work, actor, issuer=issuer, subject=subject, name=name)
    return None if row.revoked_at is not None else _person(row)


def find_person(work: Work, issuer: str, subject: str) -> Any:
    """The row of the person of that id at that provider, revoked or not; None without one."""
    return work.connection.execute(
        sa.select(person).where(person.c.issuer == issuer, person.c.subject == subject)
    ).one_or_none()


def active_person(work: Work, person_id: str) -> Person | None:
    """The person of that id of ours, unless revoked."""
    row = work.connection.execute(
        sa.select(person).where(person.c.id == person_id, person.c.revoked_at.is_(None))
    ).one_or_none()
    return None if row is None else _person(row)


def revoke_person(work: Work, actor: Actor, person_id: str) -> bool:
    """Let a person in no more, from this moment; False when no such one is active."""
    done = work.connection.execute(
        sa.update(person)
        .where(person.c.id == person_id, person.c.revoked_at.is_(None))
        .values(revoked_at=work.moment.instant)
    )
    if done.rowcount:
        record(work, actor, Event("revoke person", "person", person_id, after={"revoked": True}))
    return bool(done.rowcount)


def grant(work: Work, actor: Actor, person_id: str, seat: Seat) -> None:
    """Let a person act in a role at an organisation. Raises CallerNotAccepted."""
    found = active_person(work, person_id)
    if found is None:
        raise CallerNotAccepted("There is no active person of that id. List the people.")
    check_description(found.name, seat.organisation)
    work.wait_for_turn(f"roles of {person_id}")
    if seat in granted(work, person_id):
        raise CallerNotAccepted("The person has that role there already.")
    work.connection.execute(
        sa.insert(person_role).values(
            id=work.new_id(),
            person_id=person_id,
            organisation=seat.organisation,
            role=seat.role.value,
            granted_at=work.moment.instant,
            granted_by=actor.id,
        )
    )
    record(work, actor, Event("grant role", "person", person_id, after=seat.as_json()))


def withdraw(work: Work, actor: Actor, person_id: str, seat: Seat) -> bool:
    """Take a role that was granted here back; False when the person did not have it."""
    done = work.connection.execute(
        sa.update(person_role)
        .where(
            person_role.c.person_id == person_id,
            person_role.c.organisation == seat.organisation,
            person_role.c.role == seat.role.value,
            person_role.c.revoked_at.is_(None),
        )
        .values(revoked_at=work.moment.instant)
    )
    if done.rowcount:
        record(work, actor, Event("withdraw role", "person", person_id, before=seat.as_json()))
    return bool(done.rowcount)


def granted(work: Work, person_id: str) -> tuple[Seat, ...]:
    """The roles that a person was granted here and still has."""
    c = person_role.c
    query = (
        sa.select(c.organisation, c.role)
        .where(c.person_id == person_id, c.revoked_at.is_(None))
        .order_by(c.organisation, c.role)
    )
    return tuple(Seat(row.organisation, Role(row.role)) for row in work.connection.execute(query))


def people_at(work: Work, organisation: str) -> list[tuple[Person, tuple[Role, ...]]]:
    """Who was granted a role at an organisation and still has it, by name, with the roles there."""
    query = (
        sa.select(person, person_role.c.role)
        .join_from(person_role, person, person.c.id == person_role.c.person_id)
        .where(
            person_role.c.organisation == organisation,
            person_role.c.revoked_at.is_(None),
            person.c.revoked_at.is_(None),
        )
        .order_by(person.c.name, person.c.id, person_role.c.role)
    )
    found: dict[str, tuple[Person, tuple[Role, ...]]] = {}
    for row in work.connection.execute(query):
        known, roles = found.get(row.id, (_person(row), ()))
        found[row.id] = (known, (*roles, Role(row.role)))
    return list(found.values())


def people(work: Work) -> list[tuple[Person, bool, tuple[Seat, ...]]]:
    """Everybody, by name: the person, whether active, and the roles granted here."""
    rows = work.connection.execute(sa.select(person).order_by(person.c.name, person.c.id)).all()
    return [(_person(row), row.revoked_at is None, granted(work, row.id)) for row in rows]


def names_of(work: Work, ids: Collection[str]) -> dict[str, str]:
    """The names of people and registered callers, by their ids of ours; unknown ids are left out.

    Only for ids that the reader has met on a record that they may see.
    """
    found: dict[str, str] = {}
    for table in (caller, person):
        query = sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids))
        found |= {row.id: row.name for row in work.connection.execute(query)}
    return found


def _person(row: Any) -> Person:
    return Person(row.id, row.issuer, row.subject, row.name)
