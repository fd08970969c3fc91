"""The handlers of each kind of job, wired to what they need."""

import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

from app.approvals import handing
from app.approvals.errors import PolicyNotUsable
from app.auth.model import Caller
from app.authoring import proving
from app.authoring.errors import BenchRefused
from app.authoring.replay import jobs as replay_jobs
from app.db.work import Work
from app.policy import from_resolved
from app.reconciliation import at_scale, exporting, previewing, rows_store, service, store
from app.reconciliation.engines.duckdb import told_when_out
from app.reconciliation.engines.progress import PartOf, Progress, seldom, untold
from app.reconciliation.errors import (
    NotYourSubmission,
    ReconciliationError,
    RunNotFound,
    UnreadableSubmission,
)
from app.reconciliation.exports import Written
from app.reconciliation.linkage import proposing
from app.reconciliation.scratch import scratch
from app.reconciliation.service import Desk
from app.reconciliation.store import SubmissionRecord
from app.reconciliation.stored_lines import keep_rows, stored_submission
from app.work import Handler, Held, JobRefused, Saving


def make_handlers(desk: Desk) -> Mapping[str, Handler]:
    """Kind of job → its handler."""

    def reconcile(held: Held) -> Saving:
        caller = service.caller_of(held.job.payload)
        submission_id = held.job.payload["submission"]
        try:
            record = held.door.read(
                lambda work: store.find_submission(work, caller.organisation, submission_id)
            )
            tell = held.progress_of(record.lines)
            if desk.matching.takes_files(record.lines):
                return _from_file_to_file(held, desk, caller, record, tell)
            rows = held.door.read(lambda work: rows_store.rows_of(work, record))
            submission = stored_submission(desk.files, record, rows)
            looked, snapshot = held.door.read(
                lambda work: service.seen_for(work, desk, caller, record)
            )
            worked = service.match(desk, caller, submission, snapshot, tell)
            tell(record.lines)
        except (ReconciliationError, PolicyNotUsable) as error:
            raise JobRefused(str(error)) from error

        def save(work: Work) -> dict[str, Any]:
            keep_rows(work, desk.files, record, submission, caller.actor())
            run, is_new = service.save_run(work, desk, caller, record, worked, looked)
            return {"run": run.id, "new": is_new}

        return save

    def propose(held: Held) -> Saving:
        caller = service.caller_of(held.job.payload)
        run = held.job.payload["run"]
        try:
            seen = held.door.read(lambda work: proposing.look(work, desk, caller, run))
            found = proposing.work_out(desk, seen, telling(held))
        except (ReconciliationError, PolicyNotUsable) as error:
            raise JobRefused(str(error)) from error

        def save(work: Work) -> dict[str, Any]:
            search = proposing.save(work, caller, seen, found)
            return {"search": search, "proposals": len(found.proposals), "run": run}

        return save

    def write_run(held: Held) -> Saving:
        caller, run = service.caller_of(held.job.payload), held.job.payload["run"]
        format = Written(held.job.payload["format"])
        try:
            content = held.door.read(
                lambda work: exporting.to_write(work, desk, caller, run, format)
            )
            written = seldom(held.progress_of(content.lines))
            with told_when_out():
                exporting.write(desk, caller, content, format, written)
        except ReconciliationError as error:
            raise JobRefused(str(error)) from error
        return lambda _: {"run": run, "format": format.value}

    def replay(held: Held) -> Saving:
        try:
            result = held.door.read(lambda work: replay_jobs.work_out(work, desk, held.job))
        except (BenchRefused, PolicyNotUsable) as error:
            raise JobRefused(str(error)) from error
        return lambda _: result

    return {
        handing.JOB: hand_over,
        service.JOB: reconcile,
        previewing.JOB: partial(preview_upload, desk=desk),
        proposing.JOB: propose,
        exporting.JOB: write_run,
        proving.JOB: prove_policy,
        proving.JOB_OF_TWO: prove_policy,
        replay_jobs.JOB: replay,
    }


def telling(held: Held) -> PartOf:
    """Tells how far the work is once it says of how much."""
    tell: Progress = untold

    def so_far(done: int, of: int) -> None:
        nonlocal tell
        if done == 0:
            tell = held.progress_of(of)
        tell(done)

    return so_far


def hand_over(held: Held) -> Saving:
    """Hand a drug's treatments over, all in one transaction: nobody sees a half.

    Progress goes by a thread of its own, as the transaction is open; SQLite, with its one writer,
    tells none.
    """
    caller = service.caller_of(held.job.payload)
    proposal = held.job.payload["hand_over"]
    found = held.door.read(lambda work: handing.proposal(work, caller, proposal))
    held.progress(0, found.treatments)

    def save(work: Work) -> dict[str, Any]:
        def told(done: int) -> None:
            if work.on_postgres:
                with ThreadPoolExecutor(1) as aside:
                    aside.submit(held.progress, done, found.treatments).result()

        made = handing.carry_out(work, caller, proposal, told)
        return {"hand_over": made.id, "state": made.state}

    return save


def preview_upload(held: Held, desk: Desk) -> Saving:
    """Find out what an uploaded file would change: half of the way is reading it, half comparing.

    Whatever was kept of it before is written over, so a job that is taken again does no harm.
    """
    caller = service.caller_of(held.job.payload)
    name = held.job.payload["upload"]
    rows = 0
    tell: Progress = untold

    def rows_read(read: int, of: int) -> None:
        nonlocal rows, tell
        if read == 0:
            rows, tell = of, held.progress_of(2 * of)
        tell(read)

    def compared(lines: int) -> None:
        with ThreadPoolExecutor(1) as aside:  # the thread at work has its transaction open
            aside.submit(tell, rows + lines).result()

    try:
        previewing.work_out(desk, caller, name, held.door.read, rows_read, seldom(compared))
    except RunNotFound as error:
        raise JobRefused(previewing.GONE) from error
    except (UnreadableSubmission, NotYourSubmission) as error:
        previewing.refuse(desk, caller, name)
        raise JobRefused(str(error)) from error
    except ReconciliationError as error:
        raise JobRefused(str(error)) from error
    return lambda _: {"upload": name}


def prove_policy(held: Held) -> Saving:
    """Prove a policy's text, or what it does to another: a draft's text is in the job alone."""
    payload = held.job.payload
    version = from_resolved(payload["resolved"])
    try:
        if held.job.kind == proving.JOB_OF_TWO:
            name, claims = proving.compare(from_resolved(payload["against_resolved"]), version)
        else:
            name, claims = proving.prove(version)
    except BenchRefused as error:
        raise JobRefused(str(error)) from error

    def save(work: Work) -> dict[str, Any]:
        proving.keep_proof(work, payload["hash"], name, claims)
        return {"hash": version.hash, "claims": len(claims)}

    return save


def _from_file_to_file(
    held: Held, desk: Desk, caller: Caller, record: SubmissionRecord, tell: Progress
) -> Saving:
    """The same for a submission that is not held in memory."""
    assert desk.matching.spill_to is not None
    with ExitStack() as stack:
        folder = stack.enter_context(scratch(desk.matching.spill_to))
        rows = held.door.read(lambda work: rows_store.rows_of(work, record))
        with told_when_out():
            large = at_scale.large_of(desk, record, rows, folder)
        looked, snapshot = held.door.read(lambda work: service.seen_for(work, desk, caller, record))
        with told_when_out():
            key = service.key_of(desk, caller)
            outcomes = folder / "outcomes.parquet"
            worked = at_scale.match_large(large, snapshot, outcomes, key, tell)
        tell(record.lines)

        def save(work: Work) -> dict[str, Any]:
            run, is_new = at_scale.save_large(work, caller, large, record, worked, looked)
            return {"run": run.id, "new": is_new}

        # Saving may be tried again, so the folder stays until nobody can: as long as `save` does.
        weakref.finalize(save, stack.pop_all().close)
        return save
