"""Letting a run stand: for open months it is the result, for frozen ones it adds signed deltas."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from app.audit import Event, parse_cursor, record
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, standing_store
from app.reconciliation.accepting import frozen_on
from app.reconciliation.deltas import (
    Amounts,
    Change,
    amounts_of,
    cause_of,
    changes,
    check_tie,
    standing_amounts,
)
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.errors import TooManyLines
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import MatchedLine
from app.reconciliation.outcome_files import from_parquet
from app.reconciliation.slice_store import STATEMENT, Head, SliceOutcome
from app.reconciliation.slices import Placed, SliceKey, place, unequal
from app.reconciliation.standing_store import Delta, Frozen, Mark, Standing
from app.reconciliation.store import RunRecord, SubmissionRecord, find_run
from app.reconciliation.stored_lines import OUTCOMES, Stored
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
    TotalsDoNotTie, and TooManyLines where a frozen month of a file that is not held in memory would
    change.
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
    own = [head for head in heads if _states(head, submission)]
    placed = place((item.line for item in result.matched), stored.fold)
    _keep_touches(work, submission, own, result, placed)
    if before is None or before.id == run.id:
        return
    calendar = slice_store.calendar_of(work, submission.organisation)
    for head in own:
        freeze = frozen_on(calendar, head.key, work.moment.day)
        if freeze is not None:
            # Held, so that no correction takes lines away meanwhile.
            held = slice_store.locked_head(work, submission.organisation, head.key)
            _Freezing(work, stored, caller, standing, before, result).add(held, freeze, placed)


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
    own: Sequence[Head],
    result: Result,
    placed: Placed,
) -> None:
    """Keep by what changes find the slices. Lines that are not in memory are found by any."""
    of_row = {item.line.row: item for item in result.matched}
    keys: dict[str, frozenset[str]] = {}
    for head in own:
        assert head.current is not None
        items = [of_row[line.row] for line in placed.slices.get(head.key, ())]
        found = keys_of_lines(items) if items else frozenset({ANY})
        keys[head.current.id] = frozenset({ANY}) if ANY in found else found
    older = slice_store.versions_of(work, submission.organisation, [head.id for head in own])
    gone = older - keys.keys()
    mark_later(work, submission, gone)
    standing_store.replace_touches(work, submission.organisation, keys, gone)


@dataclass(frozen=True, slots=True)
class _Freezing:
    """A run on its way to be added to frozen months."""

    work: Work
    stored: Stored
    caller: Caller
    standing: Standing
    before: RunRecord
    result: Result

    def add(self, head: Head, freeze: dt.date, placed: Placed) -> None:
        """The deltas of one slice, and its frozen result where it has none yet."""
        if not self.result.matched:
            self._check_same(head.key)
            return
        rows = {line.row for line in placed.slices[head.key]}
        now = [item for item in self.result.matched if item.line.row in rows]
        frozen, told = self._frozen(head, freeze, rows)
        earlier = standing_store.deltas_of(self.work, frozen)
        was = standing_amounts(told, earlier)
        gone = self._taken_away(head, placed)
        found = self._deltas(frozen, changes(was, now, gone))
        standing_store.add_deltas(self.work, found)
        check_tie(frozen, standing_store.deltas_of(self.work, frozen), was, now, gone)
        if found:
            self._tell(head.key, frozen, found)

    def _frozen(
        self, head: Head, freeze: dt.date, rows: set[int]
    ) -> tuple[Frozen, Mapping[int, Amounts]]:
        """The frozen result and each of its lines; that of the run that stood, if it is new."""
        assert head.current is not None
        own = head.current.organisation
        frozen = standing_store.frozen_of(self.work, own, head.current.id, freeze)
        run = self.before if frozen is None else find_run(self.work, own, frozen.run_id)
        data = self.stored.files.read(own, OUTCOMES, run.outcomes_file, run.outcomes_sha256)
        every = from_parquet(data, [item.line for item in self.result.matched])
        told = {item.line.row: amounts_of(item) for item in every if item.line.row in rows}
        if frozen is None:
            frozen = self._new(head, freeze, run, told.values())
            standing_store.add_frozen(self.work, frozen)
        return frozen, told

    def _new(self, head: Head, freeze: dt.date, run: RunRecord, told: Iterable[Amounts]) -> Frozen:
        assert head.current is not None
        every = tuple(told)
        with localcontext(prec=EXACT_DIGITS):
            return Frozen(
                id=self.work.new_id(),
                organisation=head.current.organisation,
                version_id=head.current.id,
                freeze=freeze,
                run_id=run.id,
                lines=len(every),
                total=head.current.total,
                accepted=sum((each.accepted for each in every), ZERO),
                queried=sum((each.queried for each in every), ZERO),
                made_at=self.work.moment.instant,
            )

    def _taken_away(self, head: Head, placed: Placed) -> frozenset[int]:
        """The rows that corrections have taken away since: what they are now is not counted."""
        assert head.newest is not None
        if head.newest.kind == STATEMENT:
            return frozenset()
        states = self.stored.slice_lines(self.work, head).lines
        gone, _ = unequal(placed.slices[head.key], states)
        return frozenset(line.row for line in gone)

    def _deltas(self, frozen: Frozen, found: Sequence[Change]) -> tuple[Delta, ...]:
        lines = [item.line for item in self.result.matched]
        key_of = dict(zip((line.row for line in lines), keys_of(lines), strict=True))
        with localcontext(prec=EXACT_DIGITS):
            return tuple(self._delta(frozen, each, key_of[each.item.line.row]) for each in found)

    def _delta(self, frozen: Frozen, change: Change, line_key: str) -> Delta:
        item, was = change.item, change.was
        cause = cause_of(change, line_key, self.result.looked.marks)
        return Delta(
            id=self.work.new_id(),
            organisation=frozen.organisation,
            frozen_id=frozen.id,
            standing_id=self.standing.id,
            row=item.line.row,
            line_key=line_key,
            outcome_was=was.outcome,
            outcome=item.outcome.value,
            accepted_was=was.accepted,
            accepted=item.accepted,
            accepted_more=item.accepted - was.accepted,
            queried_was=was.queried,
            queried=item.queried,
            queried_more=item.queried - was.queried,
            reason=item.reason,
            treatment_id=item.treatment_id or was.treatment_id,
            reference=item.reference or was.reference,
            cause=None if cause is None else cause.action,
            cause_at=None if cause is None else cause.changed_at,
            cause_event=None if cause is None else cause.event_id,
            made_at=self.work.moment.instant,
        )

    def _check_same(self, key: SliceKey) -> None:
        """Of a file that is not held in memory the frozen months must stand as they did."""
        was = slice_store.outcomes_of_run(self.work, self.before.organisation, self.before.id)
        now = {each.key: (each.accepted, each.queried) for each in self.result.slices}
        if key in was and (was[key].accepted, was[key].queried) != now[key]:
            raise TooManyLines(
                self.before.lines,
                "to have its frozen months changed line by line",
                "Send the months whose approvals changed as a file of their own",
            )

    def _tell(self, key: SliceKey, frozen: Frozen, found: Sequence[Delta]) -> None:
        with localcontext(prec=EXACT_DIGITS):
            more: Decimal = sum((each.accepted_more for each in found), ZERO)
        event = Event(
            action="frozen month changed by deltas",
            object_type="frozen month",
            object_id=frozen.id,
            after={
                "month": f"{key.financial_year} M{key.financial_month:02d}",
                "run": self.standing.run_id,
                "lines": len(found),
                "accepted more": f"{more:f}",
            },
        )
        record(self.work, self.caller.actor(), event)
