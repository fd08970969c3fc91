"""The lines of a run, read from its two files as they lie: a run that is not held in memory, and
a smaller one of which a few lines are wanted.

A page, one line's evidence and a draft of challenges ask DuckDB for what they show
(`large_queries`); an export reads both files once, some lines at a time, in their order.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.db.work import Work
from app.reconciliation import rows_store, store
from app.reconciliation.engines.asked_duckdb import asked
from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.errors import RowsNotKept, StoredFileDamaged
from app.reconciliation.large_queries import Reading
from app.reconciliation.line_columns import FileFacts, facts_of, rows_carry_pseudonyms, rows_in
from app.reconciliation.model import MatchedLine, Skipped
from app.reconciliation.outcome_files import outcome_of
from app.reconciliation.service import Desk
from app.reconciliation.store import RunRecord, SubmissionRecord
from app.reconciliation.stored_lines import OUTCOMES, ROWS

#: What a question may hold of the files beside what it answers with; several are asked at once.
MEMORY: Final = "256MB"
#: Lines that are held at a time where all are read.
AT_A_TIME: Final = 4_096


@dataclass(frozen=True, slots=True)
class LargeLines:
    """A stored run with its two files, which are read and never written."""

    run: RunRecord
    record: SubmissionRecord
    rows: Path
    outcomes: Path
    machine: Machine

    @property
    def carries_pseudonyms(self) -> bool:
        """Whether the file's lines are compared by pseudonyms that they state."""
        return rows_carry_pseudonyms(self.rows)

    @property
    def lines(self) -> int:
        """How many there are."""
        return self.run.lines

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The files open to questions. Raises EngineRanOut where MEMORY does not suffice."""
        with database(replace(self.machine, memory_limit=MEMORY, threads=1)) as connection:
            yield Reading.of(connection, self.rows, self.outcomes)

    @contextmanager
    def asking(self) -> Iterator[Reading]:
        """The same for what a page asks, which needs little memory: in the process's own DuckDB.

        Raises EngineRanOut where the memory of all who ask does not suffice.
        """
        with asked() as connection:
            yield Reading.of(connection, self.rows, self.outcomes)

    def line(self, row: int) -> MatchedLine:
        """The line of a row of the file; RunNotFound where there is none."""
        with self.asking() as reading:
            (found,) = reading.lines([row])
        return found

    def key(self, row: int) -> str:
        """The key (`line_keys`) of that line."""
        return self.line_and_key(row)[1]

    def line_and_key(self, row: int) -> tuple[MatchedLine, str]:
        """Both, of one opening of the files."""
        with self.asking() as reading:
            (found,) = reading.lines([row])
            return found, reading.key_of(row, found.line.content_hash)

    def every_row(self) -> Generator[MatchedLine | Skipped]:
        """Every row below the header in the order of the file, some in memory at a time.

        Raises StoredFileDamaged where the outcomes are not of this submission.
        """
        with (
            pq.ParquetFile(self.rows) as rows,
            pq.ParquetFile(self.outcomes) as outcomes,
            closing(_told(outcomes)) as told,
        ):
            for stated in rows_in(rows, AT_A_TIME):
                if isinstance(stated, Skipped):
                    yield stated
                    continue
                came_to = next(told, None)
                if came_to is None or came_to["content_hash"] != stated.content_hash:
                    raise StoredFileDamaged("not of this submission")
                yield outcome_of(came_to, stated)
            if next(told, None) is not None:
                raise StoredFileDamaged("not of this submission")

    def some_at_a_time(self) -> Iterator[Sequence[MatchedLine]]:
        """Every line in the order of the file, in pieces; raises as `every_row`."""
        with closing(self.every_row()) as rows:
            lines = (row for row in rows if isinstance(row, MatchedLine))
            while some := list(islice(lines, AT_A_TIME)):
                yield some

    def facts(self) -> FileFacts:
        """What the file says beside its rows."""
        with pq.ParquetFile(self.rows) as file:
            return facts_of(file)

    def widest(self) -> int:
        """The most cells of a row."""
        with pq.ParquetFile(self.rows) as file:
            cells = (
                pc.max(pc.list_value_length(batch.column(0))).as_py()
                for batch in file.iter_batches(AT_A_TIME, columns=["raw"], use_threads=False)
            )
            return max((count for count in cells if count is not None), default=0)


def _told(file: pq.ParquetFile) -> Generator[dict[str, Any]]:
    for batch in file.iter_batches(batch_size=AT_A_TIME, use_threads=False):
        yield from batch.to_pylist()


def open_large(work: Work, desk: Desk, run: RunRecord) -> LargeLines:
    """The lines of a run that its organisation may see. Raises StoredFileDamaged, RowsNotKept."""
    record = store.find_submission(work, run.organisation, run.submission_id)
    rows = _kept(desk, record, rows_store.rows_of(work, record))
    return LargeLines(run, record, rows, outcomes_of(desk, run), desk.matching.machine())


def open_where_it_lies(work: Work, desk: Desk, run: RunRecord) -> LargeLines | None:
    """The same of a run of any size, to read some of its lines and not the others.

    None where the rows of a run that may be held in memory are not kept: then all are read anew,
    which of so many is done while somebody waits. Raises StoredFileDamaged; RowsNotKept of a large
    one.
    """
    try:
        return open_large(work, desk, run)
    except RowsNotKept:
        if desk.matching.takes_files(run.lines):
            raise
        return None


def outcomes_of(desk: Desk, run: RunRecord) -> Path:
    """Where a run's outcomes lie. Raises StoredFileDamaged."""
    return desk.files.path_of(run.organisation, OUTCOMES, run.outcomes_file)


def kept_of(work: Work, desk: Desk, run: RunRecord) -> Path:
    """Where the rows of a run's submission lie. Raises RowsNotKept."""
    record = store.find_submission(work, run.organisation, run.submission_id)
    return _kept(desk, record, rows_store.rows_of(work, record))


def _kept(desk: Desk, record: SubmissionRecord, digest: str | None) -> Path:
    """Where the kept rows lie. To make them anew takes minutes, which the next run does."""
    if digest is None:
        raise RowsNotKept
    try:
        path = desk.files.path_of(record.organisation, ROWS, digest)
        with pq.ParquetFile(path) as file:
            if facts_of(file).sha256 == record.sha256:
                return path
    except (StoredFileDamaged, OSError, KeyError, ValueError, pa.ArrowException):
        pass
    raise RowsNotKept
