"""What gives power takes two administrators: one proposes, another confirms or declines.

Roles, systems, their keys, whose a credential is, and settings decide who may approve what. One
administrator alone can neither make themselves a decider nor give a system a key that they hold.
Two are two persons, whatever credentials they call with (`app.auth.holders`). What takes power away
(`administering`) is done by one, at once.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from app.approvals import second_person
from app.approvals.administering import check_own_credential, find_own_client
from app.approvals.permissions import Action, check_can
from app.approvals.settling import check_setting, settle
from app.audit import Event, record
from app.auth import clients, holders, people
from app.auth.errors import CallerNotAccepted, NotAllowed
from app.auth.model import Caller, Role
from app.auth.people import Person, Seat
from app.db.tables import administration_proposal as proposals
from app.db.work import Work


class Act(StrEnum):
    """What may be proposed."""

    GRANT = "grant role"
    CLIENT = "register client"
    KEY = "add client key"
    TIE = "tie credential"
    SETTING = "change setting"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act that waits for a second administrator, or what became of it."""

    id: str
    organisation: str
    act: Act
    content: Mapping[str, Any]
    state: str  # waiting | confirmed | declined
    proposed_at: dt.datetime
    proposed_by: str
    decided_at: dt.datetime | None = None
    decided_by: str | None = None
    made: str | None = None


def propose(
    work: Work, caller: Caller, issuer: str, act: Act, content: Mapping[str, Any]
) -> Proposal:
    """Propose an act for the caller's own organisation; nothing changes yet.

    `issuer` is the provider where people sign in. Raises what confirming would: CallerNotAccepted,
    DetailsNotAccepted, NotFound for another's client, and NotAllowed for a role of one's own and
    for a credential that is tied to no person.
    """
    check_can(caller, Action.ADMINISTER)
    holders.check_person(work, caller, "propose that")
    _check(work, caller, issuer, act, content)
    made = Proposal(
        id=work.new_id(),
        organisation=caller.organisation,
        act=act,
        content=dict(content),
        state="waiting",
        proposed_at=work.moment.instant,
        proposed_by=caller.id,
    )
    work.connection.execute(sa.insert(proposals).values(**asdict(made) | {"act": act.value}))
    after = {"act": act.value, **content}
    record(work, caller.actor(), Event("propose", "proposal", made.id, after=after))
    return made


def confirm(work: Work, caller: Caller, issuer: str, proposal_id: str) -> Proposal:
    """Confirm another administrator's proposal: it is done now, through the use case of its act.

    Raises NotAllowed for one's own proposal, by whatever credential, or a role of one's own, and
    TransitionNotAllowed for one that was decided before.
    """
    found = _waiting(work, caller, proposal_id)
    another = "Ask another administrator of your organisation, or the people who run the service."
    second_person.check_confirms(work, caller, found, "confirm that proposal", another)
    _check(work, caller, issuer, found.act, found.content)
    made = _DO[found.act](work, caller, issuer, found.content)
    return _decide(work, caller, found, "confirmed", made)


def decline(work: Work, caller: Caller, proposal_id: str) -> Proposal:
    """Decline a proposal, or take one's own back. Nothing of it is done."""
    return _decide(work, caller, _waiting(work, caller, proposal_id), "declined", None)


def list_proposals(
    work: Work,
    caller: Caller,
    limit: int = second_person.SHOWN,
    after: second_person.Place | None = None,
) -> tuple[Proposal, ...]:
    """The organisation's proposals: those that wait first, then the newest.

    `after`: only those behind a place.
    """
    check_can(caller, Action.ADMINISTER)
    rows = second_person.listed(work, proposals, caller.organisation, limit, after)
    return tuple(_proposal(row) for row in rows)


# --- the acts -----------------------------------------------------------------------------------


def _check(work: Work, caller: Caller, issuer: str, act: Act, content: Mapping[str, Any]) -> None:
    """Raise what stands against the act as things are now."""
    if act is Act.GRANT:
        _check_grant(work, caller, issuer, content)
    elif act is Act.CLIENT:
        clients.check_client(content["name"], [caller.organisation], content["scopes"])
    elif act is Act.KEY:
        find_own_client(work, caller, content["client_id"], changing=True)
    elif act is Act.TIE:
        check_own_credential(work, caller, content["credential"], content["person"])
        holders.check_tie(work, content["credential"], content["person"])
    else:
        from_day = dt.date.fromisoformat(content["from_day"])
        check_setting(content["setting"], content["value"], from_day, work.moment.day)


def _check_grant(work: Work, caller: Caller, issuer: str, content: Mapping[str, Any]) -> None:
    if not issuer:
        raise CallerNotAccepted("No provider is set where people sign in, so nobody has a role.")
    row = people.find_person(work, issuer, content["subject"])
    if row is None:
        return
    if row.revoked_at is not None:
        raise CallerNotAccepted(
            "That person was revoked by the people who run the service. Ask them."
        )
    if holders.same_holder(work, row.id, caller.id):
        raise NotAllowed(
            "grant that role", "it would be your own", "Leave it to two other administrators."
        )
    if Seat(caller.organisation, Role(content["role"])) in people.granted(work, row.id):
        raise CallerNotAccepted("The person has that role there already.")


def _grant(work: Work, caller: Caller, issuer: str, content: Mapping[str, Any]) -> str:
    row = people.find_person(work, issuer, content["subject"])
    known: Person | None = None if row is None else people.active_person(work, row.id)
    if known is None:
        known = people.add_person(
            work, caller.actor(), issuer=issuer, subject=content["subject"], name=content["name"]
        )
    seat = Seat(caller.organisation, Role(content["role"]))
    people.grant(work, caller.actor(), known.id, seat)
    return known.id


def _register(work: Work, caller: Caller, _issuer: str, content: Mapping[str, Any]) -> str:
    return clients.register_client(
        work,
        caller.actor(),
        name=content["name"],
        role=Role(content["role"]),
        organisations=[caller.organisation],
        scopes=content["scopes"],
    )


def _add_key(work: Work, caller: Caller, _issuer: str, content: Mapping[str, Any]) -> str:
    clients.add_key(work, caller.actor(), content["client_id"], content["kid"], content["jwk"])
    return str(content["kid"])


def _tie(work: Work, caller: Caller, _issuer: str, content: Mapping[str, Any]) -> str:
    return holders.tie(work, caller.actor(), content["credential"], content["person"]).person_id


def _settle(work: Work, caller: Caller, _issuer: str, content: Mapping[str, Any]) -> str:
    from_day = dt.date.fromisoformat(content["from_day"])
    name, value = content["setting"], content["value"]
    settle(work, caller.actor(), caller.organisation, name, value, from_day)
    return str(name)


_DO = {
    Act.GRANT: _grant,
    Act.CLIENT: _register,
    Act.KEY: _add_key,
    Act.TIE: _tie,
    Act.SETTING: _settle,
}


# --- storing ------------------------------------------------------------------------------------


def _waiting(work: Work, caller: Caller, proposal_id: str) -> Proposal:
    check_can(caller, Action.ADMINISTER)
    return _proposal(second_person.waiting(work, proposals, caller.organisation, proposal_id))


def _decide(work: Work, caller: Caller, found: Proposal, state: str, made: str | None) -> Proposal:
    changes = second_person.decide(work, caller, proposals, found.id, state, made=made)
    verb = "confirm" if state == "confirmed" else "decline"
    proposer = holders.person_of(work, found.proposed_by)
    before = {"state": found.state, "proposed_by": found.proposed_by, "person": proposer}
    decider = holders.person_of(work, caller.id)
    after = {"state": state, "made": made, "person": decider}
    event = Event(verb, "proposal", found.id, before=before, after=after)
    record(work, caller.actor(), event)
    return replace(found, **changes)


def _proposal(row: Any) -> Proposal:
    return Proposal(**{**row._mapping, "act": Act(row.act)})
