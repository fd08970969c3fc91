"""The lines of a slice as an earlier submission stated them, read again from the stored files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.db.work import Work
from app.reconciliation import store
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.files import FileStore
from app.reconciliation.intake import read_submission
from app.reconciliation.model import ContractLine, MatchedLine, Submission
from app.reconciliation.outcome_files import from_parquet
from app.reconciliation.slice_store import Head
from app.reconciliation.slices import Fold, place, total_of
from app.reconciliation.store import SubmissionRecord

SUBMISSIONS, OUTCOMES = "submissions", "outcomes"


@dataclass(frozen=True, slots=True)
class SliceLines:
    """What a submission states for a slice, and the outcomes of its newest run by row."""

    submission: str
    lines: tuple[ContractLine, ...]
    run: str | None
    outcomes: Mapping[int, MatchedLine]


@dataclass(frozen=True, slots=True)
class Stored:
    """Reads stored submissions, each once; keep it no longer than one use case."""

    files: FileStore
    fold: Fold
    read: dict[str, Submission]

    def submission(self, record: SubmissionRecord) -> Submission:
        """The stored file, read again."""
        if record.id not in self.read:
            data = self.files.read(record.organisation, SUBMISSIONS, record.sha256, record.sha256)
            self.read[record.id] = read_submission(data, record.file_name)
        return self.read[record.id]

    def slice_lines(self, work: Work, head: Head) -> SliceLines:
        """What the newest version of a slice states. Raises TotalsDoNotTie if that has changed."""
        newest = head.newest
        if newest is None or newest.lines == 0:
            return SliceLines("", (), None, {})
        record = store.find_submission(work, newest.organisation, newest.submission_id)
        submission = self.submission(record)
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
