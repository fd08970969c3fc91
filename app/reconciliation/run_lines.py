"""Some lines of a stored run, read without the others.

A run's lines and their outcomes lie in two columnar files, row by row in the same order. What a
page asks of all of them is read as a column; whole lines are made of the few that it shows.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import rows_store, store
from app.reconciliation.errors import RunNotFound, StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.large_lines import LargeLines, open_large
from app.reconciliation.line_columns import facts_of, lines_of
from app.reconciliation.model import MatchedLine
from app.reconciliation.outcome_files import outcome_of
from app.reconciliation.service import Desk
from app.reconciliation.store import RunRecord, SubmissionRecord
from app.reconciliation.stored_lines import OUTCOMES, ROWS, stored_submission

#: How many rows are laid out at a time: a page's worth of lines lies within few of them.
_BATCH: Final = 1_024
_WHY: Final = "why_skipped"


@dataclass(frozen=True, slots=True)
class RunLines:
    """A stored run with its two files, of which a line's position counts lines from 0."""

    run: RunRecord
    record: SubmissionRecord
    rows: bytes
    outcomes: bytes

    def stated(self, *names: str) -> tuple[list[Any], ...]:
        """What every line states, a column each, as the kept rows have it."""
        table = pq.read_table(io.BytesIO(self.rows), columns=[*names, _WHY], use_threads=False)
        lines = table.filter(pc.is_null(table.column(_WHY)))
        return tuple(lines.column(name).to_pylist() for name in names)

    def came_to(self, *names: str) -> tuple[list[Any], ...]:
        """What every line came to, a column each, as the file of outcomes has it."""
        table = pq.read_table(io.BytesIO(self.outcomes), columns=list(names), use_threads=False)
        return tuple(table.column(name).to_pylist() for name in names)

    @property
    def carries_pseudonyms(self) -> bool:
        """Whether the file's lines are compared by pseudonyms that they state."""
        return any(any(column) for column in self.stated("nhs_pseudonym", "local_pseudonym"))

    def line(self, row: int) -> MatchedLine:
        """The line of a row of the file; RunNotFound where there is none."""
        (found,) = self.at([self.position(row)])
        return found

    def key(self, row: int) -> str:
        """The key (`line_keys`) of that line."""
        (contents,) = self.stated("content_hash")
        return key_at(contents, self.position(row))

    def line_and_key(self, row: int) -> tuple[MatchedLine, str]:
        """Both."""
        return self.line(row), self.key(row)

    def position(self, row: int) -> int:
        """Where the line of a row of the file stands; RunNotFound where there is none."""
        (rows,) = self.came_to("row")
        try:
            return int(rows.index(row))
        except ValueError:
            raise RunNotFound("line of this run") from None

    def at(self, positions: Sequence[int]) -> tuple[MatchedLine, ...]:
        """The lines at these positions, which ascend. Raises StoredFileDamaged where the outcomes
        are not of this submission."""
        lines = lines_of(_picked(self.rows, positions, skipped=True))
        outcomes = _picked(self.outcomes, positions, skipped=False).to_pylist()
        if [row["content_hash"] for row in outcomes] != [line.content_hash for line in lines]:
            raise StoredFileDamaged("not of this submission")
        return tuple(map(outcome_of, outcomes, lines))


def open_run(work: Work, desk: Desk, caller: Caller, run_id: str) -> RunLines | LargeLines:
    """A stored run of the caller's organisation, however large. Raises RunNotFound."""
    check_can(caller, Action.RECONCILE)
    run = store.find_run(work, caller.organisation, run_id)
    if desk.matching.takes_files(run.lines):
        return open_large(work, desk, run)
    record = store.find_submission(work, caller.organisation, run.submission_id)
    outcomes = desk.files.read(run.organisation, OUTCOMES, run.outcomes_file, run.outcomes_sha256)
    rows = _rows(desk.files, record, rows_store.rows_of(work, record))
    return RunLines(run, record, rows, outcomes)


def _rows(files: FileStore, record: SubmissionRecord, digest: str | None) -> bytes:
    """The kept rows of a submission; where none are kept or they are spoilt, read anew."""
    if digest is not None:
        try:
            kept = files.read(record.organisation, ROWS, digest, digest)
            if facts_of(pq.ParquetFile(io.BytesIO(kept))).sha256 == record.sha256:
                return kept
        except (StoredFileDamaged, KeyError, ValueError, pa.ArrowException):
            pass
    anew = stored_submission(files, record, None).as_rows
    assert anew is not None  # what is read from the bytes holds its rows
    return anew


def _picked(data: bytes, positions: Sequence[int], *, skipped: bool) -> pa.Table:
    """The rows at these positions; of a file with `skipped` rows these are not counted."""
    with pq.ParquetFile(io.BytesIO(data)) as file:
        found = list(_batches(file, positions, skipped))
        return pa.Table.from_batches(found, file.schema_arrow)


def _batches(
    file: pq.ParquetFile, positions: Sequence[int], skipped: bool
) -> Iterator[pa.RecordBatch]:
    begins, left = 0, list(positions)
    for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
        if not left:
            return
        if skipped:
            batch = batch.filter(pc.is_null(batch.column(_WHY)))
        ends = begins + len(batch)
        here = [position - begins for position in left if position < ends]
        if here:
            yield batch.take(pa.array(here, pa.int64()))
        begins, left = ends, left[len(here) :]


def key_at(contents: Sequence[str], position: int) -> str:
    """The key (`line_keys`) of the line at a position, of every line's content hash."""
    content = contents[position]
    return f"{content}.{contents[: position + 1].count(content)}"
