"""Letting a run stand: for open months it is the result, for frozen ones it adds signed deltas."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.audit import parse_cursor
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, standing_store
from app.reconciliation.accepting import frozen_on
from app.reconciliation.closed_months import (
    Adding,
    Differing,
    changed_month,
    corrected_month,
    large_month,
)
from app.reconciliation.model import MatchedLine
from app.reconciliation.slice_store import STATEMENT, Head, SliceOutcome, SliceVersion
from app.reconciliation.slices import Placed, SliceKey, place
from app.reconciliation.standing_store import Mark, Standing
from app.reconciliation.store import RunRecord, SubmissionRecord, find_run
from app.reconciliation.stored_lines import Stored
from app.reconciliation.touches import ANY, keys_of_lines

#: What a mark says of a slice where a month of an earlier submission was stated anew.
STATED_ANEW: Final = "earlier month stated anew"


@dataclass(frozen=True, slots=True)
class Looked:
    """When a run looked at the approvals: the log's position, and what was marked before."""

    position: str
    at: dt.datetime
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run says: line by line where lines are held in memory, and by slice in any case."""

    matched: Sequence[MatchedLine]
    slices: Sequence[SliceOutcome]
    looked: Looked
    differing: Differing | None = None


def let_stand(
    work: Work,
    stored: Stored,
    caller: Caller,
    submission: SubmissionRecord,
    run: RunRecord,
    before: RunRecord | None,
    result: Result,
) -> None:
    """Let the run stand in place of the one before it, in the transaction that saves it.

    Its submission is held. `before` is the run that stood. Whatever marked slices before the run
    saw the approvals is settled. One that saw them earlier than the run that stands does not come
    to stand. What changed since it saw them is read again, now that it can be found. Raises
    TotalsDoNotTie.
    """
    looked = result.looked
    standing_store.settle(work, looked.marks)
    last = standing_store.last_standing(work, submission.organisation, submission.id)
    if last is not None and last.run_id == run.id:
        return
    if last is not None and _earlier(looked, last):
        return
    standing = Standing(
        id=work.new_id(),
        organisation=submission.organisation,
        submission_id=submission.id,
        number=1 if last is None else last.number + 1,
        run_id=run.id,
        role=caller.role.value,
        position=looked.position,
        looked_at=looked.at,
        stood_at=work.moment.instant,
    )
    standing_store.add_standing(work, standing)
    standing_store.add_cursor(work, standing.id, looked.position)
    heads = tuple(_heads(work, submission, result))
    if last is None:
        mark_later(work, submission, _corrected(heads, submission))
    placed = place((item.line for item in result.matched), stored.fold)
    _keep_touches(work, submission, heads, result, placed)
    _add_deltas(work, stored, caller, standing, run, before, result, placed)


def _add_deltas(
    work: Work,
    stored: Stored,
    caller: Caller,
    standing: Standing,
    run: RunRecord,
    before: RunRecord | None,
    result: Result,
    placed: Placed,
) -> None:
    """What the run changes of closed months, whether its submission states or corrects them."""
    own = standing.organisation
    calendar = slice_store.calendar_of(work, own)
    for head, corrections in _counted(work, own, standing.submission_id, result):
        freeze = frozen_on(calendar, head.key, work.moment.day)
        if freeze is None or head.current is None:
            continue
        # Held, so that no correction takes lines away meanwhile.
        held = slice_store.locked_head(work, own, head.key)
        adding = Adding(work, stored, caller, standing, held, freeze, result.looked.marks)
        assert held.newest is not None
        if held.newest.kind != STATEMENT:
            corrected_month(adding, before or run)
        elif corrections or before is None or before.id == run.id:
            continue
        elif result.matched:
            changed_month(adding, before, result.matched, placed)
        else:
            assert result.differing is not None
            large_month(adding, before, run, result.slices, result.differing)


def _earlier(looked: Looked, last: Standing) -> bool:
    """Whether the run that stands has seen the approvals later."""
    own, its = parse_cursor(looked.position), parse_cursor(last.position)
    return (own, looked.at) < (its, last.looked_at)


def _heads(work: Work, submission: SubmissionRecord, result: Result) -> Iterable[Head]:
    keys = [each.key for each in result.slices]
    return slice_store.heads(work, submission.organisation, keys) if keys else ()


def _states(head: Head, submission: SubmissionRecord) -> bool:
    """Whether the submission is what is current of the slice."""
    now = head.current
    return now is not None and now.submission_id == submission.id and now.lines > 0


def _counted(
    work: Work, organisation: str, submission_id: str, result: Result
) -> Iterable[tuple[Head, tuple[SliceVersion, ...]]]:
    """The slices of which the submission's lines count, and its corrections that count there."""
    found: dict[SliceKey, list[SliceVersion]] = {}
    stated = slice_store.versions_of_submission(work, organisation, submission_id)
    for key, version, _ in stated:
        found.setdefault(key, []).append(version)
    keys = [each.key for each in result.slices if each.key in found]
    for head in slice_store.heads(work, organisation, keys) if keys else ():
        now = head.current
        if now is not None:
            corrections = tuple(x for x in found[head.key] if x.cites == now.id)
            if corrections or (now.submission_id == submission_id and now.lines > 0):
                yield head, corrections


def _corrected(heads: Iterable[Head], submission: SubmissionRecord) -> tuple[str, ...]:
    """The statements of the slices that the submission is the newest correction of."""
    return tuple(
        head.current.id
        for head in heads
        if head.current is not None
        and head.newest is not None
        and head.newest.kind != STATEMENT
        and head.newest.submission_id == submission.id
    )


def mark_later(work: Work, submission: SubmissionRecord, versions: Collection[str]) -> None:
    """Mark slices of later submissions that counted these versions, which count otherwise now.

    What a submission uses of an approval, and which of its lines stand already, hangs on what the
    submissions before it state (ADR 55).
    """
    own = submission.organisation
    standing_store.add_marks(
        work,
        [
            Mark(
                id=work.new_id(),
                organisation=own,
                version_id=version,
                submission_id=other,
                event_id=None,
                action=STATED_ANEW,
                changed_at=work.moment.instant,
                treatment_id=None,
                line_key=None,
                marked_at=work.moment.instant,
            )
            for version, other in standing_store.later_beside(work, own, submission.id, versions)
        ],
    )


def _keep_touches(
    work: Work,
    submission: SubmissionRecord,
    heads: Sequence[Head],
    result: Result,
    placed: Placed,
) -> None:
    """Keep by what changes find the slices. Lines that are not in memory are found by any.

    A correction of a closed month is found by all that it states, beside what it corrects.
    """
    own = submission.organisation
    of_row = {item.line.row: item for item in result.matched}
    keys: dict[str, frozenset[str]] = {}
    for head, corrections in _counted(work, own, submission.id, result):
        assert head.current is not None
        items = [of_row[line.row] for line in placed.slices.get(head.key, ())]
        found = keys_of_lines(items) if items else frozenset({ANY})
        states = [head.current] if _states(head, submission) else []
        for version in (*states, *corrections):
            keys[version.id] = frozenset({ANY}) if ANY in found else found
    stated = [head for head in heads if _states(head, submission)]
    older = slice_store.versions_of(work, own, [head.id for head in stated])
    counted = slice_store.counted_versions(work, own, [head.id for head in stated])
    gone = older - counted - keys.keys()
    mark_later(work, submission, gone)
    standing_store.replace_touches(work, own, keys, gone)


def take_back(work: Work, stored: Stored, caller: Caller, key: SliceKey) -> None:
    """Take the lines of a closed month back that a correction to nothing took away.

    The slice is held. Nothing is taken back before its statement has been reconciled.
    """
    head = slice_store.locked_head(work, caller.organisation, key)
    freeze = frozen_on(slice_store.calendar_of(work, caller.organisation), key, work.moment.day)
    if head.current is None or freeze is None:
        return
    submission = head.current.submission_id
    last = standing_store.last_standing(work, caller.organisation, submission)
    if last is not None:
        run = find_run(work, caller.organisation, last.run_id)
        corrected_month(Adding(work, stored, caller, last, head, freeze, ()), run)
