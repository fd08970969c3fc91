"""An uploaded file before it is accepted: what it would change, kept beside it.

What a file would change is worked out when it is uploaded: at once where that is quick, else by the
worker. A page shows a hundred rows of that, and has it worked out anew where anything that it rests
on has changed, so that none tells of what is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from app.api.slices_model import PreviewDocument
from app.api.submissions import desk_of
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db import jobs
from app.db.jobs import Job
from app.db.work import Work
from app.reconciliation import kept_previews, kept_results, previewing, service, staging
from app.reconciliation.errors import RunNotFound
from app.reconciliation.kept_previews import WAITS
from app.reconciliation.kept_results import ROWS_A_PART, Kept
from app.reconciliation.model import Submission
from app.reconciliation.preview import rests_on
from app.reconciliation.service import Desk
from app.reconciliation.slices import SliceKey
from app.web.callers import caller_of
from app.web.desk.preview_view import PreviewShown, preview_shown
from app.web.pages import door_of

_STATES: Final = {
    "queued": "Waits to be read",
    "running": "Being read",
    "failed": "Could not be read: see why",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that waits to be accepted, with a page of what it would change."""

    file_name: str
    preview: PreviewShown


@dataclass(frozen=True, slots=True)
class UploadRow:
    """A file of one's own that waits, in the list of submissions."""

    name: str
    file_name: str
    state: str


def begin(request: Request, caller: Caller, data: bytes, file_name: str) -> str:
    """Keep a file for a day and find out what it would change, now or later: the page to see.

    Raises UnreadableSubmission and NotYourSubmission where that shows at once.
    """
    desk = desk_of(request)
    if previewing.is_small(data):
        submission = service.read_own(desk, caller, data, file_name)
        if _compares_with_few(request, caller, submission):
            name = staging.stage(desk, caller, data, file_name)
            _keep(request, caller, name, submission, file_name)
            return at(name)
    name = staging.stage(desk, caller, data, file_name)
    return _queue(request, caller, name, file_name)


def waiting(request: Request, caller: Caller, name: str, after: int) -> Waiting | str:
    """The file with its preview, or the page of the job that works it out.

    It is worked out anew where that which is kept holds no longer. RunNotFound once the file is
    accepted, discarded or a day old.
    """
    found = _kept(request, caller, name, after)
    if found is not None:
        return found
    desk = desk_of(request)
    data, file_name = staging.staged(desk, caller, name)
    if not previewing.is_small(data):
        return _queue(request, caller, name, file_name)
    submission = service.read_own(desk, caller, data, file_name)
    if not _compares_with_few(request, caller, submission):
        return _queue(request, caller, name, file_name)
    _keep(request, caller, name, submission, file_name)
    found = _kept(request, caller, name, after)
    if found is None:  # what it rests on changed once more, at this very moment
        raise staging.gone(WAITS)
    return found


def read_again(desk: Desk, caller: Caller, name: str) -> tuple[bytes, Submission] | None:
    """A file that waits, read to be accepted: before the transaction, which others wait for.

    None where it waits no longer: it was accepted by this very form before, or it is gone.
    """
    try:
        data, file_name = staging.staged(desk, caller, name)
    except RunNotFound:
        return None
    return data, service.read_own(desk, caller, data, file_name)


def own_uploads(work: Work, request: Request, caller: Caller) -> list[UploadRow]:
    """The caller's files that wait, each with what is to be seen of it."""
    found = []
    for each in kept_previews.own_uploads(desk_of(request), caller):
        job = jobs.find(work, each.job, caller.organisation) if each.job else None
        state = "What it would change" if job is None else _STATES.get(job.state, "Being read")
        found.append(UploadRow(each.name, each.file_name, state))
    return found


def file_name_of(request: Request, session: Session, name: str | None) -> str:
    """What the caller called an upload; nothing of somebody else's, or of other work."""
    if name is None:
        return ""
    return kept_previews.file_name_of(desk_of(request), caller_of(request, session), name)


def at(name: str) -> str:
    """The page of a file that waits."""
    return f"/submissions/uploads/{name}"


def job_at(job: str) -> str:
    """The page of a job."""
    return f"/submissions/jobs/{job}"


def _queue(request: Request, caller: Caller, name: str, file_name: str) -> str:
    desk = desk_of(request)
    return job_at(
        door_of(request).transact(
            lambda work: previewing.queue(work, desk, caller, name, file_name)
        )
    )


def _compares_with_few(request: Request, caller: Caller, submission: Submission) -> bool:
    desk = desk_of(request)
    return door_of(request).read(
        lambda work: previewing.compares_with_few(work, desk, caller, submission)
    )


def _keep(
    request: Request, caller: Caller, name: str, submission: Submission, file_name: str
) -> None:
    """Work out what an uploaded file would change, and keep it beside the file."""
    desk = desk_of(request)
    told = door_of(request).read(
        lambda work: service.preview_submission(work, desk, caller, submission)
    )
    kept_previews.keep(desk, caller, name, file_name, submission.sha256, told)


def _kept(request: Request, caller: Caller, name: str, after: int) -> Waiting | str | None:
    with kept_results.opened(desk_of(request), caller, name, WAITS) as kept:
        if kept is None:
            return None
        if "job" in kept.head:
            return _under_way(request, caller, kept.head["job"])
        document = PreviewDocument.model_validate(kept.head["document"])
        keys = [
            SliceKey(x.provider, x.commissioner, x.financial_year, x.financial_month)
            for x in document.slices
        ]

        def read(work: Work) -> str:
            return rests_on(work, caller, keys, kept.head["sha256"])

        if door_of(request).read(read) != kept.head["rests_on"]:
            return None
        shown = preview_shown(document, _rows(kept, after), kept.head["changed"], after)
        return Waiting(kept.head["file_name"], shown)


def _under_way(request: Request, caller: Caller, job: str) -> str | None:
    """The page of a job that is not done, or that failed and says why."""

    def read(work: Work) -> Job | None:
        return jobs.find(work, job, caller.organisation)

    found = door_of(request).read(read)
    return None if found is None or found.state == "done" else job_at(found.id)


def _rows(kept: Kept, after: int) -> Sequence[Sequence[Any]]:
    first, between = divmod(after, ROWS_A_PART)
    return () if between else kept_results.rows_of(kept.part(first))
