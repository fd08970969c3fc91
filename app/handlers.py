"""The handlers of each kind of job, wired to what they need."""

from collections.abc import Mapping
from typing import Any

from app.approvals.errors import PolicyNotUsable
from app.db.work import Work
from app.reconciliation import rows_store, service, store
from app.reconciliation.errors import ReconciliationError
from app.reconciliation.service import Desk
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
            rows = held.door.read(lambda work: rows_store.rows_of(work, record))
            submission = stored_submission(desk.files, record, rows)
            held.progress(0, len(submission.lines))
            snapshot = held.door.read(lambda work: service.snapshot_for(work, desk, caller, record))
            worked = service.match(desk, caller, submission, snapshot)
            held.progress(len(worked.matched), len(worked.matched))
        except (ReconciliationError, PolicyNotUsable) as error:
            raise JobRefused(str(error)) from error

        def save(work: Work) -> dict[str, Any]:
            keep_rows(work, desk.files, record, submission, caller.actor())
            run, is_new = service.save_run(work, desk, caller, record, worked)
            return {"run": run.id, "new": is_new}

        return save

    return {service.JOB: reconcile}
