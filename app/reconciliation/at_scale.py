"""Receiving and reconciling a submission that is not held in memory: from file to file.

The same use case as `service.reconcile`, for the command line and the worker. The file's cells
become a file of rows (`read_columns`), DuckDB makes of that a file of outcomes (`out_of_core`; the
steps between run on Spark where that is chosen), and of the lines only counts and sums are looked
at here.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from app.approvals.permissions import PAYER_ROLES, Action, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import rows_store, service, store
from app.reconciliation.accepting import accept
from app.reconciliation.decode import check_size
from app.reconciliation.engines.choice import Engine
from app.reconciliation.engines.duckdb import database, told_when_out
from app.reconciliation.engines.known import NotTabular
from app.reconciliation.engines.limits import EXACT_DIGITS, exact
from app.reconciliation.engines.out_of_core import match_rows
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.errors import NotYourSubmission, StoredFileDamaged, TooManyLines
from app.reconciliation.files import FileStore
from app.reconciliation.find_table import Most
from app.reconciliation.large_deltas import LargeFile
from app.reconciliation.line_columns import (
    FileFacts,
    facts_of,
    lines_of,
    rows_carry_pseudonyms,
)
from app.reconciliation.model import ContractLine, Snapshot
from app.reconciliation.own_lines import is_own
from app.reconciliation.pseudonymised import as_pseudonyms, check_comparable, write_hidden
from app.reconciliation.read_columns import read_columns
from app.reconciliation.scratch import scratch
from app.reconciliation.service import Desk, Reconciled, Run, Worked
from app.reconciliation.slice_store import SliceOutcome
from app.reconciliation.slices import CountedLines, Placed, SliceKey, slice_stated
from app.reconciliation.source import Source, on_disk
from app.reconciliation.standing import Looked
from app.reconciliation.store import RunRecord, SubmissionRecord
from app.reconciliation.stored_lines import ROWS, SUBMISSIONS
from app.reconciliation.summary import ZERO, Summary
from app.reconciliation.untested import told_by_test
from app.reference_data.pseudonyms import PseudonymKey

#: The largest file that is read from a disk: 16 GB, and 3 billion cells (90 million lines).
MOST: Final = Most(bytes=16 << 30, cells=3_000_000_000)
NOTE: Final = "The file has over {most:,} lines, so {engine} took it from file to file."
_NAMED: Final = {Engine.DUCKDB: "DuckDB", Engine.SPARK: "Spark"}
_STATED: Final = (
    "provider, commissioner, financial_year, financial_month, "
    "CASE WHEN financial_year IS NULL OR financial_month IS NULL THEN supply_date END"
)
Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class ReconciledFile:
    """A run whose lines were not held in memory, with what its file says and its summary."""

    facts: FileFacts
    run: RunRecord
    summary: Summary
    is_new: bool


@dataclass(frozen=True, slots=True)
class LargeSubmission:
    """A file's rows where they lie, and what the file says beside them."""

    desk: Desk
    facts: FileFacts
    rows: Path

    def opened(self) -> Any:
        """DuckDB on the rows."""
        return database(self.desk.matching.machine())

    def carries_pseudonyms(self) -> bool:
        """Whether some line is known by a pseudonym."""
        return rows_carry_pseudonyms(self.rows)


def reconcile_file(
    transact: Run, desk: Desk, caller: Caller, path: Path, *, read: Run
) -> Reconciled | ReconciledFile:
    """Receive and reconcile a file on a disk, which nobody changes meanwhile.

    Small ones are held in memory and go to the engine that is set. Raises what
    `service.reconcile` raises, TooManyLines and EngineRanOut.
    """
    check_can(caller, Action.RECONCILE)
    assert desk.matching.spill_to is not None
    source = on_disk(path)
    with scratch(desk.matching.spill_to) as folder, told_when_out():
        known = read(partial(_known, caller=caller, source=source))
        rows, facts = _rows(desk, known, source, path.name, folder)
        if not desk.matching.takes_files(facts.lines):
            check_size(source.size)  # few lines, but of cells that no memory may hold
            data = source.read()
            return service.reconcile(transact, desk, caller, data, path.name, read=read)
        large = LargeSubmission(desk, facts, rows)
        _check_readable(caller, large)
        record = transact(lambda work: _receive(work, caller, large, path))
        looked, snapshot = read(lambda work: service.seen_for(work, desk, caller, record))
        key = service.key_of(desk, caller)
        worked = match_large(large, snapshot, folder / "outcomes.parquet", key)
        run, is_new = transact(lambda work: save_large(work, caller, large, record, worked, looked))
        return ReconciledFile(facts, run, worked.summary, is_new)


def _known(
    work: Work, caller: Caller, source: Source
) -> tuple[SubmissionRecord, str | None] | None:
    record = store.submission_by_hash(work, caller.organisation, source.sha256())
    return None if record is None else (record, rows_store.rows_of(work, record))


def _rows(
    desk: Desk,
    known: tuple[SubmissionRecord, str | None] | None,
    source: Source,
    name: str,
    folder: Path,
) -> tuple[Path, FileFacts]:
    """The kept rows of a file that came before, else its rows read into the folder."""
    if known is not None and known[1] is not None:
        kept = kept_rows(desk.files, *known)
        if kept is not None:
            return kept
    rows = folder / "rows.parquet"
    with rows.open("wb") as out:
        facts = read_columns(source, name, out, scratch=folder, most=MOST)
    return rows, facts


def kept_rows(
    files: FileStore, record: SubmissionRecord, digest: str | None
) -> tuple[Path, FileFacts] | None:
    """The kept rows of a submission; None where they are gone or spoilt and must be made anew."""
    if digest is None:
        return None
    try:
        path = files.path_of(record.organisation, ROWS, digest)
        with pq.ParquetFile(path) as file:
            facts = facts_of(file)
    except (StoredFileDamaged, OSError, KeyError, ValueError, pa.ArrowException):
        return None
    return (path, facts) if facts.sha256 == record.sha256 else None


def large_of(
    desk: Desk, record: SubmissionRecord, digest: str | None, folder: Path
) -> LargeSubmission:
    """A stored submission by its rows, made anew in the folder where they are not kept."""
    kept = kept_rows(desk.files, record, digest)
    if kept is None:
        bytes_ = desk.files.path_of(record.organisation, SUBMISSIONS, record.sha256)
        kept = _rows(desk, None, on_disk(bytes_), record.file_name, folder)
    return LargeSubmission(desk, kept[1], kept[0])


def match_large(
    large: LargeSubmission,
    snapshot: Snapshot,
    outcomes: Path,
    key: PseudonymKey | None = None,
    progress: Progress = untold,
) -> Worked:
    """The file of outcomes, and the summary, whose totals are asserted to tie exactly.

    With a key, lines that carry pseudonyms and approvals are compared by these (`pseudonymised`).
    """
    desk = large.desk
    dictionary = service.knowing(desk.dictionary, snapshot.terms.spellings)
    rows, seen = large.rows, snapshot
    if key is not None and large.carries_pseudonyms():
        rows = outcomes.with_name("hidden.parquet")
        write_hidden(large.rows, rows, key)
        _, seen = as_pseudonyms((), snapshot, key)
    parts = (seen, dictionary, desk.organisations, desk.matching.machine())
    on_spark = desk.matching.engine is Engine.SPARK
    engine = Engine.SPARK if on_spark else Engine.DUCKDB
    try:
        cluster = desk.matching.cluster() if on_spark else None
        decided = match_rows(rows, outcomes, *parts, cluster, progress)
    except NotTabular:
        why = "to be matched with a number of more than 8 decimal places among them"
        raise TooManyLines(large.facts.lines, why, "Send each month by itself") from None
    slices = tuple(
        SliceOutcome(
            key,
            *(b.lines, b.total, b.accepted, b.queried),
            decided.untested[key].amount,
            told_by_test(decided.untested[key]),
        )
        for key, b in decided.slices.items()
    )
    return Worked(
        service.digest_with(snapshot, decided.decisions),
        snapshot.as_at,
        (),
        decided.summary,
        outcomes,
        slices,
        engine,
        NOTE.format(most=desk.matching.most_lines, engine=_NAMED[engine]),
    )


def save_large(
    work: Work,
    caller: Caller,
    large: LargeSubmission,
    record: SubmissionRecord,
    worked: Worked,
    looked: Looked,
) -> tuple[RunRecord, bool]:
    """Keep the rows where they were made anew, and save the run."""
    keep_large_rows(work, caller, large, record)
    desk = large.desk
    file = LargeFile(large.rows, desk.matching.machine(), desk.organisations.fold)
    return service.save_run(work, desk, caller, record, worked, looked, file.differing)


def keep_large_rows(
    work: Work, caller: Caller, large: LargeSubmission, record: SubmissionRecord
) -> None:
    """As `keep_rows`, of a file."""
    digest = large.desk.files.save_file(record.organisation, ROWS, large.rows)
    if rows_store.rows_of(work, record) != digest:
        rows_store.keep(work, record, digest, caller.actor())


# --- receiving ------------------------------------------------------------------------------------


def _check_readable(caller: Caller, large: LargeSubmission) -> None:
    """As `service.check_readable`."""
    with large.opened() as connection:
        _view(connection, large)
        stated = connection.sql(
            "SELECT provider, supply_date, count(*) FROM read "
            "WHERE provider IS NOT NULL GROUP BY ALL"
        ).fetchall()
    if caller.role not in PAYER_ROLES:
        fold = cache(large.desk.organisations.fold)
        others = sum(n for code, day, n in stated if not is_own(fold, caller, code, day))
        if others:
            raise NotYourSubmission(others)
    key = service.key_of(large.desk, caller)
    check_comparable(large.carries_pseudonyms(), key, caller.role in PAYER_ROLES)


def _receive(work: Work, caller: Caller, large: LargeSubmission, path: Path) -> SubmissionRecord:
    """As `service.receive`."""
    facts, files = large.facts, large.desk.files
    known = store.submission_by_hash(work, caller.organisation, facts.sha256)
    if known is not None:
        return known
    placed = placed_of(large)
    stored_as = files.save_file(caller.organisation, SUBMISSIONS, path)
    if stored_as != facts.sha256:
        raise StoredFileDamaged("not the one that was read: it changed on the way")
    totals = [each.total for each in _all(placed)]
    with localcontext(prec=EXACT_DIGITS):
        total = sum(totals, ZERO)
    record = SubmissionRecord(
        id=work.new_id(),
        organisation=caller.organisation,
        sha256=facts.sha256,
        file_name=path.name[-200:],
        size=path.stat().st_size,
        layout=facts.layout,
        lines=facts.lines,
        skipped=facts.skipped,
        total=total,
        received_at=work.moment.instant,
        received_by=caller.id,
    )
    added = store.add_submission(work, record, caller.actor())
    if added.id == record.id:
        accept(work, service.stored_by(large.desk), caller, record, placed)
        keep_large_rows(work, caller, large, record)
    return added


def _all(placed: Placed) -> list[CountedLines]:
    each = (*placed.slices.values(), placed.unplaced)
    return [lines for lines in each if isinstance(lines, CountedLines)]


def placed_of(large: LargeSubmission) -> Placed:
    """As `slices.place`: the lines of each slice, counted and summed, and read when looked at."""
    fold = cache(large.desk.organisations.fold)
    counts: dict[SliceKey | None, int] = defaultdict(int)
    totals: dict[SliceKey | None, Decimal] = defaultdict(lambda: ZERO)
    stated: dict[SliceKey | None, list[tuple[Any, ...]]] = defaultdict(list)
    with large.opened() as connection, localcontext(prec=EXACT_DIGITS):
        _view(connection, large)
        for row in connection.sql(
            f"SELECT {_STATED}, count(*), sum(CAST(total_cost AS DECIMAL(38, 8))) "
            "FROM read GROUP BY ALL"
        ).fetchall():
            said, (lines, total) = row[:-2], row[-2:]
            key = slice_stated(said, fold)
            counts[key] += lines
            totals[key] += total or ZERO
            stated[key].append(said)

    def counted(key: SliceKey | None) -> CountedLines:
        load = partial(_lines_stating, large, stated[key])
        return CountedLines(counts[key], exact(totals[key]), load)

    keys = sorted(key for key in counts if key is not None)
    return Placed({key: counted(key) for key in keys}, counted(None))


def _lines_stating(
    large: LargeSubmission, stated: Sequence[tuple[Any, ...]]
) -> Sequence[ContractLine]:
    """The lines that state one of these, in the order of the file."""
    kinds = (pa.string(), pa.string(), pa.string(), pa.int8(), pa.date32())
    names = ("a", "b", "c", "d", "e")
    columns = list(zip(*stated, strict=True)) or [()] * len(names)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    with large.opened() as connection:
        _view(connection, large)
        connection.register("wanted", pa.Table.from_arrays(arrays, list(names)))
        keyed = f"SELECT pos, {_STATED} AS day FROM read"
        rows = connection.sql(
            "SELECT read.* FROM read SEMI JOIN (SELECT keyed.pos FROM "
            f"({keyed}) AS keyed SEMI JOIN wanted ON wanted.a IS NOT DISTINCT FROM keyed.provider "
            "AND wanted.b IS NOT DISTINCT FROM keyed.commissioner "
            "AND wanted.c IS NOT DISTINCT FROM keyed.financial_year "
            "AND wanted.d IS NOT DISTINCT FROM keyed.financial_month "
            "AND wanted.e IS NOT DISTINCT FROM keyed.day) AS found USING (pos) ORDER BY pos"
        ).to_arrow_table()
    return lines_of(rows)


def _view(connection: Connection, large: LargeSubmission) -> None:
    connection.read_parquet(str(large.rows)).create_view("stored")
    connection.execute("CREATE VIEW read AS SELECT * FROM stored WHERE why_skipped IS NULL")
