"""How far a job is, in words. Pure."""

from dataclasses import dataclass
from typing import Final

from app.api.submissions_model import JobDocument
from app.reconciliation import service
from app.web.words import number_words

_WORDS: Final = {
    "queued": "It waits for its turn.",
    "running": "It is being worked on.",
    "done": "It is done.",
    "failed": "It stopped.",
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
    if job.state == "running" and of:
        words += f" {_so_far(job, min(job.done, of), of)}"
    if job.error:
        words = job.error
    return Progress(words, min(job.done, of), of, job.state == "failed")


def _so_far(job: JobDocument, done: int, of: int) -> str:
    """How many lines, or of a reconciliation what is done before its first and after its last."""
    if job.kind == service.JOB and done == 0:
        return "Its lines are being read and matched."
    if job.kind == service.JOB and done == of:
        return f"All its lines are matched ({number_words(of)}); the outcomes are being stored."
    return f"{number_words(done)} of {number_words(of)} lines so far."
