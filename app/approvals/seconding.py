"""Two members of a panel agree, where the policy asks for two.

The first member's vote is kept and the request stays referred; it is decided once another person
has voted the same, outcome and waivers. A vote stands for the answers that it was made on, as long
as its member is known here and has declared no interest since, and no safety notice began since
that suspends what it approves. A member's later vote replaces theirs; where members differ, both
votes stand, and nothing is decided.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, or_, select, update

from app.approvals import store
from app.approvals.deciding import add_decision, move
from app.approvals.doses_given import DosesGiven
from app.approvals.errors import TransitionNotAllowed
from app.approvals.library import Library
from app.approvals.lifecycle import RequestEvent, RequestState, next_states
from app.approvals.model import DecisionRecord, Interest, RequestRecord, TreatmentRecord
from app.approvals.notices import check_may_begin
from app.approvals.permissions import Action
from app.approvals.replaying import version_of_request
from app.audit import Event
from app.auth.errors import NotAllowed
from app.auth.holders import check_person, check_second, person_of, same_holder
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.statements import Statement
from app.db.work import Work
from app.policy import PolicyVersion, members_to_agree

_V: Final = tables.panel_vote.c
_NEXT: Final = "It takes another member. If you see it otherwise now, vote otherwise."
_MADE: Final = Statement(
    update(tables.panel_vote).where(_V.id == bindparam("vote")).values(decision_id=bindparam("by"))
)


@dataclass(frozen=True, slots=True)
class PanelVote:
    """What one member of a panel says where two must agree. `number` counts from 1.

    `decision_id`: the decision that it made with another's, if it did.
    """

    id: str
    request_id: str
    number: int
    revision: int
    organisation: str
    outcome: str  # approved | declined | overturned
    waived: list[str]
    reason: str
    interest: str | None
    voted_at: dt.datetime
    voted_by: str
    decision_id: str | None = None
    doses_given: dict[str, Any] | None = (
        None  # of a vote to overturn, see app.approvals.doses_given
    )


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a member says of a request, and why: *approved*, with waivers; *declined*; or
    *overturned*, with what that means for doses given.
    """

    outcome: str
    reason: str
    interest: Interest | None
    waived: frozenset[str] = frozenset()
    doses_given: DosesGiven | None = None

    def same_as(self, vote: PanelVote) -> bool:
        """Whether a vote says the same: outcome, waivers, doses paid. Its reason may differ."""
        theirs = None if vote.doses_given is None else DosesGiven.from_json(vote.doses_given)
        return (self.outcome, self.waived, _paid_to(self.doses_given)) == (
            vote.outcome,
            frozenset(vote.waived),
            _paid_to(theirs),
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a decision rests on: the votes of two members, the earlier first; none where one may."""

    votes: tuple[PanelVote, ...] = ()

    @property
    def agreed_with(self) -> str | None:
        """The member who voted first."""
        return self.votes[0].voted_by if self.votes else None

    def reasons(self, reason: str) -> list[str]:
        """Why it was decided: what each member gave; `reason` is that of who decides alone."""
        return [each.reason for each in self.votes] or [reason]


def decide(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    treatment: TreatmentRecord,
    library: Library,
    version: PolicyVersion,
    ballot: Ballot,
    findings: Sequence[object] = (),
) -> DecisionRecord | None:
    """Store the panel's decision that a member asks for, or keep it as a vote and return None.

    The one way in which a panel decides, so that none goes past a second member. `findings` are
    those that it rests on. Raises what `_agree` does.
    """
    agreement = _agree(work, caller, request, treatment, library, version, ballot)
    if agreement is None:
        return None
    given = None if ballot.doses_given is None else ballot.doses_given.to_json()
    stored = add_decision(
        work,
        caller,
        request,
        treatment.patient_id,
        made_by="panel",
        outcome=ballot.outcome,
        findings=list(findings),
        missing=[],
        reasons=agreement.reasons(ballot.reason),
        waived=sorted(ballot.waived),
        reason=ballot.reason,
        interest=ballot.interest,
        audited=None if given is None else {"doses_given": given},
        agreed_with=agreement.agreed_with,
        doses_given=given,
    )
    for vote in agreement.votes:  # which lets all who read the decision read them
        work.write(_MADE, {"vote": vote.id, "by": stored.id})
    return stored


def _agree(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    treatment: TreatmentRecord,
    library: Library,
    version: PolicyVersion,
    ballot: Ballot,
) -> Agreement | None:
    """What a decision of the panel may rest on now, or None where it waits for another member.

    The caller holds the request, may decide it and has declared. Then the vote is kept, and the
    request goes on waiting, with a raised version. Raises NotAllowed for somebody who is no person,
    or who has voted so already, with whichever credential, and TransitionNotAllowed.
    """
    if members_to_agree(version) == 1:
        return Agreement()
    next_states(request.state, RequestEvent.PANEL_VOTE)  # before anything is told of votes
    own = check_person(work, caller, Action.DECIDE_AS_PANEL.value)
    standing = standing_votes(work, library, request)
    same = [each for each in standing if ballot.same_as(each)]
    if any(person_of(work, each.voted_by) == own for each in same):
        raise NotAllowed(Action.DECIDE_AS_PANEL.value, "you have voted so already", _NEXT)
    first = same[0] if same else None
    vote = _add(work, caller, request, treatment, ballot)
    if first is None:
        step, to = RequestEvent.PANEL_VOTE, RequestState.REFERRED
        move(work, caller, treatment, request, step, to)
        return None
    check_second(work, caller, first.voted_by, Action.DECIDE_AS_PANEL.value, _NEXT)
    return Agreement((first, vote))


def _paid_to(given: DosesGiven | None) -> dt.date | None:
    """The last day that is paid for. Where nothing is, two members say the same on any days."""
    return given.to_day if given is not None and given.paid else None


def standing_votes(work: Work, library: Library, request: RequestRecord) -> tuple[PanelVote, ...]:
    """The votes on a request's newest answers that count, one for each person, oldest first.

    Read by the deciding organisation: others are told of none before a decision.
    """
    every = _votes(work, [request], (request.panel or request.commissioner,))[request.id]
    return _standing(work, library, request, every)


def votes_shown(
    work: Work, library: Library, caller: Caller, request: RequestRecord
) -> tuple[tuple[PanelVote, ...], tuple[PanelVote, ...]]:
    """The votes on a request that the caller may read, and those of them that wait for another.

    The deciding organisation reads every one, others those that became a decision.
    """
    every = _votes(work, [request], (caller.organisation,))[request.id]
    return every, _out(work, library, caller, request, every)


def votes_out(
    work: Work, library: Library, caller: Caller, ids: Collection[str]
) -> Mapping[str, tuple[PanelVote, ...]]:
    """Request id → the votes on it that wait for another member, of these that the caller decides.

    For a list of requests that the caller may see; those without such a vote are left out.
    """
    query = select(_V.request_id).where(
        _V.request_id.in_(ids), _V.organisation == caller.organisation, _V.decision_id.is_(None)
    )
    voted = sorted(set(work.connection.execute(query).scalars()))
    requests = [store.find_request(work, caller, id_) for id_ in voted]
    found = _votes(work, requests, (caller.organisation,))
    out = {each.id: _out(work, library, caller, each, found[each.id]) for each in requests}
    return {id_: votes for id_, votes in out.items() if votes}


def _out(
    work: Work,
    library: Library,
    caller: Caller,
    request: RequestRecord,
    votes: Iterable[PanelVote],
) -> tuple[PanelVote, ...]:
    decider = request.panel or request.commissioner
    if request.state is not RequestState.REFERRED or caller.organisation != decider:
        return ()
    return _standing(work, library, request, votes)


def _standing(
    work: Work, library: Library, request: RequestRecord, votes: Iterable[PanelVote]
) -> tuple[PanelVote, ...]:
    decider = request.panel or request.commissioner
    latest: dict[str, PanelVote] = {}
    for vote in votes:
        if (vote.revision, vote.organisation) != (request.revision, decider):
            continue
        person = person_of(work, vote.voted_by)  # None for one that was revoked since
        if person is not None:
            latest[person] = vote
    if not latest:
        return ()
    aside = [
        decision.decided_by
        for decision in store.decisions_of(work, request.id)
        if decision.interest == Interest.DECLARED and decision.decided_by is not None
    ]
    standing = [
        vote
        for vote in latest.values()
        if not any(same_holder(work, vote.voted_by, each) for each in aside)
        and _may_still_begin(work, library, request, vote)
    ]
    return tuple(sorted(standing, key=lambda each: each.number))


def _may_still_begin(work: Work, library: Library, request: RequestRecord, vote: PanelVote) -> bool:
    """Whether no safety notice began after a vote to approve, which its member did not know."""
    if vote.outcome != "approved":
        return True
    version, voted_on = version_of_request(work, library, request), london_day(vote.voted_at)
    try:
        check_may_begin(work, library, request, version, voted_on)
    except TransitionNotAllowed:
        return False
    return True


def _votes(
    work: Work, requests: Sequence[RequestRecord], organisations: Sequence[str]
) -> dict[str, tuple[PanelVote, ...]]:
    """Request id → its votes that these organisations may read, oldest first."""
    found: dict[str, tuple[PanelVote, ...]] = {each.id: () for each in requests}
    query = (
        select(tables.panel_vote)
        .where(
            _V.request_id.in_(list(found)),
            or_(_V.organisation.in_(organisations), _V.decision_id.is_not(None)),
        )
        .order_by(_V.voted_at, _V.number)
    )
    for row in work.connection.execute(query).mappings():
        vote = store.as_record(PanelVote, row)
        found[vote.request_id] = (*found[vote.request_id], vote)
    return found


def _add(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    treatment: TreatmentRecord,
    ballot: Ballot,
) -> PanelVote:
    before = select(func.coalesce(func.max(_V.number), 0)).where(
        _V.request_id == request.id, _V.organisation == caller.organisation
    )
    vote = PanelVote(
        id=work.new_id(),
        request_id=request.id,
        number=work.connection.execute(before).scalar_one() + 1,
        revision=request.revision,
        organisation=caller.organisation,
        outcome=ballot.outcome,
        waived=sorted(ballot.waived),
        reason=ballot.reason,
        interest=ballot.interest,
        voted_at=work.moment.instant,
        voted_by=caller.id,
        doses_given=None if ballot.doses_given is None else ballot.doses_given.to_json(),
    )
    told: dict[str, Any] = {
        "outcome": vote.outcome,
        "number": vote.number,
        "revision": vote.revision,
        "waived": vote.waived,
        "reason": vote.reason,
        "interest": vote.interest,
        **({} if vote.doses_given is None else {"doses_given": vote.doses_given}),
    }
    event = Event(
        action="panel vote",  # the feed of changes tells it, and not how
        object_type="request",
        object_id=request.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        after=told,
        policy_hash=request.policy_hash,
    )
    store.add(work, tables.panel_vote, vote, caller.actor(), event)
    return vote
