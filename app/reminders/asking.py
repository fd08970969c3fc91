"""A person asks for reminders at the organisation that they act for, or wants no more of them."""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from app.approvals.permissions import Action, check_can
from app.audit import Event, record
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.db.tables import reminder_address, reminder_message
from app.db.work import Work
from app.reminders.errors import AddressNotAccepted

#: Plain addresses only: what cannot break a header, and no display names.
ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
LONGEST: Final = 254


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for at one organisation."""

    id: str
    role: Role
    address: str
    asked_at: dt.datetime
    refused_at: dt.datetime | None


def asked_for(work: Work, caller: Caller) -> Asked | None:
    """What the caller asked for at the organisation that they act for."""
    check_can(caller, Action.REMIND)
    c = reminder_address.c
    row = work.connection.execute(
        sa.select(c.id, c.role, c.address, c.asked_at, c.refused_at).where(_own(caller))
    ).one_or_none()
    if row is None:
        return None
    return Asked(row.id, Role(row.role), row.address, row.asked_at, row.refused_at)


def ask(work: Work, caller: Caller, address: str, domains: Collection[str]) -> None:
    """Be reminded at this address of what waits for the caller's role, from now on.

    `domains` are those that the service may write to. What was asked for before is replaced.
    Raises AddressNotAccepted, and NotAllowed for a system.
    """
    check_can(caller, Action.REMIND)
    if caller.kind != "person":
        raise NotAllowed(Action.REMIND.value, "you are a system", "A person asks for it.")
    check_address(address, domains)
    before = asked_for(work, caller)
    _forget(work, caller)
    id_ = work.new_id() if before is None else before.id
    work.connection.execute(
        sa.insert(reminder_address).values(
            id=id_,
            organisation=caller.organisation,
            person_id=caller.id,
            role=caller.role.value,
            address=address,
            asked_at=work.moment.instant,
        )
    )
    # The address is left out: it could not be forgotten there.
    after = {"role": caller.role.value}
    record(work, caller.actor(), Event("ask for reminders", "reminder", id_, after=after))


def end(work: Work, caller: Caller) -> bool:
    """No more reminders, and none of those that have not gone out; False where none was asked for.

    One that a worker is sending just now still goes out.
    """
    check_can(caller, Action.REMIND)
    before = asked_for(work, caller)
    if before is None:
        return False
    _forget(work, caller)
    event = Event("end reminders", "reminder", before.id, before={"role": before.role.value})
    record(work, caller.actor(), event)
    return True


def check_address(address: str, domains: Collection[str]) -> None:
    """Raise AddressNotAccepted unless the service may write to the address."""
    if len(address) > LONGEST or ADDRESS.fullmatch(address) is None:
        raise AddressNotAccepted(
            "Enter one e-mail address and nothing else, such as first.last@example.nhs.uk."
        )
    if address.rpartition("@")[2].lower() not in {each.lower() for each in domains}:
        allowed = ", ".join(f"@{each}" for each in domains)
        raise AddressNotAccepted(
            f"Reminders go to addresses of the organisation only. Enter one that ends in {allowed}."
        )


def _own(caller: Caller) -> sa.ColumnElement[bool]:
    c = reminder_address.c
    return sa.and_(c.organisation == caller.organisation, c.person_id == caller.id)


def _forget(work: Work, caller: Caller) -> None:
    work.connection.execute(sa.delete(reminder_address).where(_own(caller)))
    c = reminder_message.c
    work.connection.execute(
        sa.delete(reminder_message).where(
            c.organisation == caller.organisation,
            c.person_id == caller.id,
            c.state == "waiting",
        )
    )
