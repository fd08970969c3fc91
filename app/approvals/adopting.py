"""Adopting, and ending it: one of a commissioner proposes it, another confirms it.

Confirming runs the same services as the command line (`office.adopt`, `ending_adoption`).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from app.approvals import second_person
from app.approvals.ending_adoption import check_can_end, end_adoption
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.library import Library
from app.approvals.office import adopt, same_person
from app.approvals.permissions import Action, check_can
from app.approvals.published import Published, find
from app.approvals.second_person import CONFIRMABLE
from app.audit import Event, record
from app.auth.holders import check_person
from app.auth.model import Caller
from app.db import tables
from app.db.tables import adoption_proposal as proposals
from app.db.work import Work
from app.policy import Overlay

ADOPT, END = "adopt", "end"


@dataclass(frozen=True, slots=True)
class Adoption:
    """That a commissioner decides by a version (or its overlay, `+<day>`) from a day."""

    commissioner: str
    policy: str
    version: str
    from_day: dt.date
    to_day: dt.date | None
    adopted_by: str
    seconded_by: str


@dataclass(frozen=True, slots=True)
class AdoptionProposal:
    """An adoption, or the end of one, that waits for a second person, or what became of it.

    `from_day` is the first day on which the version decides, or no longer does.
    """

    id: str
    organisation: str
    policy: str
    version: str
    hash: str
    from_day: dt.date
    state: str  # waiting | confirmed | declined
    proposed_by: str
    proposed_by_name: str
    proposed_at: dt.datetime
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: dt.datetime | None = None
    act: str = ADOPT  # adopt | end


def adoptions_of(work: Work, policies: Sequence[str]) -> tuple[Adoption, ...]:
    """Who adopted what of these policies, the newest day first. No secret: it decides for all."""
    column = tables.adoption.c
    names = Adoption.__slots__
    rows = work.connection.execute(
        sa.select(*(column[name] for name in names))
        .where(column.policy.in_(policies))
        .order_by(column.from_day.desc(), column.recorded_at.desc())
    )
    return tuple(Adoption(**row._asdict()) for row in rows)


def adopters(found: Sequence[Adoption], policy: str, on: dt.date) -> Mapping[str, str]:
    """Commissioner → the number of the version of a policy that it adopted last, as of a day."""
    held: dict[str, str] = {}
    for each in sorted(found, key=lambda a: (a.from_day, a.version)):
        ended = each.to_day is not None and each.to_day < on
        holds = each.policy == policy and each.from_day <= on and not ended
        if holds and not each.version.startswith("+"):
            held[each.commissioner] = each.version
    return held


def propose_adoption(
    work: Work,
    library: Library,
    caller: Caller,
    policy: str,
    number: str,
    from_day: dt.date,
    act: str = ADOPT,
) -> AdoptionProposal:
    """Propose that the caller's organisation decides by a version, or its overlay, from a day.

    With `act` "end": that from that day it no longer does. Raises DetailsNotAccepted for a day that
    is past or another's overlay, UnknownPolicy for a number that the library does not hold,
    TransitionNotAllowed where the same waits already or there is no adoption to end, and
    NotAllowed for a credential that is tied to no person.
    """
    check_can(caller, Action.ADOPT)
    check_person(work, caller, "propose an adoption")
    found = find(library, policy, number)
    _check_own(caller, found)
    if act == END:
        check_can_end(work, found, caller.organisation, from_day)
    elif from_day < work.moment.day:
        raise DetailsNotAccepted(
            "from_day", "An adoption holds from today or a later day. Choose one."
        )
    work.wait_for_turn(f"adoption proposals of {caller.organisation}")
    waiting = sa.select(proposals.c.id).where(
        proposals.c.organisation == caller.organisation,
        proposals.c.hash == found.hash,
        proposals.c.act == act,
        proposals.c.state == "waiting",
        proposals.c.proposed_at > work.moment.instant - CONFIRMABLE,
    )
    if work.connection.execute(waiting).first() is not None:
        raise TransitionNotAllowed("The same proposal waits for a second person already.")
    made = AdoptionProposal(
        id=work.new_id(),
        organisation=caller.organisation,
        policy=found.policy,
        version=found.version,
        hash=found.hash,
        from_day=from_day,
        state="waiting",
        proposed_by=caller.id,
        proposed_by_name=caller.name[:120],
        proposed_at=work.moment.instant,
        act=act,
    )
    work.connection.execute(sa.insert(proposals).values(**asdict(made)))
    after = {"policy": policy, "version": found.version, "from_day": from_day.isoformat()}
    action = "propose adoption" if act == ADOPT else "propose end of adoption"
    event = Event(action, "adoption", made.id, after=after, policy_hash=found.hash)
    record(work, caller.actor(), event)
    return made


def confirm_adoption(
    work: Work, library: Library, caller: Caller, proposal_id: str
) -> AdoptionProposal:
    """Confirm what another person proposed: it is adopted, or its adoption ended, now.

    Raises NotAllowed for one's own proposal, also under another credential of one's own;
    TransitionNotAllowed for one that was decided, is too old, or whose text is no longer the one
    that was proposed.
    """
    proposal = _waiting(work, caller, proposal_id)
    ask = "Ask another commissioner of your organisation."
    second_person.check_confirms(work, caller, proposal, "confirm that adoption", ask)
    found = find(library, proposal.policy, proposal.version)
    if found.hash != proposal.hash:
        raise TransitionNotAllowed(
            "The text is not the one that was proposed. Decline the proposal and make a new one."
        )
    by, second = told_apart(
        (proposal.proposed_by_name, proposal.proposed_by), (caller.name, caller.id)
    )
    act = adopt if proposal.act == ADOPT else end_adoption
    act(work, found, caller.organisation, proposal.from_day, by, second, caller.actor())
    return _decide(work, caller, proposal, "confirmed")


def decline_adoption(work: Work, caller: Caller, proposal_id: str) -> AdoptionProposal:
    """Decline a proposal, or take one's own back."""
    return _decide(work, caller, _waiting(work, caller, proposal_id), "declined")


def adoption_proposals(
    work: Work,
    caller: Caller,
    limit: int = second_person.SHOWN,
    after: second_person.Place | None = None,
) -> tuple[AdoptionProposal, ...]:
    """The organisation's proposals: those that wait first, then the newest.

    `after`: only those behind a place.
    """
    check_can(caller, Action.ADOPT)
    rows = second_person.listed(work, proposals, caller.organisation, limit, after)
    return tuple(_proposal(row) for row in rows)


def adoption_proposal(work: Work, caller: Caller, proposal_id: str) -> AdoptionProposal:
    """One proposal of the caller's organisation; NotFound for another's."""
    check_can(caller, Action.ADOPT)
    return _proposal(second_person.found(work, proposals, caller.organisation, proposal_id))


def told_apart(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """The names of two people, given as name and id; with their ids where the names are the same.

    The services that take two people compare names, since at the command line there is no more.
    """
    if not same_person(one[0], other[0]):
        return one[0][:120], other[0][:120]
    return _with_id(one), _with_id(other)


def _with_id(one: tuple[str, str]) -> str:
    return f"{one[0][:80]} ({one[1]})"


def _check_own(caller: Caller, found: Published) -> None:
    if isinstance(found, Overlay) and found.commissioner != caller.organisation:
        raise DetailsNotAccepted(
            "commissioner", "That is another commissioner's overlay. Adopt your own."
        )


def _waiting(work: Work, caller: Caller, proposal_id: str) -> AdoptionProposal:
    check_can(caller, Action.ADOPT)
    return _proposal(second_person.waiting(work, proposals, caller.organisation, proposal_id))


def _decide(work: Work, caller: Caller, found: AdoptionProposal, state: str) -> AdoptionProposal:
    name = caller.name[:120]
    changes = second_person.decide(work, caller, proposals, found.id, state, decided_by_name=name)
    what = "adoption" if found.act == ADOPT else "end of adoption"
    verb = f"{'confirm' if state == 'confirmed' else 'decline'} {what}"
    before = {"state": found.state, "proposed_by": found.proposed_by}
    event = Event(verb, "adoption", found.id, before=before, after={"state": state})
    record(work, caller.actor(), event)
    return replace(found, **changes)


def _proposal(row: Any) -> AdoptionProposal:
    return AdoptionProposal(**row._mapping)
