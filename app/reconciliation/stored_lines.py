"""The lines of a slice as an earlier submission stated them, read again from the stored files."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from app.audit import Actor
from app.db.work import Work
from app.reconciliation import rows_store, store
from app.reconciliation.engines.progress import PartOf, unwatched
from app.reconciliation.errors import StoredFileDamaged, TotalsDoNotTie
from app.reconciliation.files import FileStore
from app.reconciliation.line_columns import rows_in, submission_in
from app.reconciliation.model import ContractLine, MatchedLine, Submission
from app.reconciliation.outcome_files import from_parquet
from app.reconciliation.read_columns import read_columns
from app.reconciliation.slice_store import Head
from app.reconciliation.slices import Fold, SliceKey, place, slice_of, total_of
from app.reconciliation.source import in_memory
from app.reconciliation.store import SubmissionRecord

SUBMISSIONS, ROWS, OUTCOMES = "submissions", "rows", "outcomes"


def read_file(data: bytes, file_name: str, rows_read: PartOf = unwatched) -> Submission:
    """A file as it came, read, with its rows as they are to be kept. Raises UnreadableSubmission.

    What is kept is what is returned: the lines are those that the kept rows give.
    """
    out = io.BytesIO()
    read_columns(in_memory(data), file_name, out, rows_read=rows_read)
    return replace(submission_in(out, file_name), as_rows=out.getvalue())


def stored_submission(files: FileStore, record: SubmissionRecord, rows: str | None) -> Submission:
    """A stored submission from its kept rows, whose digest is `rows`.

    Where none are kept, or their file is gone or spoilt, its bytes are read anew, and the result
    holds the rows to keep. Raises StoredFileDamaged where the bytes are not as they came.
    """
    if rows is not None:
        try:
            kept = files.read(record.organisation, ROWS, rows, rows)
            found = submission_in(io.BytesIO(kept), record.file_name)
            if found.sha256 == record.sha256:
                return found
        except (StoredFileDamaged, KeyError, ValueError, pa.ArrowException):
            pass
    data = files.read(record.organisation, SUBMISSIONS, record.sha256, record.sha256)
    return read_file(data, record.file_name)


def keep_rows(
    work: Work, files: FileStore, record: SubmissionRecord, submission: Submission, actor: Actor
) -> None:
    """Keep the rows that a submission holds beside its bytes; one that was read from them has none.

    The file is written before it is named in the database, and known by its content.
    """
    if submission.as_rows is None:
        return
    digest = hashlib.sha256(submission.as_rows).hexdigest()
    files.save(record.organisation, ROWS, digest, submission.as_rows)
    if rows_store.rows_of(work, record) != digest:
        rows_store.keep(work, record, digest, actor)


@dataclass(frozen=True, slots=True)
class SliceLines:
    """What a submission states for a slice, and the outcomes of its newest run by row."""

    submission: str
    lines: Sequence[ContractLine]
    run: str | None
    outcomes: Mapping[int, MatchedLine]


@dataclass(frozen=True, slots=True)
class Stored:
    """Reads stored submissions, each once; keep it no longer than one use case."""

    files: FileStore
    fold: Fold
    read: dict[str, Submission]

    def submission(self, work: Work, record: SubmissionRecord) -> Submission:
        """A stored submission, as `stored_submission` gives it."""
        if record.id not in self.read:
            rows = rows_store.rows_of(work, record)
            self.read[record.id] = stored_submission(self.files, record, rows)
        return self.read[record.id]

    def lines_in(
        self, work: Work, record: SubmissionRecord, key: SliceKey
    ) -> Sequence[ContractLine]:
        """What a submission states for one slice; from kept rows no others are held in memory."""
        digest = None if record.id in self.read else rows_store.rows_of(work, record)
        if digest is not None:
            try:
                with pq.ParquetFile(self.files.path_of(record.organisation, ROWS, digest)) as file:
                    lines = (each for each in rows_in(file) if isinstance(each, ContractLine))
                    fold = cache(self.fold)
                    return tuple(line for line in lines if slice_of(line, fold) == key)
            except (StoredFileDamaged, OSError, KeyError, ValueError, pa.ArrowException):
                pass  # the bytes are read anew
        return place(self.submission(work, record).lines, self.fold).slices.get(key, ())

    def slice_lines(self, work: Work, head: Head) -> SliceLines:
        """What the newest version of a slice states. Raises TotalsDoNotTie if that has changed."""
        newest = head.newest
        if newest is None or newest.lines == 0:
            return SliceLines("", (), None, {})
        record = store.find_submission(work, newest.organisation, newest.submission_id)
        submission = self.submission(work, record)
        lines = place(submission.lines, self.fold).slices.get(head.key, ())
        if (len(lines), total_of(lines)) != (newest.lines, newest.total):
            found = (len(lines), total_of(lines))
            raise TotalsDoNotTie("A slice read again", (newest.lines, newest.total), found)
        run, matched = self._newest_run(work, record, submission.lines)
        return SliceLines(record.id, lines, run, {item.line.row: item for item in matched})

    def _newest_run(
        self, work: Work, record: SubmissionRecord, lines: Sequence[ContractLine]
    ) -> tuple[str | None, Sequence[MatchedLine]]:
        runs = store.runs_of(work, record.organisation, record.id)
        if not runs:
            return None, ()
        run = runs[0]
        data = self.files.read(run.organisation, OUTCOMES, run.outcomes_file, run.outcomes_sha256)
        return run.id, from_parquet(data, lines)
