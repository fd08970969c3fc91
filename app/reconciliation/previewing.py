"""Working out what an uploaded file would change: at once where that is quick, or by the worker.

A file of a hundred thousand lines takes ten seconds to read and compare: longer than somebody
looks at a page that says nothing, and for several times as many longer than a proxy waits. A small
one takes a second, and should not wait behind somebody's run.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db import jobs
from app.db.jobs import Job
from app.db.work import Work
from app.reconciliation import kept_previews, service, slice_store, staging, store
from app.reconciliation.engines.progress import PartOf, Progress, untold
from app.reconciliation.find_table import is_packed
from app.reconciliation.kept_previews import WAITS
from app.reconciliation.model import Submission
from app.reconciliation.service import Desk
from app.reconciliation.slices import place

JOB: Final = "preview"
#: Bytes of a file that is read at once: about a second's, of narrow lines (13,000 as text, 4,000
#: of a workbook, some ten thousand of a Parquet file).
AT_ONCE_TEXT: Final = 1 << 20
AT_ONCE_PACKED: Final = 128 << 10
#: Lines of what stands that are read at once to compare with: about a second's.
AT_ONCE_STANDING: Final = 20_000
#: Of a file that was staged and is no more when its turn comes.
GONE: Final = (
    "The file waits no longer: it was accepted, discarded, or a day old before its turn came. Send "
    "it in again."
)
T = TypeVar("T")
Read = Callable[[Callable[[Work], T]], T]


def is_small(data: bytes) -> bool:
    """Whether a file is read while somebody waits."""
    return len(data) <= (AT_ONCE_PACKED if is_packed(data) else AT_ONCE_TEXT)


def compares_with_few(work: Work, desk: Desk, caller: Caller, submission: Submission) -> bool:
    """Whether what stands of the slices is compared while somebody waits.

    A slice is read from the whole submission that states it, so a small file may take long.
    """
    own = caller.organisation
    stated = place(submission.lines, desk.organisations.fold).slices
    newest = [head.newest for head in slice_store.heads(work, own, stated)]
    stand = {each.submission_id for each in newest if each is not None}
    lines = sum(store.find_submission(work, own, each).lines for each in stand)
    return lines <= AT_ONCE_STANDING


def queue(work: Work, desk: Desk, caller: Caller, name: str, file_name: str) -> str:
    """Have the worker find out what a staged file would change; returns the job's id.

    One that is under way for the same person is found again. RunNotFound where the file is gone.
    """
    check_can(caller, Action.RECONCILE)
    under_way = job_of(work, desk, caller, name)
    if under_way is not None and under_way.state in ("queued", "running"):
        return under_way.id
    payload: dict[str, Any] = {
        "upload": name,
        "caller": service.caller_payload(caller),
    }
    job = jobs.enqueue(
        work, JOB, organisation=caller.organisation, created_by=caller.id, payload=payload
    )
    # Before it is committed: a worker that is quick must not find its preview written over.
    kept_previews.keep_job(desk, caller, name, file_name, job)
    return job


def job_of(work: Work, desk: Desk, caller: Caller, name: str) -> Job | None:
    """The job that works out what the caller's upload would change; None where none does."""
    id_ = kept_previews.job_of(desk, caller, name)
    return None if id_ is None else jobs.find(work, id_, caller.organisation)


def work_out(
    desk: Desk,
    caller: Caller,
    name: str,
    read: Read[Any],
    rows_read: PartOf,
    compared: Progress = untold,
) -> None:
    """Read a staged file, compare it with what stands, and keep what it would change beside it.

    Raises what `read_own` does, and RunNotFound once the file waits no longer. A file that cannot
    be taken is erased.
    """
    data, file_name = staging.staged(desk, caller, name)
    submission = service.read_own(desk, caller, data, file_name, rows_read)
    told = read(lambda work: service.preview_submission(work, desk, caller, submission, compared))
    kept_previews.keep(desk, caller, name, file_name, submission.sha256, told)


def refuse(desk: Desk, caller: Caller, name: str) -> None:
    """Erase a file that cannot be taken, as one is that was refused at once."""
    staging.discard(desk, caller, name, WAITS)
