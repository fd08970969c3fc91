"""The documents of submissions, jobs and reconciliation runs."""

import datetime as dt
from decimal import Decimal
from typing import Any

from pydantic import Field

from app.api.documents import Document
from app.api.slices_model import StatedDocument
from app.api.types import ExactNumber
from app.db.jobs import Job
from app.reconciliation import MatchedLine
from app.reconciliation.report import untested_told
from app.reconciliation.store import RunRecord, SubmissionRecord


class SubmissionDocument(Document):
    """A file as received. It is never changed; the same content is the same submission."""

    id: str
    sha256: str
    file_name: str
    size: int = Field(description="Bytes")
    layout: str
    lines: int
    skipped: int = Field(description="Rows that are no lines: blank, repeated headers, footers")
    total: ExactNumber = Field(description="Pounds: every line whose total is legible")
    received_at: dt.datetime


class ReceivedDocument(Document):
    """A received submission and the job that reconciles it."""

    submission: SubmissionDocument
    job: str = Field(description="Follow it at /v1/jobs/{job}")
    slices: list[StatedDocument] = Field(
        description="What it states; a correction where the month is closed. A slice that says "
        "what stood already after the freeze is not listed."
    )


class SubmissionList(Document):
    """The organisation's newest submissions."""

    submissions: list[SubmissionDocument]


class JobDocument(Document):
    """Long work: how far it is, and what came of it."""

    id: str
    kind: str
    state: str
    done: int
    total: int | None
    run: str | None = Field(
        description="Once the job is done: the run that came of it, or that it was about"
    )
    error: str | None


class RunDocument(Document):
    """One reconciliation: where every pound of a submission went. Amounts are exact, in pounds."""

    id: str
    submission: str
    engine: str
    rules_version: str
    reference_version: str
    as_at: dt.date
    lines: int
    total: ExactNumber
    accepted: ExactNumber
    queried: ExactNumber
    not_testable: ExactNumber | None = Field(
        description="Of what is accepted: lines with a test that could not be made; null where "
        "the run is of before that was kept. The summary has it by test, as `untested`"
    )
    summary: dict[str, Any] = Field(
        description="By outcome, provider, drug, commissioner and month; `untested` by test"
    )
    created_at: dt.datetime


class SubmissionDetail(Document):
    """A submission and its runs, newest first."""

    submission: SubmissionDocument
    runs: list[RunDocument]
    slices: list[StatedDocument]


class TestDocument(Document):
    """One test of a line against an approval. Where an input is missing it is not testable."""

    __test__ = False

    name: str
    result: str
    detail: str


class LineDocument(Document):
    """One line's outcome, with the evidence. It names no patient; `row` finds it in the file."""

    row: int
    kind: str
    drug: str | None
    provider: str | None
    supply_date: dt.date | None
    total: ExactNumber | None
    outcome: str
    accepted: ExactNumber
    queried: ExactNumber
    reference: str | None
    found_by: str
    tests: list[TestDocument]
    reason: str
    remedy: str


class LinePage(Document):
    """One page of lines, in the order that was asked for."""

    lines: list[LineDocument]
    next: int | None = Field(description="Send as `after` for the next page; null at the end")


def submission_document(record: SubmissionRecord) -> SubmissionDocument:
    return SubmissionDocument(
        id=record.id,
        sha256=record.sha256,
        file_name=record.file_name,
        size=record.size,
        layout=record.layout,
        lines=record.lines,
        skipped=record.skipped,
        total=record.total,
        received_at=record.received_at,
    )


def job_document(job: Job) -> JobDocument:
    return JobDocument(
        id=job.id,
        kind=job.kind,
        state=job.state,
        done=job.done,
        total=job.total,
        run=(job.result or {}).get("run"),
        error=job.error,
    )


def run_document(run: RunRecord) -> RunDocument:
    untested = untested_told(run.summary)
    return RunDocument(
        id=run.id,
        submission=run.submission_id,
        engine=run.engine,
        rules_version=run.rules_version,
        reference_version=run.reference_version,
        as_at=run.as_at,
        lines=run.lines,
        total=run.total,
        accepted=run.accepted,
        queried=run.queried,
        not_testable=None if untested is None else untested.amount,
        summary=run.summary,
        created_at=run.created_at,
    )


def line_document(item: MatchedLine) -> LineDocument:
    total: Decimal | None = item.line.total_cost
    return LineDocument(
        row=item.line.row,
        kind=item.kind.value,
        drug=item.recognition.drug,
        provider=item.provider,
        supply_date=item.line.supply_date,
        total=total,
        outcome=item.outcome.value,
        accepted=item.accepted,
        queried=item.queried,
        reference=item.reference,
        found_by=item.found_by,
        tests=[
            TestDocument(name=test.name, result=test.result.value, detail=test.detail)
            for test in item.tests
        ],
        reason=item.reason,
        remedy=item.remedy,
    )
