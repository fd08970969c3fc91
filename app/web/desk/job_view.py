"""How far a job is, in words. Pure."""

from dataclasses import dataclass
from typing import Final

from app.api.submissions_model import JobDocument
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
        words += f" {number_words(min(job.done, of))} of {number_words(of)} lines so far."
    if job.error:
        words = job.error
    return Progress(words, min(job.done, of), of, job.state == "failed")
