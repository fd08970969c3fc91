"""How far a job is, in words and as a part of a whole."""

import pytest

from app.api.submissions_model import JobDocument
from app.reconciliation import exporting, previewing, service
from app.reconciliation.linkage import proposing
from app.web.desk.job_view import Progress, heading_of, progress_of


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


@pytest.mark.parametrize(
    ("done", "total", "words"),
    [
        (0, None, "The file is being opened."),
        (0, 200_000, "0 of 100,000 rows are read."),
        (32_768, 200_000, "32,768 of 100,000 rows are read."),
        (
            100_000,
            200_000,
            "All its rows are read (100,000); they are being compared with what stands.",
        ),
        (
            108_192,
            200_000,
            "All its rows are read (100,000); compared with what stands so far: 8,192.",
        ),
    ],
)
def test_an_upload_is_read_on_the_first_half_of_the_way_and_compared_on_the_other(
    done: int, total: int | None, words: str
) -> None:
    told = progress_of(job("running", done, total, kind=previewing.JOB))
    assert told == Progress(f"It is being worked on. {words}", done, total or 0, False)


@pytest.mark.parametrize(
    ("kind", "working", "stopped"),
    [
        (service.JOB, "Reconciling", "The work stopped"),
        (proposing.JOB, "Looking for approvals", "The work stopped"),
        (exporting.JOB, "Writing the export", "The work stopped"),
        (previewing.JOB, "Reading the file", "The file was not taken"),
    ],
)
def test_the_page_of_a_job_is_called_by_what_is_done(kind: str, working: str, stopped: str) -> None:
    assert heading_of(job("queued", 0, None, kind=kind)) == working
    assert heading_of(job("running", 0, 7, kind=kind)) == working
    assert heading_of(job("failed", 0, 7, kind=kind, error="So.")) == stopped
