"""Which invoiced lines are one person's, by what the service itself knows of them.

By the number that a line states in its stored file; by the treatment that the run which stands for
its submission matched it to, however it was found; and by the approval that somebody matched it
with by hand, or took for a proposal. A line is known by its content, so what was said of it in an
earlier run, or of another file that states it, is of the same line.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import and_, or_, select

from app.approvals.erasing import KnownAs
from app.db import tables
from app.db.work import Work
from app.reconciliation import rows_store
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import ContractLine
from app.reconciliation.standing_order import standing_last
from app.reconciliation.store import find_submission
from app.reconciliation.stored_lines import OUTCOMES, stored_submission

#: Whose a line's key is, and the key.
Key = tuple[str, str]
#: A run, its submission, and the organisation of both.
RunOf = tuple[str, str, str]
_BY_HAND, _PROPOSED = tables.line_decision, tables.linkage_proposal


@dataclass(frozen=True, slots=True)
class FoundLines:
    """A person's lines: by their keys, and as (run, row) those that state a number of theirs.

    `unread`: files that are gone or damaged, so that nobody knows.
    """

    lines: frozenset[tuple[str, int]]
    keys: frozenset[Key]
    unread: int


def find_lines(work: Work, files: FileStore, known: KnownAs, worded: Iterable[RunOf]) -> FoundLines:
    """The person's lines; of stated numbers those in the files of the `worded` runs alone.

    Slow, since it reads files: outside a writing transaction.
    """
    stated, keys, unread = _stated(work, files, known, worded)
    matched, unread_too = _matched(work, files, known.treatments)
    by_hand = decided(work, known.references)
    return FoundLines(stated, keys | matched | by_hand, unread + unread_too)


# --- by number ------------------------------------------------------------------------------------


def _stated(
    work: Work, files: FileStore, known: KnownAs, worded: Iterable[RunOf]
) -> tuple[frozenset[tuple[str, int]], frozenset[Key], int]:
    found: set[tuple[str, int]] = set()
    keys: set[Key] = set()
    unread = 0
    by_submission = sorted(worded, key=lambda each: each[1:])
    for (submission_id, organisation), runs in groupby(by_submission, key=lambda each: each[1:]):
        record = find_submission(work, organisation, submission_id)
        if record.ended_at is not None:
            continue  # its words went with it
        try:
            lines = stored_submission(files, record, rows_store.rows_of(work, record)).lines
        except StoredFileDamaged:
            unread += 1
            continue
        told = zip(lines, keys_of(lines), strict=True)
        own = [(line.row, key) for line, key in told if is_of(line, known)]
        keys |= {(organisation, key) for _, key in own}
        found |= {(run_id, row) for run_id, *_ in runs for row, _ in own}
    return frozenset(found), frozenset(keys), unread


def is_of(line: ContractLine, known: KnownAs) -> bool:
    """By NHS number; by hospital number only where the birth date, if stated, agrees."""
    if line.nhs_number is not None and line.nhs_number in known.nhs_numbers:
        return True
    born = line.birth_date is None or line.birth_date in known.birth_dates
    return line.local_patient_id in known.local_ids and born


# --- by treatment ---------------------------------------------------------------------------------


def _matched(
    work: Work, files: FileStore, treatments: Collection[str]
) -> tuple[frozenset[Key], int]:
    if not treatments:
        return frozenset(), 0
    found: set[Key] = set()
    unread = 0
    for organisation, digest in _standing_outcomes(work):
        try:
            path = files.path_of(organisation, OUTCOMES, digest)
            found |= {(organisation, key) for key in matched_to(path, treatments)}
        except (StoredFileDamaged, OSError, KeyError, pa.ArrowException):
            unread += 1
    return frozenset(found), unread


def _standing_outcomes(work: Work) -> Iterable[tuple[str, str]]:
    """Organisation and file of the run that stands for each submission that is kept."""
    run = tables.reconciliation_run
    kept = tables.submission.c
    query = (
        select(run.c.submission_id, run.c.organisation, run.c.outcomes_file)
        .join(tables.submission, kept.id == run.c.submission_id)
        .where(kept.ended_at.is_(None))
    )
    rows = work.connection.execute(query.order_by(*standing_last(run)))
    newest = {submission: (organisation, digest) for submission, organisation, digest in rows}
    return newest.values()


def matched_to(path: Path, treatments: Collection[str]) -> Iterator[str]:
    """The keys of the lines that a file of outcomes matched to one of these treatments."""
    table = pq.read_table(path, columns=["content_hash", "treatment_id"])
    seen: Counter[str] = Counter()
    contents, told = (table.column(name).to_pylist() for name in table.column_names)
    for content, treatment in zip(contents, told, strict=True):
        seen[content] += 1
        if treatment in treatments:
            yield f"{content}.{seen[content]}"


# --- by hand --------------------------------------------------------------------------------------


def decided(work: Work, references: Collection[str]) -> frozenset[Key]:
    """Lines that a decision which stands, or a proposal that was taken, gives an approval."""
    hand, proposed = _BY_HAND.c, _PROPOSED.c
    undone = select(hand.id).where(hand.undone_at.is_not(None))
    taken = or_(proposed.decision_id.is_(None), proposed.decision_id.not_in(undone))
    found: set[Key] = set()
    for table, stands in (
        (_BY_HAND, hand.undone_at.is_(None)),
        (_PROPOSED, and_(proposed.state == "accepted", taken)),
    ):
        query = select(table.c.organisation, table.c.line_key).where(
            table.c.approval_reference.in_(references), stands
        )
        found |= {(organisation, key) for organisation, key in work.connection.execute(query)}
    return frozenset(found)
