"""Proposing approvals for a run's lines, and taking what a person says of a proposal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db import jobs
from app.db.work import Work
from app.reconciliation import deciding_lines, service
from app.reconciliation import store as runs
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.prepare import prepare
from app.reconciliation.errors import StepNotPossible, TooManyLines
from app.reconciliation.line_keys import keys_of
from app.reconciliation.linkage import store
from app.reconciliation.linkage.comparing import compare, parameters_of
from app.reconciliation.linkage.model import Candidate, Found
from app.reconciliation.linkage.seeking import approvals_of, find_seekers, held_of
from app.reconciliation.linkage.store import ProposalRecord, SearchRecord
from app.reconciliation.linkage.weighing import Judge, Matter, Refusal, propose
from app.reconciliation.model import DecisionKind, LineDecision, Snapshot
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk, Reconciled

JOB = "propose links"


@dataclass(frozen=True, slots=True)
class Seen:
    """A run, the approvals of the caller's scope as they stand, and what was refused of them."""

    loaded: Reconciled
    snapshot: Snapshot
    practices: Mapping[str, tuple[str, ...]]
    refused: frozenset[Refusal]


@dataclass(frozen=True, slots=True)
class Listed:
    """The newest search for a run with its proposals; None where none was made."""

    search: SearchRecord | None
    count: int
    proposals: tuple[ProposalRecord, ...]


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
    if desk.matching.takes_files(run.lines):
        raise TooManyLines(
            run.lines,
            "to have approvals proposed for those whose patient is not known",
            "Send each month as a file of its own, or match such lines by hand, one by one",
        )
    loaded = service.load_run(work, desk, caller, run_id)
    record = runs.find_submission(work, caller.organisation, loaded.run.submission_id)
    return Seen(
        loaded,
        service.snapshot_for(work, desk, caller, record),
        store.practices_of(work, scope_of(caller)),
        store.refusals_of(work, caller.organisation),
    )


def work_out(desk: Desk, seen: Seen, only_row: int | None = None) -> Found:
    """What is proposed for the run's lines, or for one of its rows. No SQL, but some seconds.

    Identifiers are compared here, in the service; what comes out says only how far they agree.
    """
    snapshot, lines = seen.snapshot, [item.line for item in seen.loaded.matched]
    dictionary = service.knowing(desk.dictionary, snapshot.terms.spellings)
    fold = Folder(desk.organisations)
    held = snapshot.as_at, snapshot.layout, snapshot.terms.supplies
    prepared = prepare(lines, dictionary, fold, *held)
    index, approvals = index_snapshot(snapshot), approvals_of(snapshot.coverages)
    seekers = find_seekers(seen.loaded.matched, prepared, index, approvals)
    if only_row is not None:
        own = tuple(s for s in seekers.lines if lines[s.position].row == only_row)
        seekers = replace(seekers, lines=own)
    parameters = parameters_of()
    compared = compare(seekers.lines, held_of(approvals, seen.practices), parameters)
    matter = Matter(seekers, prepared, keys_of(lines), index, seen.refused)
    return propose(Judge.of(parameters), matter, compared)


def save(work: Work, caller: Caller, seen: Seen, found: Found) -> str:
    """Keep a search; the one before it stays on record, and its open proposals count no more."""
    check_can(caller, Action.PROPOSE_LINKS)
    digest = service.digest_for(seen.loaded.submission, seen.snapshot)
    return store.add(work, caller, seen.loaded.run.id, digest, found)


def list_proposals(work: Work, caller: Caller, run_id: str, limit: int) -> Listed:
    """The proposals of the newest search for a run of the caller's organisation."""
    check_can(caller, Action.PROPOSE_LINKS)
    runs.find_run(work, caller.organisation, run_id)
    search = store.newest_search(work, caller.organisation, run_id)
    if search is None:
        return Listed(None, 0, ())
    own = caller.organisation
    count = store.count_of(work, own, search.id)
    return Listed(search, count, store.proposals_of(work, own, search.id, limit))


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
    """Compare again, and draft the decision: slow, so outside a transaction that writes.

    Raises StepNotPossible where the proposal is not open, does not name the approval, or would not
    be made so now: no pound rests on what somebody saw and that has changed since.
    """
    check_can(caller, Action.DECIDE_LINE)
    proposal = store.find(work, caller.organisation, proposal_id)
    _check_open(work, caller, proposal)
    chosen = _named(proposal, reference)
    now = look(work, desk, caller, proposal.run_id)
    row = proposal.proposed.row
    again = [c for p in work_out(desk, now, row).proposals for c in p.candidates]
    if chosen.evidence_digest not in {c.evidence_digest for c in again}:
        raise StepNotPossible(
            "The line, the approval or the patient's record changed since this was proposed. Have "
            "the run's proposals made again."
        )
    seen = deciding_lines.Seen(now.loaded, now.snapshot)
    made = deciding_lines.draft(desk, caller, seen, row, DecisionKind.MATCH, reference)
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


def _check_open(work: Work, caller: Caller, proposal: ProposalRecord) -> None:
    if proposal.state != store.OPEN:
        raise StepNotPossible(f"The proposal is {proposal.state} already.")
    if not _is_newest(work, caller, proposal):
        raise StepNotPossible("The run's proposals were made again since. Use the newest ones.")


def _is_newest(work: Work, caller: Caller, proposal: ProposalRecord) -> bool:
    newest = store.newest_search(work, caller.organisation, proposal.run_id)
    return newest is not None and newest.id == proposal.search_id
