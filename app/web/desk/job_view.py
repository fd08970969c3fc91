"""How far a job is, in words. Pure."""

from dataclasses import dataclass
from typing import Final

from app.api.submissions_model import JobDocument
from app.reconciliation import exporting, previewing, service
from app.reconciliation.linkage import proposing
from app.web.words import number_words

_WORDS: Final = {
    "queued": "It waits for its turn.",
    "running": "It is being worked on.",
    "done": "It is done.",
    "failed": "It stopped.",
}
_DOING: Final = {
    previewing.JOB: "Reading the file",
    exporting.JOB: "Writing the export",
    proposing.JOB: "Looking for approvals",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """A sentence, and how many of how many where that is known."""

    words: str
    done: int
    of: int
    failed: bool


def progress_of(job: JobDocument) -> Progress:
    """What to say of a job."""
    words = _WORDS.get(job.state, _WORDS["running"])
    of = job.total or 0
    if job.state == "running" and job.kind == previewing.JOB:
        words += f" {_of_a_preview(min(job.done, of), of // 2)}"
    elif job.state == "running" and of:
        words += f" {_so_far(job, min(job.done, of), of)}"
    if job.error:
        words = job.error
    return Progress(words, min(job.done, of), of, job.state == "failed")


def heading_of(job: JobDocument) -> str:
    """What the page of a job is called."""
    if job.state == "failed":
        return "The file was not taken" if job.kind == previewing.JOB else "The work stopped"
    return _DOING.get(job.kind, "Reconciling")


def _of_a_preview(done: int, rows: int) -> str:
    """Reading is half of the way, comparing the other; how many rows there are shows at first."""
    if rows == 0:
        return "The file is being opened."
    if done < rows:
        return f"{number_words(done)} of {number_words(rows)} rows are read."
    read = f"All its rows are read ({number_words(rows)});"
    if done == rows:
        return f"{read} they are being compared with what stands."
    return f"{read} compared with what stands so far: {number_words(done - rows)}."


def _so_far(job: JobDocument, done: int, of: int) -> str:
    """How many lines, or of a reconciliation what is done before its first and after its last.

    For proposals they are counted of those that nothing was found for.
    """
    if job.kind == service.JOB and done == 0:
        return "Its lines are being read and matched."
    if job.kind == service.JOB and done == of:
        return f"All its lines are matched ({number_words(of)}); the outcomes are being stored."
    return f"{number_words(done)} of {number_words(of)} lines so far."
