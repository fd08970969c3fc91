"""How far a job is, in words and as a part of a whole."""

import pytest

from app.api.submissions_model import JobDocument
from app.reconciliation import exporting, service
from app.web.desk.job_view import Progress, progress_of


def job(state: str, done: int, total: int | None, **more: str) -> JobDocument:
    given = {"kind": service.JOB, "run": None, "error": None} | more
    return JobDocument.model_validate(
        {"id": "j", "state": state, "done": done, "total": total, **given}
    )


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (0, "It is being worked on. Its lines are being read and matched."),
        (65_536, "It is being worked on. 65,536 of 100,000 lines so far."),
        (
            100_000,
            "It is being worked on. All its lines are matched (100,000); the outcomes are being "
            "stored.",
        ),
    ],
)
def test_a_reconciliation_says_its_stage_or_how_many_of_its_lines_are_done(
    done: int, words: str
) -> None:
    assert progress_of(job("running", done, 100_000)) == Progress(words, done, 100_000, False)


def test_other_work_on_lines_says_how_many() -> None:
    told = progress_of(job("running", 0, 7, kind=exporting.JOB))
    assert told == Progress("It is being worked on. 0 of 7 lines so far.", 0, 7, False)


def test_no_more_is_done_than_there_is() -> None:
    assert (progress_of(job("running", 8, 7)).done, progress_of(job("done", 8, 7)).done) == (7, 7)


def test_without_a_whole_there_is_no_part() -> None:
    assert progress_of(job("queued", 0, None)) == Progress("It waits for its turn.", 0, 0, False)
    assert progress_of(job("running", 3, None)) == Progress("It is being worked on.", 0, 0, False)


def test_a_job_that_stopped_says_why() -> None:
    told = progress_of(job("failed", 3, 7, error="The file is damaged."))
    assert told == Progress("The file is damaged.", 3, 7, True)
