"""Receiving a submission and reconciling it: load, decide, save with audit.

A submission is immutable and known by its content. A run is known by the submission, the rules,
the reference data and the state of the approvals: when none of them changed, reconciling again
finds the run that exists and changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Any

from sqlalchemy import ColumnElement, true

from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.approvals.scope import visible_treatments
from app.auth.model import Caller, Role
from app.clock import london_day
from app.db import jobs
from app.db.work import Work
from app.reconciliation import store
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.engines.plain import match_submission
from app.reconciliation.errors import NotYourSubmission, TotalsDoNotTie
from app.reconciliation.files import FileStore
from app.reconciliation.intake import read_submission
from app.reconciliation.model import MatchedLine, Snapshot, Submission
from app.reconciliation.outcome_files import from_parquet, to_parquet
from app.reconciliation.report import summary_figures
from app.reconciliation.snapshots import digest_of, take_snapshot
from app.reconciliation.store import RunRecord, SubmissionRecord
from app.reconciliation.summary import Summary, summarise
from app.reference_data.drugs import DrugDictionary
from app.reference_data.organisations import OrganisationDirectory
from app.reference_data.version import reference_version

ENGINE = "plain"
#: Raise it whenever the meaning of an outcome changes: stored runs keep theirs.
RULES_VERSION = "1"
#: The scope of an operator at the command line: every organisation's approvals.
ALL_ORGANISATIONS = "*"
JOB = "reconcile"
SUBMISSIONS, OUTCOMES = "submissions", "outcomes"


@dataclass(frozen=True, slots=True)
class Desk:
    """What reconciling needs beside the database."""

    office: Office
    dictionary: DrugDictionary
    organisations: OrganisationDirectory
    files: FileStore


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A run with every line's outcome and their summary."""

    submission: Submission
    run: RunRecord
    matched: tuple[MatchedLine, ...]
    summary: Summary
    is_new: bool


def receive(
    work: Work, desk: Desk, caller: Caller, data: bytes, file_name: str
) -> tuple[SubmissionRecord, Submission]:
    """Store a submission's bytes and row, or find the same file received before.

    Raises UnreadableSubmission when the file as a whole cannot be read and NotYourSubmission when
    a provider's file names another provider; then nothing is stored.
    """
    check_can(caller, Action.RECONCILE)
    submission = read_submission(data, file_name)
    _check_own_lines(desk, caller, submission)
    known = store.submission_by_hash(work, caller.organisation, submission.sha256)
    if known is not None:
        return known, submission
    stored_as = desk.files.save(caller.organisation, SUBMISSIONS, submission.sha256, data)
    if stored_as != submission.sha256:
        raise TotalsDoNotTie("The stored file's SHA-256", submission.sha256, stored_as)
    record = SubmissionRecord(
        id=work.new_id(),
        organisation=caller.organisation,
        sha256=submission.sha256,
        file_name=file_name[-200:],
        size=len(data),
        layout=submission.layout,
        lines=len(submission.lines),
        skipped=len(submission.skipped),
        total=_total(submission),
        received_at=work.moment.instant,
        received_by=caller.id,
    )
    store.add_submission(work, record, caller.actor())
    return record, submission


def queue(work: Work, caller: Caller, submission_id: str) -> str:
    """Queue a reconciliation of a received submission; returns the job's id."""
    check_can(caller, Action.RECONCILE)
    store.find_submission(work, caller.organisation, submission_id)
    payload: dict[str, Any] = {
        "submission": submission_id,
        "caller": {
            "id": caller.id,
            "name": caller.name,
            "kind": caller.kind,
            "organisation": caller.organisation,
            "role": caller.role.value,
            "client": caller.client,
            "correlation_id": caller.correlation_id,
        },
    }
    return jobs.enqueue(
        work, JOB, organisation=caller.organisation, created_by=caller.id, payload=payload
    )


def caller_of(payload: dict[str, Any]) -> Caller:
    """The caller who queued a job, as its payload keeps it."""
    kept = payload["caller"]
    return Caller(**{**kept, "role": Role(kept["role"])})


def snapshot_for(work: Work, desk: Desk, caller: Caller, record: SubmissionRecord) -> Snapshot:
    """What this caller's organisation may match the submission against, as of its receipt."""
    commissioner = caller.organisation if caller.role is Role.COMMISSIONER else None
    return take_snapshot(
        work,
        desk.office,
        _scope(caller),
        as_at=london_day(record.received_at),
        commissioner=commissioner,
    )


def match(
    desk: Desk, submission: Submission, snapshot: Snapshot
) -> tuple[tuple[MatchedLine, ...], Summary]:
    """Every line's outcome and the summary, whose totals are asserted to tie exactly. No SQL."""
    matched = match_submission(submission.lines, snapshot, desk.dictionary, desk.organisations)
    summary = summarise(matched)
    if summary.grand.total != _total(submission):
        raise TotalsDoNotTie("The submission's total", _total(submission), summary.grand.total)
    return matched, summary


def save_run(
    work: Work,
    desk: Desk,
    caller: Caller,
    record: SubmissionRecord,
    snapshot: Snapshot,
    matched: tuple[MatchedLine, ...],
    summary: Summary,
) -> tuple[RunRecord, bool]:
    """Save the outcomes and totals; when the same run exists, return it and change nothing."""
    outcomes = to_parquet(matched)
    run = RunRecord(
        id=work.new_id(),
        submission_id=record.id,
        organisation=record.organisation,
        engine=ENGINE,
        rules_version=RULES_VERSION,
        reference_version=reference_version(),
        snapshot_digest=digest_of(snapshot),
        as_at=snapshot.as_at,
        lines=summary.grand.lines,
        total=summary.grand.total,
        accepted=summary.grand.accepted,
        queried=summary.grand.queried,
        summary=summary_figures(summary),
        outcomes_file="",
        outcomes_sha256="",
        created_at=work.moment.instant,
        created_by=caller.id,
    )
    known = store.same_run(work, run)
    if known is not None:
        return known, False
    digest = desk.files.save(record.organisation, OUTCOMES, run.id, outcomes)
    stored = _with_file(run, digest)
    store.add_run(work, stored, caller.actor())
    return stored, True


def reconcile(
    transact: Callable[[Callable[[Work], Any]], Any],
    desk: Desk,
    caller: Caller,
    data: bytes,
    file_name: str,
) -> Reconciled:
    """Receive and reconcile in one go: what the command line does and a job does in parts."""
    record, submission = transact(lambda work: receive(work, desk, caller, data, file_name))
    snapshot = transact(lambda work: snapshot_for(work, desk, caller, record))
    matched, summary = match(desk, submission, snapshot)
    run, is_new = transact(
        lambda work: save_run(work, desk, caller, record, snapshot, matched, summary)
    )
    return Reconciled(submission, run, matched, summary, is_new)


def load_run(work: Work, desk: Desk, caller: Caller, run_id: str) -> Reconciled:
    """A stored run with its lines, read back from the submission and the outcomes file."""
    check_can(caller, Action.RECONCILE)
    run = store.find_run(work, caller.organisation, run_id)
    record = store.find_submission(work, caller.organisation, run.submission_id)
    submission = load_submission(desk, record)
    outcomes = desk.files.read(run.organisation, OUTCOMES, run.outcomes_file, run.outcomes_sha256)
    matched = from_parquet(outcomes, submission.lines)
    return Reconciled(submission, run, matched, summarise(matched), is_new=False)


def load_submission(desk: Desk, record: SubmissionRecord) -> Submission:
    """The stored file, read again."""
    data = desk.files.read(record.organisation, SUBMISSIONS, record.sha256, record.sha256)
    return read_submission(data, record.file_name)


def _scope(caller: Caller) -> ColumnElement[bool]:
    if caller.organisation == ALL_ORGANISATIONS:
        return true()
    return visible_treatments(caller)


def _check_own_lines(desk: Desk, caller: Caller, submission: Submission) -> None:
    if caller.role is Role.COMMISSIONER:
        return
    others = 0
    for line in submission.lines:
        day = line.supply_date
        if line.provider is None or day is None:
            named = line.provider
        else:
            named = desk.organisations.fold(line.provider, day)
        if named is not None and not named.startswith(caller.organisation):
            others += 1
    if others:
        raise NotYourSubmission(others)


def _total(submission: Submission) -> Decimal:
    """The file's own total: every line whose total is legible, exactly."""
    with localcontext(prec=EXACT_DIGITS):
        return sum((line.total_cost or ZERO for line in submission.lines), ZERO)


def _with_file(run: RunRecord, digest: str) -> RunRecord:
    return replace(run, outcomes_file=run.id, outcomes_sha256=digest)
