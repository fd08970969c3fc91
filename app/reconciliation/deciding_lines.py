"""Deciding a line by hand: whose it is, or that it is accepted or queried; and undoing that."""

from dataclasses import dataclass, fields, replace
from typing import Final

import pyarrow.parquet as pq

from app.approvals.permissions import Action, can, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import challenge_store, decision_store, rematching, service, store
from app.reconciliation.decision_store import DecisionRecord
from app.reconciliation.engines.by_hand import (
    BY_HAND,
    approval_digest,
    coverages_of,
    decisions_on,
    usable_coverage,
)
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.plain import match_submission
from app.reconciliation.engines.prepare import prepare
from app.reconciliation.errors import RunNotFound, StepNotPossible, TooManyLines
from app.reconciliation.large_lines import LargeLines, open_where_it_lies
from app.reconciliation.line_columns import facts_of
from app.reconciliation.line_keys import keys_of
from app.reconciliation.line_reach import reached_by
from app.reconciliation.model import (
    ContractLine,
    DecisionKind,
    LineDecision,
    MatchedLine,
    Snapshot,
    Submission,
)
from app.reconciliation.service import Desk, Reconciled
from app.reconciliation.store import RunRecord
from app.reconciliation.summary import summarise

#: Lines of a large run that are read to decide one of them.
MOST_RELATED: Final = 2_000
_COUNTS: Final = frozenset({"lines", "skipped"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A run with its lines, and the approvals as they stand now."""

    loaded: Reconciled
    snapshot: Snapshot


def action_of(kind: DecisionKind) -> Action:
    """Who may decide so: matching is the validator's work too, accepting money is not."""
    return Action.DECIDE_LINE if kind is DecisionKind.MATCH else Action.OVERRIDE_LINE


def look(
    work: Work,
    desk: Desk,
    caller: Caller,
    run_id: str,
    row: int,
    kind: DecisionKind,
    reference: str | None = None,
) -> Seen:
    """What is decided on: slow for a large run, so outside a transaction that writes.

    Of approvals those that a line of the run could be matched with, or was by hand, and the one of
    the `reference` that is to be named. Of the run only the lines are read that may bear on the
    row's. Where they are more than MOST_RELATED, TooManyLines of a run that is not held in memory,
    and of any other every line.
    """
    check_can(caller, action_of(kind))
    run = store.find_run(work, caller.organisation, run_id)
    loaded = _loaded(work, desk, caller, run, row, reference)
    record = store.find_submission(work, caller.organisation, loaded.run.submission_id)
    lines = loaded.submission.lines
    standing = decisions_on(lines, decision_store.in_force(work, caller.organisation)).values()
    named = {each.approval_reference for each in standing} | {reference}
    among = reached_by(
        work,
        lines,
        caller.organisation,
        desk.organisations.fold,
        service.key_of(desk, caller),
        {each for each in named if each is not None},
        whosever=True,
    )
    return Seen(loaded, service.snapshot_for(work, desk, caller, record, among))


def _loaded(
    work: Work, desk: Desk, caller: Caller, run: RunRecord, row: int, reference: str | None
) -> Reconciled:
    opened = open_where_it_lies(work, desk, run)
    if opened is not None:
        try:
            return _around(work, desk, caller, opened, row, reference)
        except TooManyLines:
            if desk.matching.takes_files(run.lines):
                raise
    return service.load_run(work, desk, caller, run.id)


def _around(
    work: Work, desk: Desk, caller: Caller, opened: LargeLines, row: int, reference: str | None
) -> Reconciled:
    """The run with no lines but those that may bear on a row's."""
    key = service.key_of(desk, caller) if opened.carries_pseudonyms else None
    line = opened.line(row).line
    reached = reached_by(
        work,
        [line],
        caller.organisation,
        desk.organisations.fold,
        key,
        set() if reference is None else {reference},
        whosever=True,
    )
    with opened.reading() as reading:
        reading.compare_by(key)
        lines = reading.related(row, reached, MOST_RELATED)
    if len(lines) > MOST_RELATED:
        raise TooManyLines(
            len(lines),
            "that share a patient, a reference or an approval with this one and with each other",
            "Have the numbers or references that they share looked at, or send each month as a "
            "file of its own",
        )
    with pq.ParquetFile(opened.rows) as file:
        facts = facts_of(file)
    told = {f.name: getattr(facts, f.name) for f in fields(facts) if f.name not in _COUNTS}
    name = opened.record.file_name
    submission = Submission(file_name=name, lines=tuple(lines), skipped=(), **told)
    return Reconciled(
        submission, opened.run, (), summarise((), desk.organisations.fold), is_new=False
    )


def draft(
    desk: Desk, caller: Caller, seen: Seen, row: int, kind: DecisionKind, reference: str | None
) -> LineDecision:
    """The decision on a row, with the two sides that it rests on. No SQL.

    Raises RunNotFound where the run has no such row, and StepNotPossible where the approval cannot
    be the line's, or the line is settled whatever approval is held.
    """
    submission = seen.loaded.submission
    lines, snapshot = service.comparable(desk, caller, submission, seen.snapshot)
    position = next((i for i, line in enumerate(lines) if line.row == row), None)
    if position is None:
        raise RunNotFound("line of this run")

    def outcome_with(*decisions: LineDecision) -> MatchedLine:
        with_them = replace(snapshot, decisions=decisions)
        return match_submission(lines, with_them, desk.dictionary, desk.organisations)[position]

    key = keys_of(lines)[position]
    made = LineDecision(key, kind, outcome_with().outcome)
    if kind is DecisionKind.MATCH:
        made = _of_approval(desk, lines[position], snapshot, made, reference or "")
    if outcome_with(made).found_by != BY_HAND:
        raise StepNotPossible(
            f"A decision by hand changes nothing of a line that is '{made.outcome}' for its own "
            "sake. Have the line corrected and sent again."
        )
    return made


def _of_approval(
    desk: Desk, line: ContractLine, snapshot: Snapshot, made: LineDecision, reference: str
) -> LineDecision:
    """The match to an approval, with its terms as they stand."""
    coverages = coverages_of(index_snapshot(snapshot), reference)
    if not coverages:
        raise StepNotPossible(
            "No such approval is visible to your organisation. Check the reference."
        )
    held = snapshot.as_at, snapshot.layout, snapshot.terms.supplies
    (item,) = prepare([line], desk.dictionary, Folder(desk.organisations), *held)
    why, coverage = usable_coverage(item, coverages)
    if coverage is None:
        raise StepNotPossible(f"The line cannot be matched to it: {why}. Name another approval.")
    digest = approval_digest(coverages)
    return replace(made, approval_reference=reference, approval_digest=digest)


def decide(
    work: Work, caller: Caller, seen: Seen, row: int, decision: LineDecision, reason: str
) -> tuple[DecisionRecord, str]:
    """Keep a decision and queue the submission to be reconciled again; returns the job too."""
    check_can(caller, action_of(decision.kind))
    submission = seen.loaded.run.submission_id
    challenge_store.take_turns(work, caller.organisation)  # another file may state the line too
    if decision_store.standing(work, caller.organisation, decision.line_key) is not None:
        raise StepNotPossible("The line is decided by hand already. Undo that decision first.")
    made = DecisionRecord(
        id=work.new_id(),
        organisation=caller.organisation,
        decision=decision,
        reason=reason,
        run_id=seen.loaded.run.id,
        row=row,
        made_at=work.moment.instant,
        made_by=caller.id,
        role=caller.role.value,
    )
    decision_store.add(work, caller, made)
    return made, _queue(work, caller, submission, decision_store.DECIDED, made)


def undo(work: Work, caller: Caller, decision_id: str, reason: str) -> tuple[DecisionRecord, str]:
    """Undo one decision, leave every other, and queue the submission again."""
    check_can(caller, Action.DECIDE_LINE)
    made = decision_store.find(work, caller, decision_id)
    if not can(caller, action_of(made.decision.kind)):
        raise StepNotPossible("An override is undone by a commissioner. Ask one of yours.")
    if made.undone_at is not None:
        raise StepNotPossible("The decision is undone already.")
    decision_store.undo(work, caller, made, reason)
    run = store.find_run(work, caller.organisation, made.run_id)
    after = replace(made, undone_at=work.moment.instant, undone_by=caller.id, undone_reason=reason)
    return after, _queue(work, caller, run.submission_id, decision_store.UNDONE, made)


def _queue(work: Work, caller: Caller, submission: str, action: str, made: DecisionRecord) -> str:
    """Queue the submission, whose slices the decision has made out of date; returns the job."""
    job, key = service.queue(work, caller, submission), made.decision.line_key
    rematching.mark_decision(work, caller.organisation, submission, action, key, job)
    return job


def list_decisions(work: Work, caller: Caller, limit: int) -> tuple[DecisionRecord, ...]:
    """The organisation's newest decisions by hand."""
    check_can(caller, Action.DECIDE_LINE)
    return decision_store.listed(work, caller, limit)
