"""Accepting a submission: its slices replace those that stood, or correct those that are frozen.

All of it is one transaction, which asserts that every line and every penny of the submission went
into a slice, into a correction, or beside them.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from app.audit import Event, record
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, store
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.model import ContractLine, MatchedLine
from app.reconciliation.slice_store import (
    CORRECTION,
    STATEMENT,
    ContractMonth,
    CorrectedLine,
    Head,
    Period,
    SliceOutcome,
    SliceVersion,
)
from app.reconciliation.slice_untested import slice_outcome
from app.reconciliation.slices import ZERO, Fold, Placed, SliceKey, place, total_of, unequal
from app.reconciliation.store import SubmissionRecord
from app.reconciliation.stored_lines import SliceLines, Stored

FIRST, REPLACES, CORRECTS, UNCHANGED = "first", "replaces", "corrects", "unchanged"


@dataclass(frozen=True, slots=True)
class SliceChange:
    """What a submission does to one slice. `closed` since the day that `frozen_on` names."""

    key: SliceKey
    how: str  # first | replaces | corrects | unchanged
    lines: int
    total: Decimal
    was_lines: int
    was_total: Decimal
    frozen_on: dt.date | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a submission did, or in a preview would do. Money in pounds.

    `unplaced` lines say too little to belong to a slice. `not_restated` are slices of the same
    providers and months or earlier ones of the year, paid by others or left out: they stand.
    """

    changes: tuple[SliceChange, ...]
    unplaced_lines: int
    unplaced_total: Decimal
    not_restated: tuple[SliceKey, ...]


def accept(
    work: Work,
    stored: Stored,
    caller: Caller,
    submission: SubmissionRecord,
    placed: Placed,
) -> Accepted:
    """Make every slice that a new submission states current, in order of their keys."""
    calendar = slice_store.calendar_of(work, submission.organisation)
    changes = []
    for key, stated in placed.slices.items():
        head = slice_store.locked_head(work, submission.organisation, key)
        change = plan(key, head.newest, stated, frozen_on(calendar, key, work.moment.day))
        changes.append(restate(work, stored, caller, submission, head, stated, change))
    accepted = outline(work, submission.organisation, placed, changes)
    _check_tie(work, submission, accepted)
    _tell(work, caller, submission, accepted)
    return accepted


def restate(
    work: Work,
    stored: Stored,
    caller: Caller,
    submission: SubmissionRecord,
    head: Head,
    stated: Sequence[ContractLine],
    change: SliceChange,
) -> SliceChange:
    """Add a version of one slice, held: whole, or where it is closed as signed corrections.

    Raises StoredFileEnded for a month whose lines are no longer kept: stated again, it would be
    matched without the people of then.
    """
    if head.newest is not None:
        store.check_kept(work, submission.organisation, head.newest.submission_id)
    adding = _Adding(work, caller, submission, head, stated)
    if change.how == CORRECTS:
        return adding.correction(change, stored)
    adding.statement(change)
    return change


def frozen_on(
    calendar: Mapping[Period, ContractMonth], key: SliceKey, day: dt.date
) -> dt.date | None:
    """The day on which the slice's month was frozen; None while it is open or has no calendar."""
    month = calendar.get(Period(key.financial_year, key.financial_month))
    freeze = None if month is None else month.freeze
    return freeze if freeze is not None and freeze < day else None


def plan(
    key: SliceKey,
    newest: SliceVersion | None,
    stated: Sequence[ContractLine],
    frozen: dt.date | None,
) -> SliceChange:
    """What the lines do to the slice, as far as its newest version alone tells."""
    how = CORRECTS if frozen is not None else FIRST if newest is None else REPLACES
    was = (0, ZERO) if newest is None else (newest.lines, newest.total)
    return SliceChange(key, how, len(stated), total_of(stated), *was, frozen)


def outline(
    work: Work, organisation: str, placed: Placed, changes: Sequence[SliceChange]
) -> Accepted:
    """The changes with what stands beside them."""
    left = left_standing(work, organisation, placed.slices)
    return Accepted(tuple(changes), len(placed.unplaced), total_of(placed.unplaced), left)


def left_standing(
    work: Work, organisation: str, stated: Collection[SliceKey]
) -> tuple[SliceKey, ...]:
    """The slices of the same providers and years, up to the newest month stated, that stand beside
    those stated."""
    last: dict[tuple[str, str], int] = {}
    for key in stated:
        year = (key.provider, key.financial_year)
        last[year] = max(last.get(year, 0), key.financial_month)
    standing = slice_store.stated_keys(work, organisation, last)
    return tuple(
        sorted(
            key
            for key in standing
            if key not in stated
            and key.financial_month <= last.get((key.provider, key.financial_year), 0)
        )
    )


@dataclass(frozen=True, slots=True)
class _Adding:
    """One slice of a submission on its way into the database."""

    work: Work
    caller: Caller
    submission: SubmissionRecord
    head: Head
    stated: Sequence[ContractLine]

    def statement(self, change: SliceChange) -> None:
        """A version that replaces the slice whole."""
        more = (change.lines - change.was_lines, change.total - change.was_total)
        self._add(STATEMENT, None, 1, (change.lines, change.total), more)

    def correction(self, change: SliceChange, stored: Stored) -> SliceChange:
        """Signed differences to a frozen slice, citing it; nothing where there are none."""
        base = stored.slice_lines(self.work, self.head)
        gone, new = unequal(base.lines, self.stated)
        if not gone and not new:
            return replace(change, how=UNCHANGED)
        current, step = self.head.current, 1
        if current is None:  # nothing was stated while the month was open
            current, step = self._add(STATEMENT, None, 1, (0, ZERO), (0, ZERO)), 2
        with localcontext(prec=EXACT_DIGITS):
            more = (len(new) - len(gone), total_of(new) - total_of(gone))
            if change.was_total + more[1] != change.total:
                raise TotalsDoNotTie("A corrected slice", change.total, change.was_total + more[1])
        whole = (change.lines, change.total)
        version = self._add(CORRECTION, current.id, step, whole, more)
        taken = [self._line(version, -1, base.submission, line, base) for line in gone]
        added = [self._line(version, 1, self.submission.id, line, None) for line in new]
        slice_store.add_corrected_lines(self.work, taken + added)
        return change

    def _add(
        self,
        kind: str,
        cites: str | None,
        step: int,
        whole: tuple[int, Decimal],
        more: tuple[int, Decimal],
    ) -> SliceVersion:
        newest = self.head.newest
        version = SliceVersion(
            id=self.work.new_id(),
            organisation=self.submission.organisation,
            slice_id=self.head.id,
            number=(0 if newest is None else newest.number) + step,
            kind=kind,
            submission_id=self.submission.id,
            cites=cites,
            lines=whole[0],
            total=whole[1],
            lines_more=more[0],
            total_more=more[1],
            accepted_at=self.work.moment.instant,
            accepted_by=self.caller.id,
        )
        slice_store.add_version(self.work, version)
        return version

    def _line(
        self,
        version: SliceVersion,
        sign: int,
        submission: str,
        line: ContractLine,
        base: SliceLines | None,
    ) -> CorrectedLine:
        """The line with its sign; one that is taken away cites the outcome that it had."""
        cited = None if base is None else base.outcomes.get(line.row)
        return CorrectedLine(
            id=self.work.new_id(),
            organisation=version.organisation,
            version_id=version.id,
            sign=sign,
            submission_id=submission,
            row=line.row,
            amount=sign * (line.total_cost or ZERO),
            run_id=base.run if base is not None and cited is not None else None,
            outcome=None if cited is None else cited.outcome.value,
            accepted=None if cited is None else sign * cited.accepted,
            queried=None if cited is None else sign * cited.queried,
        )


def _check_tie(work: Work, submission: SubmissionRecord, accepted: Accepted) -> None:
    """Every line and penny is accounted for, as counted and as the database now holds them."""
    with localcontext(prec=EXACT_DIGITS):
        lines = sum(c.lines for c in accepted.changes) + accepted.unplaced_lines
        total = sum((c.total for c in accepted.changes), ZERO) + accepted.unplaced_total
        if (lines, total) != (submission.lines, submission.total):
            raise TotalsDoNotTie("The slices", (submission.lines, submission.total), (lines, total))
        wanted = {c.key: (c.lines, c.total) for c in accepted.changes if c.how != UNCHANGED}
        standing = {
            head.key: head.newest
            for head in slice_store.heads(work, submission.organisation, wanted)
        }
        for key, figures in wanted.items():
            newest = standing[key]
            if newest is None or newest.submission_id != submission.id:
                raise TotalsDoNotTie("The newest version of a slice", submission.id, newest)
            if (newest.lines, newest.total) != figures:
                raise TotalsDoNotTie("A stored slice", figures, (newest.lines, newest.total))


def _tell(work: Work, caller: Caller, submission: SubmissionRecord, accepted: Accepted) -> None:
    how = Counter(change.how for change in accepted.changes)
    event = Event(
        action="slices accepted",
        object_type="submission",
        object_id=submission.id,
        after={
            **{name: how[name] for name in (FIRST, REPLACES, CORRECTS, UNCHANGED)},
            "unplaced lines": accepted.unplaced_lines,
        },
    )
    record(work, caller.actor(), event)


# --- outcomes by slice ----------------------------------------------------------------------------


def outcomes_by_slice(matched: Sequence[MatchedLine], fold: Fold) -> tuple[SliceOutcome, ...]:
    """What a run accepted and queried of each slice of its submission, exactly."""
    of_row = {item.line.row: item for item in matched}
    placed = place((item.line for item in matched), fold)
    with localcontext(prec=EXACT_DIGITS):
        return tuple(
            slice_outcome(key, [of_row[line.row] for line in lines])
            for key, lines in placed.slices.items()
        )
