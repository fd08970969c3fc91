"""What a submission would change if it were accepted now, row by row. Nothing is stored."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, store
from app.reconciliation.accepting import (
    UNCHANGED,
    Accepted,
    SliceChange,
    frozen_on,
    left_standing,
    outline,
    plan,
)
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.model import ContractLine, Submission
from app.reconciliation.slice_store import Head
from app.reconciliation.slices import RowChange, SliceKey, place, row_changes
from app.reconciliation.store import SubmissionRecord
from app.reconciliation.stored_lines import Stored


@dataclass(frozen=True, slots=True)
class SliceRows:
    """The rows of one slice that would change, against its newest version."""

    key: SliceKey
    against: str | None  # the submission that stands
    rows: tuple[RowChange, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A submission as it would be accepted. `received` is it, where the same file came before.

    It holds while what it `rests_on` stays the same.
    """

    received: SubmissionRecord | None
    layout: str
    lines: int
    skipped: int
    notes: tuple[str, ...]
    accepted: Accepted
    rows: tuple[SliceRows, ...]
    rests_on: str


def preview(
    work: Work,
    stored: Stored,
    caller: Caller,
    submission: Submission,
    compared: Progress = untold,
) -> Preview:
    """What would change; within `Database.read`, so that it is of one state.

    `compared` is told how many lines are, slice by slice.
    """
    own = caller.organisation
    placed = place(submission.lines, stored.fold)
    calendar = slice_store.calendar_of(work, own)
    heads = {head.key: head for head in slice_store.heads(work, own, placed.slices)}
    changes: list[SliceChange] = []
    rows: list[SliceRows] = []
    done = 0
    for key, lines in placed.slices.items():
        head = heads.get(key)
        newest = None if head is None else head.newest
        change = plan(key, newest, lines, frozen_on(calendar, key, work.moment.day))
        differing = _rows(work, stored, head, lines)
        changes.append(change if differing else _unchanged(change))
        against = None if newest is None else newest.submission_id
        rows.append(SliceRows(key, against, differing))
        done += len(lines)
        compared(done)
    known = store.submission_by_hash(work, own, submission.sha256)
    return Preview(
        received=known,
        layout=submission.layout,
        lines=len(submission.lines),
        skipped=len(submission.skipped),
        notes=submission.notes,
        accepted=outline(work, own, placed, changes),
        rows=tuple(rows),
        rests_on=rests_on(work, caller, list(placed.slices), submission.sha256),
    )


def rests_on(work: Work, caller: Caller, stated: Collection[SliceKey], sha256: str) -> str:
    """A digest of what a preview of these slices rests on beside the file itself.

    While it is the same, the same file previewed again gives the same: what stands of the slices
    and beside them, which months are closed, and whether the file was received.
    """
    own, day = caller.organisation, work.moment.day
    calendar = slice_store.calendar_of(work, own)
    newest = {
        head.key: head.newest.id
        for head in slice_store.heads(work, own, stated)
        if head.newest is not None
    }
    known = store.submission_by_hash(work, own, sha256)
    said = (
        [(*key, newest.get(key), frozen_on(calendar, key, day)) for key in sorted(stated)],
        left_standing(work, own, set(stated)),
        None if known is None else known.id,
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _rows(
    work: Work, stored: Stored, head: Head | None, lines: Sequence[ContractLine]
) -> tuple[RowChange, ...]:
    was = () if head is None else stored.slice_lines(work, head).lines
    return row_changes(was, lines)


def _unchanged(change: SliceChange) -> SliceChange:
    """Whether or not its version is new, it says what stands."""
    return SliceChange(
        change.key, UNCHANGED, change.lines, change.total, change.was_lines, change.was_total,
        change.frozen_on,
    )  # fmt: skip
