"""Receiving a submission and reconciling it: load, decide, save with audit.

A submission is immutable and known by its content. A run is known by the submission, the rules,
the reference data, the state of the approvals and the decisions by hand: when none of them changed,
reconciling again finds the run that exists and changes nothing.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

from app.approvals.office import Office
from app.approvals.permissions import PAYER_ROLES, Action, check_can
from app.audit import feed_position
from app.auth.model import Caller, Role
from app.clock import london_day
from app.db import jobs, tables
from app.db.work import Work
from app.reconciliation import decision_store, rows_store, slice_store, store
from app.reconciliation.accepting import accept, outcomes_by_slice
from app.reconciliation.closed_months import Differing
from app.reconciliation.earlier import earlier_for, earlier_of_draft
from app.reconciliation.earlier_rows import MOST_PLAIN, Looking
from app.reconciliation.engines.by_hand import decisions_digest, decisions_on
from app.reconciliation.engines.choice import BY_DEFAULT, Choice, Engine
from app.reconciliation.engines.heirs import with_heirs
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.engines.progress import PartOf, Progress, untold, unwatched
from app.reconciliation.errors import TooManyLines, TotalsDoNotTie
from app.reconciliation.files import FileStore
from app.reconciliation.line_reach import reached_by
from app.reconciliation.model import ContractLine, MatchedLine, Snapshot, Submission
from app.reconciliation.outcome_files import from_parquet, to_parquet
from app.reconciliation.own_lines import check_own_lines
from app.reconciliation.preview import Preview, preview
from app.reconciliation.pseudonymised import (
    as_pseudonyms,
    carries_pseudonyms,
    check_usable,
    with_own_lines,
)
from app.reconciliation.report import summary_figures
from app.reconciliation.scope import ALL_ORGANISATIONS as ALL_ORGANISATIONS
from app.reconciliation.scope import Scope, scope_of
from app.reconciliation.slice_store import SliceOutcome
from app.reconciliation.slices import place
from app.reconciliation.snapshots import digest_of, take_snapshot
from app.reconciliation.source import in_memory, on_disk
from app.reconciliation.standing import Looked, Result, let_stand
from app.reconciliation.standing_store import open_marks
from app.reconciliation.store import RunRecord, SubmissionRecord
from app.reconciliation.stored_lines import OUTCOMES as OUTCOMES
from app.reconciliation.stored_lines import SUBMISSIONS as SUBMISSIONS
from app.reconciliation.stored_lines import Stored, read_file, stored_submission
from app.reconciliation.stored_lines import keep_rows as keep_rows
from app.reconciliation.summary import Summary, summarise
from app.reconciliation.terms_model import AcceptedSpelling
from app.reconciliation.terms_store import terms_for, terms_to_check
from app.reconciliation.waiting_store import narrow
from app.reference_data.drugs import AcceptedName, DrugDictionary
from app.reference_data.organisations import OrganisationDirectory
from app.reference_data.pseudonyms import PseudonymKey
from app.reference_data.version import reference_version

#: Raise it whenever the meaning of an outcome changes: stored runs keep theirs.
RULES_VERSION = "9"
JOB = "reconcile"
#: Of more treatments than this everything in scope is read: a statement names no more.
MOST_NAMED = 10_000
#: What to do with a run whose lines are too many to be held in memory.
IN_FULL = (
    "Read its lines by page, have an export of it written, or write its outcomes with 'assent runs "
    "outcomes'"
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What reconciling needs beside the database."""

    office: Office
    dictionary: DrugDictionary
    organisations: OrganisationDirectory
    files: FileStore
    matching: Choice = BY_DEFAULT


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A run with every line's outcome and their summary."""

    submission: Submission
    run: RunRecord
    matched: tuple[MatchedLine, ...]
    summary: Summary
    is_new: bool


@dataclass(frozen=True, slots=True)
class Worked:
    """Every line's outcome and what is stored of them, worked out without a transaction.

    Where lines were not held in memory, `outcomes` is a file and `matched` is empty. `note` is what
    the run must say of how it was done.
    """

    snapshot_digest: str
    as_at: dt.date
    matched: tuple[MatchedLine, ...]
    summary: Summary
    outcomes: bytes | Path
    slices: tuple[SliceOutcome, ...]
    engine: Engine
    note: str = ""


def read_own(
    desk: Desk, caller: Caller, data: bytes, file_name: str, rows_read: PartOf = unwatched
) -> Submission:
    """Read a file before anything is stored: slow for a large one, so outside any transaction.

    Raises NotAllowed, UnreadableSubmission when the file as a whole cannot be read, and
    NotYourSubmission when a provider's file names another provider.
    """
    check_can(caller, Action.RECONCILE)
    submission = read_file(data, file_name, rows_read)
    check_readable(desk, caller, submission)
    return submission


def check_readable(desk: Desk, caller: Caller, submission: Submission) -> None:
    """Raise NotYourSubmission for another provider's lines, UnreadableSubmission for pseudonyms
    that the caller cannot compare with anything."""
    check_own_lines(desk.organisations.fold, caller, submission)
    check_usable(submission, key_of(desk, caller), caller.role in PAYER_ROLES)


def receive(
    work: Work, desk: Desk, caller: Caller, data: bytes, submission: Submission
) -> SubmissionRecord:
    """Store a submission that `read_own` has read and accept its slices, or find it as it is.

    The same file received before changes nothing, even where a newer one has replaced its slices.
    """
    check_can(caller, Action.RECONCILE)
    known = store.submission_by_hash(work, caller.organisation, submission.sha256)
    if known is not None:
        return known
    stored_as = desk.files.save(caller.organisation, SUBMISSIONS, submission.sha256, data)
    if stored_as != submission.sha256:
        raise TotalsDoNotTie("The stored file's SHA-256", submission.sha256, stored_as)
    record = SubmissionRecord(
        id=work.new_id(),
        organisation=caller.organisation,
        sha256=submission.sha256,
        file_name=submission.file_name[-200:],
        size=len(data),
        layout=submission.layout,
        lines=len(submission.lines),
        skipped=len(submission.skipped),
        total=_total(submission),
        received_at=work.moment.instant,
        received_by=caller.id,
    )
    added = store.add_submission(work, record, caller.actor())
    if added.id == record.id:
        placed = place(submission.lines, desk.organisations.fold)
        accept(work, stored_by(desk), caller, record, placed)
        keep_rows(work, desk.files, record, submission, caller.actor())
    return added


def stored_by(desk: Desk) -> Stored:
    """A reader of the desk's stored submissions, for one use case."""
    return Stored(desk.files, desk.organisations.fold, {})


def preview_submission(
    work: Work, desk: Desk, caller: Caller, submission: Submission, compared: Progress = untold
) -> Preview:
    """What accepting the submission now would change; within `Database.read`. Stores nothing."""
    check_can(caller, Action.RECONCILE)
    return preview(work, stored_by(desk), caller, submission, compared)


def queue(work: Work, caller: Caller, submission_id: str) -> str:
    """Queue a reconciliation of a received submission; returns the job's id.

    Raises RunNotFound, and StoredFileEnded where its lines are no longer kept.
    """
    check_can(caller, Action.RECONCILE)
    store.check_kept(work, caller.organisation, submission_id)
    payload: dict[str, Any] = {
        "submission": submission_id,
        "caller": caller_payload(caller),
    }
    return jobs.enqueue(
        work, JOB, organisation=caller.organisation, created_by=caller.id, payload=payload
    )


def caller_payload(caller: Caller) -> dict[str, str]:
    """The caller as a job's payload keeps it."""
    return {
        "id": caller.id,
        "name": caller.name,
        "kind": caller.kind,
        "organisation": caller.organisation,
        "role": caller.role.value,
        "client": caller.client,
        "correlation_id": caller.correlation_id,
    }


def caller_of(payload: dict[str, Any]) -> Caller:
    """The caller who queued a job, as its payload keeps it."""
    kept = payload["caller"]
    return Caller(**{**kept, "role": Role(kept["role"])})


def snapshot_for(
    work: Work,
    desk: Desk,
    caller: Caller,
    record: SubmissionRecord,
    among: frozenset[str] | None = None,
) -> Snapshot:
    """What this caller's organisation may match the submission against; within `Database.read`.

    Of approvals all in its scope, or those of the treatments `among` it.
    """
    scope = scope_of(caller)
    if among is not None and len(among) <= MOST_NAMED:
        scope = narrow(scope, tables.treatment.c.id.in_(sorted(among)))
    whole = approvals_for(work, desk, caller, record, scope)
    looking = Looking(
        desk.files,
        knowing(desk.dictionary, whole.terms.spellings),
        desk.organisations,
        desk.matching.machine(),
        key_of(desk, caller),
        # Where its own lines are not held in memory, those before it are not either.
        0 if desk.matching.takes_files(record.lines) else MOST_PLAIN,
    )
    return replace(whole, earlier=earlier_for(work, looking, record, whole))


def approvals_for(
    work: Work, desk: Desk, caller: Caller, record: SubmissionRecord, scope: Scope
) -> Snapshot:
    """The same without what lines before it used: for whoever looks at approvals only."""
    seen = take_snapshot(work, desk.office, scope, london_day(record.received_at))
    return replace(
        with_heirs(seen, desk.organisations),
        decisions=decision_store.in_force(work, caller.organisation),
        terms=terms_for(work, caller),
        layout=record.layout,
    )


def snapshot_to_check(
    work: Work, desk: Desk, caller: Caller, submission: Submission, *, restates: bool
) -> Snapshot:
    """What a trust's draft may be matched against today; within `Database.read`.

    What its commissioners' runs would see, as far as the trust may know it (ADR 64). Of approvals
    only those that one of the lines could be matched with are read.
    """
    scope = scope_of(caller)
    reached = reached_by(work, submission.lines, caller.organisation, desk.organisations.fold)
    if len(reached) <= MOST_NAMED:
        scope = narrow(scope, tables.treatment.c.id.in_(sorted(reached)))
    seen = take_snapshot(work, desk.office, scope, work.moment.day)
    whole = replace(
        with_heirs(seen, desk.organisations),
        terms=terms_to_check(work, caller),
        layout=submission.layout,
    )
    dictionary = knowing(desk.dictionary, whole.terms.spellings)

    def looking(organisation: str) -> Looking:
        key = desk.office.pseudonyms.key_of(organisation)
        machine = desk.matching.machine()
        return Looking(desk.files, dictionary, desk.organisations, machine, key)

    earlier = earlier_of_draft(
        work, looking, caller.organisation, submission.lines, whole, restates=restates
    )
    return replace(whole, earlier=earlier)


def seen_for(
    work: Work, desk: Desk, caller: Caller, record: SubmissionRecord
) -> tuple[Looked, Snapshot]:
    """A snapshot, with the log's position and the marks that it has seen."""
    marks = open_marks(work, record.organisation, record.id)
    return Looked(feed_position(work), work.moment.instant, marks), snapshot_for(
        work, desk, caller, record
    )


def match(
    desk: Desk,
    caller: Caller,
    submission: Submission,
    snapshot: Snapshot,
    progress: Progress = untold,
) -> Worked:
    """Every line's outcome and the summary, whose totals are asserted to tie exactly. No SQL."""
    lines, seen = comparable(desk, caller, submission, snapshot)
    dictionary = knowing(desk.dictionary, snapshot.terms.spellings)
    matched = desk.matching.matcher()(lines, seen, dictionary, desk.organisations, progress)
    matched = with_own_lines(matched, submission.lines)
    summary = summarise(matched, desk.organisations.fold)
    if summary.grand.total != _total(submission):
        raise TotalsDoNotTie("The submission's total", _total(submission), summary.grand.total)
    return Worked(
        digest_for(submission, snapshot),
        snapshot.as_at,
        matched,
        summary,
        to_parquet(matched),
        outcomes_by_slice(matched, desk.organisations.fold),
        desk.matching.engine,
    )


def comparable(
    desk: Desk, caller: Caller, submission: Submission, snapshot: Snapshot
) -> tuple[Sequence[ContractLine], Snapshot]:
    """Lines and approvals as the engine compares them: by pseudonym where the file carries them."""
    key = key_of(desk, caller)
    if key is not None and carries_pseudonyms(submission):
        return as_pseudonyms(submission.lines, snapshot, key)
    return submission.lines, snapshot


def digest_for(submission: Submission, snapshot: Snapshot) -> str:
    """What the run saw: the approvals, and the decisions by hand on lines of its own."""
    by_hand = decisions_on(submission.lines, snapshot.decisions)
    return digest_with(snapshot, decisions_digest(by_hand.values()) if by_hand else "")


def digest_with(snapshot: Snapshot, by_hand: str) -> str:
    """The same of the digest of those decisions; empty where there are none."""
    approvals = digest_of(snapshot)
    if not by_hand:
        return approvals
    parts = f"{approvals}\n{by_hand}"
    return hashlib.sha256(parts.encode()).hexdigest()


def knowing(dictionary: DrugDictionary, spellings: Iterable[AcceptedSpelling]) -> DrugDictionary:
    """The dictionary with the names that people accepted."""
    return dictionary.accepting(
        {s.words: AcceptedName(s.drug, s.product, s.accepted_on) for s in spellings}
    )


def key_of(desk: Desk, caller: Caller) -> PseudonymKey | None:
    """The key of the commissioner that matches; an operator for all organisations has none."""
    if caller.organisation == ALL_ORGANISATIONS:
        return None
    return desk.office.pseudonyms.key_of(caller.organisation)


def save_run(
    work: Work,
    desk: Desk,
    caller: Caller,
    record: SubmissionRecord,
    worked: Worked,
    looked: Looked,
    differing: Differing | None = None,
) -> tuple[RunRecord, bool]:
    """Save the outcomes and totals and let the run stand; one that exists is not saved again.

    Two workers on one submission take turns. The outcomes file is known by its content, so that
    a save that is tried again writes the same file. `differing` finds the lines that changed where
    they are not held in memory.
    """
    store.lock_submission(work, record)
    stood = store.runs_of(work, record.organisation, record.id)[:1]
    run, is_new = _saved(work, desk, caller, record, worked)
    result = Result(worked.matched, worked.slices, looked, differing)
    before = stood[0] if stood else None
    let_stand(work, stored_by(desk), caller, record, run, before, result)
    return run, is_new


def _saved(
    work: Work, desk: Desk, caller: Caller, record: SubmissionRecord, worked: Worked
) -> tuple[RunRecord, bool]:
    digest = digest_of_outcomes(worked.outcomes)
    grand = worked.summary.grand
    run = RunRecord(
        id=work.new_id(),
        submission_id=record.id,
        organisation=record.organisation,
        engine=worked.engine.value,
        rules_version=RULES_VERSION,
        reference_version=reference_version(),
        snapshot_digest=worked.snapshot_digest,
        as_at=worked.as_at,
        lines=grand.lines,
        total=grand.total,
        accepted=grand.accepted,
        queried=grand.queried,
        summary={
            **summary_figures(worked.summary),
            **({"note": worked.note} if worked.note else {}),
        },
        outcomes_file=digest,
        outcomes_sha256=digest,
        created_at=work.moment.instant,
        created_by=caller.id,
    )
    known = store.same_run(work, run)
    if known is not None:
        return known, False
    if isinstance(worked.outcomes, Path):
        desk.files.save_file(record.organisation, OUTCOMES, worked.outcomes)
    else:
        desk.files.save(record.organisation, OUTCOMES, digest, worked.outcomes)
    store.add_run(work, run, caller.actor())
    slice_store.add_outcomes(work, record.organisation, run.id, worked.slices)
    return run, True


def digest_of_outcomes(outcomes: bytes | Path) -> str:
    """The SHA-256 by which the outcomes are known."""
    return (on_disk(outcomes) if isinstance(outcomes, Path) else in_memory(outcomes)).sha256()


Run = Callable[[Callable[[Work], Any]], Any]


def reconcile(
    transact: Run,
    desk: Desk,
    caller: Caller,
    data: bytes,
    file_name: str,
    *,
    read: Run | None = None,
) -> Reconciled:
    """Receive and reconcile in one go: what the command line does and a job does in parts.

    `read` runs a query on one consistent state (`Database.read`). Only a caller that is alone in
    the database, within one transaction of its own, may leave it out.
    """
    look = read or transact
    submission = _received(look, desk, caller, data) or read_own(desk, caller, data, file_name)
    record = transact(lambda work: receive(work, desk, caller, data, submission))
    looked, snapshot = look(lambda work: seen_for(work, desk, caller, record))
    worked = match(desk, caller, submission, snapshot)

    def save(work: Work) -> tuple[RunRecord, bool]:
        keep_rows(work, desk.files, record, submission, caller.actor())
        return save_run(work, desk, caller, record, worked, looked)

    run, is_new = transact(save)
    return Reconciled(submission, run, worked.matched, worked.summary, is_new)


def load_run(work: Work, desk: Desk, caller: Caller, run_id: str) -> Reconciled:
    """A stored run with its lines, read back from the submission and the outcomes file."""
    check_can(caller, Action.RECONCILE)
    run = store.find_run(work, caller.organisation, run_id)
    if desk.matching.takes_files(run.lines):
        raise TooManyLines(run.lines, "to be held in memory for that", IN_FULL)
    record = store.find_submission(work, caller.organisation, run.submission_id)
    submission = load_submission(work, desk, record)
    outcomes = desk.files.read(run.organisation, OUTCOMES, run.outcomes_file, run.outcomes_sha256)
    matched = from_parquet(outcomes, submission.lines)
    summary = summarise(matched, desk.organisations.fold)
    return Reconciled(submission, run, matched, summary, is_new=False)


def load_submission(work: Work, desk: Desk, record: SubmissionRecord) -> Submission:
    """A stored submission, from its kept rows where there are any."""
    return stored_submission(desk.files, record, rows_store.rows_of(work, record))


def _received(look: Run, desk: Desk, caller: Caller, data: bytes) -> Submission | None:
    """The submission of these bytes, where they came before and may be read by the caller."""
    sha256 = hashlib.sha256(data).hexdigest()

    def find(work: Work) -> tuple[SubmissionRecord, str | None] | None:
        known = store.submission_by_hash(work, caller.organisation, sha256)
        return None if known is None else (known, rows_store.rows_of(work, known))

    check_can(caller, Action.RECONCILE)
    known = look(find)
    if known is None:
        return None
    submission = stored_submission(desk.files, *known)
    check_readable(desk, caller, submission)
    return submission


def _total(submission: Submission) -> Decimal:
    """The file's own total: every line whose total is legible, exactly."""
    with localcontext(prec=EXACT_DIGITS):
        return sum((line.total_cost or ZERO for line in submission.lines), ZERO)
