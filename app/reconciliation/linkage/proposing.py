"""Proposing approvals for a run's lines, and taking what a person says of a proposal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db import jobs
from app.db.work import Work
from app.reconciliation import deciding_lines, service
from app.reconciliation import store as runs
from app.reconciliation.engines.progress import PartOf, unwatched
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.large_lines import LargeLines, open_large
from app.reconciliation.line_keys import keys_of
from app.reconciliation.linkage import store
from app.reconciliation.linkage.known import Known
from app.reconciliation.linkage.large import find_in_files
from app.reconciliation.linkage.limited import find_in_memory
from app.reconciliation.linkage.model import Candidate, Found
from app.reconciliation.linkage.rechecking import check_still_proposed
from app.reconciliation.linkage.seeking import find_seekers
from app.reconciliation.linkage.store import Counts, ProposalRecord, SearchRecord
from app.reconciliation.linkage.weighing import Refusal
from app.reconciliation.model import DecisionKind, LineDecision, Snapshot
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk, Reconciled
from app.reconciliation.store import RunRecord

JOB = "propose links"


@dataclass(frozen=True, slots=True)
class Seen:
    """A run's lines, in memory or where they lie, the approvals of the caller's scope as they
    stand, and what was refused of them."""

    lines: Reconciled | LargeLines
    snapshot: Snapshot
    practices: Mapping[str, tuple[str, ...]]
    refused: frozenset[Refusal]

    @property
    def run(self) -> RunRecord:
        """The run."""
        return self.lines.run


@dataclass(frozen=True, slots=True)
class Listed:
    """The newest search for a run with some of its proposals; None where none was made.

    `next` is the row to go on after; None at the end.
    """

    search: SearchRecord | None
    counts: Counts
    proposals: tuple[ProposalRecord, ...]
    next: int | None = None


def queue(work: Work, caller: Caller, run_id: str) -> str:
    """Queue a search for a run's lines; returns the job's id."""
    check_can(caller, Action.PROPOSE_LINKS)
    runs.find_run(work, caller.organisation, run_id)
    payload = {"run": run_id, "caller": service.caller_payload(caller)}
    return jobs.enqueue(
        work, JOB, organisation=caller.organisation, created_by=caller.id, payload=payload
    )


def look(work: Work, desk: Desk, caller: Caller, run_id: str) -> Seen:
    """What is searched, within the caller's scope; within `Database.read`."""
    check_can(caller, Action.PROPOSE_LINKS)
    run = runs.find_run(work, caller.organisation, run_id)
    record = runs.find_submission(work, caller.organisation, run.submission_id)
    refused = store.refusals_of(work, caller.organisation)
    scope = scope_of(caller)
    if desk.matching.takes_files(run.lines):
        opened = open_large(work, desk, run)
        # What was used before says nothing of whose a line is, and takes long to count.
        snapshot = service.approvals_for(work, desk, caller, record, scope)
        return Seen(opened, snapshot, store.practices_of(work, scope), refused)
    loaded = service.load_run(work, desk, caller, run_id)
    snapshot = service.snapshot_for(work, desk, caller, record)
    return Seen(loaded, snapshot, store.practices_of(work, scope), refused)


def work_out(desk: Desk, seen: Seen, weighed: PartOf = unwatched) -> Found:
    """What is proposed for the run's lines. No SQL, but minutes for a large run: a job's work.

    Identifiers are compared here, in the service; what comes out says only how far they agree. Of
    more proposals than one search keeps the most costly are kept. `weighed` is told how many lines
    are, of those that nothing was found for.
    """
    known = Known.of(desk, seen.snapshot, seen.practices, seen.refused)
    if isinstance(seen.lines, LargeLines):
        return find_in_files(seen.lines, known, weighed=weighed)
    matched = seen.lines.matched
    lines = [item.line for item in matched]
    prepared = known.prepare(lines)
    seekers = find_seekers(matched, prepared, known.index, known.approvals)
    machine = desk.matching.machine()
    return find_in_memory(seekers, prepared, keys_of(lines), known, machine, weighed=weighed)


def save(work: Work, caller: Caller, seen: Seen, found: Found) -> str:
    """Keep a search; the one before it stays on record, and its open proposals count no more."""
    check_can(caller, Action.PROPOSE_LINKS)
    digest = (
        service.digest_with(seen.snapshot, "")
        if isinstance(seen.lines, LargeLines)
        else service.digest_for(seen.lines.submission, seen.snapshot)
    )
    return store.add(work, caller, seen.run.id, digest, found)


def list_proposals(
    work: Work,
    caller: Caller,
    run_id: str,
    limit: int,
    after: int = 0,
    state: str | None = None,
) -> Listed:
    """Proposals of the newest search for a run of the caller's organisation: of all or in a state,
    the most costly lines first, after a row of them."""
    check_can(caller, Action.PROPOSE_LINKS)
    runs.find_run(work, caller.organisation, run_id)
    search = store.newest_search(work, caller.organisation, run_id)
    if search is None:
        return Listed(None, Counts(0, 0, None), ())
    own = caller.organisation
    found = store.proposals_of(work, own, search.id, limit + 1, after, state)
    shown = found[:limit]
    more = shown[-1].proposed.row if len(found) > limit else None
    return Listed(search, store.counts_of(work, own, search.id), shown, more)


def show(work: Work, caller: Caller, proposal_id: str) -> tuple[ProposalRecord, bool]:
    """A proposal of the caller's organisation, and whether it is among the newest of its run."""
    check_can(caller, Action.PROPOSE_LINKS)
    proposal = store.find(work, caller.organisation, proposal_id)
    return proposal, _is_newest(work, caller, proposal)


@dataclass(frozen=True, slots=True)
class Accepting:
    """A proposal about to be accepted: the decision by hand that it becomes."""

    proposal: ProposalRecord
    seen: deciding_lines.Seen
    decision: LineDecision


def prepare_to_accept(
    work: Work, desk: Desk, caller: Caller, proposal_id: str, reference: str
) -> Accepting:
    """Weigh the one line again, and draft the decision: outside a transaction that writes.

    Raises StepNotPossible where the proposal is not open, does not name the approval, or would not
    be made so now: no pound rests on what somebody saw and that has changed since.
    """
    check_can(caller, Action.DECIDE_LINE)
    proposal = store.find(work, caller.organisation, proposal_id)
    search = _check_open(work, caller, proposal)
    chosen = _named(proposal, reference)
    check_still_proposed(work, desk, caller, proposal, chosen, search.model)
    row, match = proposal.proposed.row, DecisionKind.MATCH
    seen = deciding_lines.look(work, desk, caller, proposal.run_id, row, match, reference)
    made = deciding_lines.draft(desk, caller, seen, row, match, reference)
    return Accepting(proposal, seen, made)


def accept(
    work: Work, caller: Caller, accepting: Accepting, reason: str
) -> tuple[ProposalRecord, str]:
    """Make it a decision by hand and queue the submission again; returns the job too."""
    check_can(caller, Action.DECIDE_LINE)
    proposal = store.find(work, caller.organisation, accepting.proposal.id, hold=True)
    _check_open(work, caller, proposal)
    row = proposal.proposed.row
    decided, job = deciding_lines.decide(
        work, caller, accepting.seen, row, accepting.decision, reason
    )
    after = replace(
        proposal,
        state=store.ACCEPTED,
        approval_reference=accepting.decision.approval_reference,
        decision_id=decided.id,
        reason=reason,
        decided_at=work.moment.instant,
        decided_by=caller.id,
    )
    store.decide(work, caller, proposal, after)
    return after, job


def refuse(work: Work, caller: Caller, proposal_id: str, reason: str) -> ProposalRecord:
    """None of the proposed approvals is the line's: not proposed again unless a side changes."""
    check_can(caller, Action.PROPOSE_LINKS)
    proposal = store.find(work, caller.organisation, proposal_id, hold=True)
    _check_open(work, caller, proposal)
    after = replace(
        proposal,
        state=store.REFUSED,
        reason=reason,
        decided_at=work.moment.instant,
        decided_by=caller.id,
    )
    store.decide(work, caller, proposal, after)
    return after


def _named(proposal: ProposalRecord, reference: str) -> Candidate:
    for candidate in proposal.proposed.candidates:
        if candidate.approval_reference == reference:
            return candidate
    raise StepNotPossible(
        "The proposal does not name that approval. Name one that it does, or match the line by "
        "hand."
    )


def _check_open(work: Work, caller: Caller, proposal: ProposalRecord) -> SearchRecord:
    """The search that made it, if it is open and among the newest."""
    if proposal.state != store.OPEN:
        raise StepNotPossible(f"The proposal is {proposal.state} already.")
    newest = store.newest_search(work, caller.organisation, proposal.run_id)
    if newest is None or newest.id != proposal.search_id:
        raise StepNotPossible("The run's proposals were made again since. Use the newest ones.")
    return newest


def _is_newest(work: Work, caller: Caller, proposal: ProposalRecord) -> bool:
    newest = store.newest_search(work, caller.organisation, proposal.run_id)
    return newest is not None and newest.id == proposal.search_id
