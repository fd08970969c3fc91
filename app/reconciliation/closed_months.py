"""A run on its way to closed months: what it changes, adds and takes away there becomes deltas.

Frozen result and all deltas are what the lines of the month stand at, exactly: of the statement
that was frozen, less the lines that corrections took away, and with those that they added. A line
of a correction counts once its own submission has been reconciled.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Final

from app.audit import Event, record
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, standing_store, store
from app.reconciliation.deltas import (
    Amounts,
    Change,
    Differences,
    amounts_of,
    cause_of,
    changes,
    check_tie,
    check_untested,
    differs,
    more,
    standing_amounts,
)
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.errors import TooManyLines, TotalsDoNotTie
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import ContractLine, MatchedLine
from app.reconciliation.outcome_files import outcomes_among
from app.reconciliation.slice_store import Head, SliceOutcome
from app.reconciliation.slices import Placed, SliceKey, total_of, unequal
from app.reconciliation.standing_store import (
    ADDED,
    CHANGED,
    TAKEN_AWAY,
    Delta,
    Frozen,
    Mark,
    Standing,
)
from app.reconciliation.store import RunRecord
from app.reconciliation.stored_lines import OUTCOMES, Stored
from app.reconciliation.untested import sum_known

#: What a line stood at that a correction adds, and stands at that one has taken away.
NOT_STATED: Final = Amounts("not stated before", ZERO, ZERO, None, None, ZERO)
TAKEN: Final = "taken away by a correction"
CORRECTED: Final = "month corrected after its freeze"
#: A row of a file, by the submission of the correction that added it; empty: of the statement.
Place = tuple[str, int]


#: Finds the lines of a slice, in a file that is not held in memory, that differ between the files
#: of outcomes of two runs, and the rows that are wanted in any case.
Differing = Callable[[Path, Path, SliceKey, Collection[int]], Differences]


@dataclass(frozen=True, slots=True)
class Adding:
    """A closed slice, held, to which a run that comes to stand adds its deltas."""

    work: Work
    stored: Stored
    caller: Caller
    standing: Standing
    head: Head
    freeze: dt.date
    marks: Sequence[Mark]

    @property
    def organisation(self) -> str:
        """Whose slice it is."""
        return self.standing.organisation

    def frozen(self) -> Frozen | None:
        """Its frozen result, where it has one."""
        assert self.head.current is not None
        return standing_store.frozen_of(
            self.work, self.organisation, self.head.current.id, self.freeze
        )

    def freeze_at(self, run: RunRecord, lines: int, accepted: Decimal, queried: Decimal) -> Frozen:
        """Keep what a run said of it as its frozen result."""
        assert self.head.current is not None
        made = Frozen(
            id=self.work.new_id(),
            organisation=self.organisation,
            version_id=self.head.current.id,
            freeze=self.freeze,
            run_id=run.id,
            lines=lines,
            total=self.head.current.total,
            accepted=accepted,
            queried=queried,
            made_at=self.work.moment.instant,
        )
        standing_store.add_frozen(self.work, made)
        return made

    def keep(self, frozen: Frozen, found: Sequence[Delta]) -> Sequence[Delta]:
        """Keep deltas and tell of them; returns all that the database now holds of the month."""
        standing_store.add_deltas(self.work, found)
        if found:
            self._tell(frozen, found)
        return standing_store.deltas_of(self.work, frozen)

    def delta(self, frozen: Frozen, change: Change, line_key: str, of: str = "") -> Delta:
        """The delta of a line that a run accepts otherwise."""
        cause = cause_of(change, line_key, self.marks)
        now = amounts_of(change.item)
        told = (
            (None, None, None)
            if cause is None
            else (cause.action, cause.changed_at, cause.event_id)
        )
        place = (of, change.item.line.row)
        return self._made(
            frozen, CHANGED, place, line_key, change.was, now, change.item.reason, told
        )

    def added(self, frozen: Frozen, item: MatchedLine, line_key: str, of: str) -> Delta:
        """The delta of a line that a correction added, once it has an outcome."""
        place, now = (of, item.line.row), amounts_of(item)
        return self._made(frozen, ADDED, place, line_key, NOT_STATED, now, item.reason, self._why())

    def taken(self, frozen: Frozen, place: Place, line_key: str, was: Amounts) -> Delta:
        """The delta of a line that a correction took away, at what it stood at."""
        now = Amounts(TAKEN, ZERO, ZERO, was.reference, was.treatment_id, ZERO)
        reason = "A correction of the month states this line no more."
        return self._made(frozen, TAKEN_AWAY, place, line_key, was, now, reason, self._why())

    def _why(self) -> tuple[str, dt.datetime, None]:
        assert self.head.newest is not None
        return CORRECTED, self.head.newest.accepted_at, None

    def _made(
        self,
        frozen: Frozen,
        kind: str,
        place: Place,
        line_key: str,
        was: Amounts,
        now: Amounts,
        reason: str,
        cause: tuple[str | None, dt.datetime | None, int | None],
    ) -> Delta:
        with localcontext(prec=EXACT_DIGITS):
            return Delta(
                id=self.work.new_id(),
                organisation=frozen.organisation,
                frozen_id=frozen.id,
                standing_id=self.standing.id,
                row=place[1],
                line_key=line_key,
                outcome_was=was.outcome,
                outcome=now.outcome,
                accepted_was=was.accepted,
                accepted=now.accepted,
                accepted_more=now.accepted - was.accepted,
                queried_was=was.queried,
                queried=now.queried,
                queried_more=now.queried - was.queried,
                reason=reason,
                treatment_id=now.treatment_id or was.treatment_id,
                reference=now.reference or was.reference,
                cause=cause[0],
                cause_at=cause[1],
                cause_event=cause[2],
                made_at=self.work.moment.instant,
                of_submission=place[0],
                kind=kind,
                not_testable_was=was.not_testable,
                not_testable=now.not_testable,
                not_testable_more=more(was.not_testable, now.not_testable),
            )

    def _tell(self, frozen: Frozen, found: Sequence[Delta]) -> None:
        key = self.head.key
        with localcontext(prec=EXACT_DIGITS):
            accepted: Decimal = sum((each.accepted_more for each in found), ZERO)
        untested = sum_known(each.not_testable_more for each in found)
        event = Event(
            action="frozen month changed by deltas",
            object_type="frozen month",
            object_id=frozen.id,
            after={
                "month": f"{key.financial_year} M{key.financial_month:02d}",
                "run": self.standing.run_id,
                "lines": len(found),
                "accepted more": f"{accepted:f}",
                "not testable more": None if untested is None else f"{untested:f}",
            },
        )
        record(self.work, self.caller.actor(), event)


# --- a month without corrections ------------------------------------------------------------------


def changed_month(
    adding: Adding, before: RunRecord, matched: Sequence[MatchedLine], placed: Placed
) -> None:
    """The deltas of a month whose statement's lines are in memory, matched anew.

    The frozen result is what the run `before` said, where the month has none yet.
    """
    lines = placed.slices[adding.head.key]
    rows = {line.row for line in lines}
    now = [item for item in matched if item.line.row in rows]
    frozen, told = _frozen(adding, before, lines)
    was = standing_amounts(told, standing_store.deltas_of(adding.work, frozen))
    key_of = dict(zip((line.row for line in lines), keys_of(lines), strict=True))
    made = [
        adding.delta(frozen, each, key_of[each.item.line.row]) for each in changes(was, now, ())
    ]
    untested = sum_known(each.not_testable for each in told.values())
    check_tie(frozen, untested, adding.keep(frozen, made), was, now, ())


def _frozen(
    adding: Adding, before: RunRecord, lines: Sequence[ContractLine]
) -> tuple[Frozen, Mapping[int, Amounts]]:
    """The frozen result and each of its lines; that of the run before, if it is new."""
    frozen = adding.frozen()
    run = (
        before
        if frozen is None
        else store.find_run(adding.work, adding.organisation, frozen.run_id)
    )
    every = _outcomes(adding.stored, run, lines)
    told = {row: amounts_of(item) for row, item in every.items()}
    if frozen is None:
        frozen = adding.freeze_at(run, len(told), *_sums(told.values()))
    return frozen, told


def _sums(found: Iterable[Amounts]) -> tuple[Decimal, Decimal]:
    every = tuple(found)
    with localcontext(prec=EXACT_DIGITS):
        return sum((x.accepted for x in every), ZERO), sum((x.queried for x in every), ZERO)


def _outcomes(
    stored: Stored, run: RunRecord, lines: Sequence[ContractLine]
) -> Mapping[int, MatchedLine]:
    """What a run said of some lines of its submission, by row."""
    path = _path(stored, run)
    return {item.line.row: item for item in outcomes_among(path, lines)}


def _path(stored: Stored, run: RunRecord) -> Path:
    return stored.files.path_of(run.organisation, OUTCOMES, run.outcomes_file)


# --- a month of a file that is not in memory ------------------------------------------------------


def large_month(
    adding: Adding,
    before: RunRecord,
    run: RunRecord,
    slices: Sequence[SliceOutcome],
    differing: Differing,
) -> None:
    """The same where only lines that changed are read. The sums of the whole are the runs' own."""
    key, work, own = adding.head.key, adding.work, adding.organisation
    frozen = adding.frozen()
    first = before if frozen is None else store.find_run(work, own, frozen.run_id)
    if frozen is None:
        said = slice_store.outcomes_of_run(work, own, first.id).get(key)
        if said is None:
            raise TooManyLines(
                first.lines,
                "to have the closed months of a run without sums by month changed line by line",
                "Send each closed month as a file of its own, which corrects it",
            )
        frozen = adding.freeze_at(first, said.lines, said.accepted, said.queried)
    earlier = standing_store.deltas_of(work, frozen)
    paths = (_path(adding.stored, first), _path(adding.stored, run))
    found = differing(*paths, key, {each.row for each in earlier})
    was = standing_amounts({item.line.row: told for told, item, _ in found.lines}, earlier)
    key_of = {item.line.row: line_key for _, item, line_key in found.lines}
    made = [
        adding.delta(frozen, each, key_of[each.item.line.row])
        for each in changes(was, [item for _, item, _ in found.lines], ())
    ]
    kept = adding.keep(frozen, made)
    (now,) = [each for each in slices if each.key == key]
    _check_sums(frozen, kept, (now.accepted, now.queried), now.total)
    check_untested(found.was, kept, found.now)


def _check_sums(
    frozen: Frozen, kept: Sequence[Delta], stand: tuple[Decimal, Decimal], total: Decimal
) -> None:
    """Raise TotalsDoNotTie unless frozen and deltas, as the database has them, are these sums."""
    with localcontext(prec=EXACT_DIGITS):
        accepted = frozen.accepted + sum((d.accepted_more for d in kept), ZERO)
        queried = frozen.queried + sum((d.queried_more for d in kept), ZERO)
        if (accepted, queried) != stand:
            raise TotalsDoNotTie("A frozen month with its deltas", stand, (accepted, queried))
        if accepted + queried != total:
            raise TotalsDoNotTie("A frozen month's total", total, accepted + queried)


# --- a month that was corrected -------------------------------------------------------------------


@dataclass(slots=True)
class _Standing:
    """A line of a corrected month that counts: what it states, and how it stands."""

    line: ContractLine
    was: Amounts


def corrected_month(adding: Adding, before: RunRecord) -> None:
    """The deltas of a month that was corrected, of every line whose submission has a run.

    `before` is the run that is frozen where the submission of the standing is the statement's own
    and the month has no frozen result yet.
    """
    held = _Corrected.of(adding)
    statement = held.lines("")
    run = held.run_of("")
    if statement and run is None:
        return  # nothing of the month counts before its statement has been reconciled
    assert adding.head.current is not None
    own = adding.standing.submission_id == adding.head.current.submission_id
    frozen, told = _frozen(adding, before if own or run is None else run, statement)
    standing = held.standing(told, standing_store.deltas_of(adding.work, frozen))
    made, stand, total = held.settle(frozen, standing)
    kept = adding.keep(frozen, made)
    _check_sums(frozen, kept, _sums(stand), total)
    untested = sum_known(each.not_testable for each in told.values())
    check_untested(untested, kept, sum_known(each.not_testable for each in stand))


@dataclass(frozen=True, slots=True)
class _Corrected:
    """The lines and outcomes of a corrected month, each read once."""

    adding: Adding
    read: dict[str, Sequence[ContractLine]]
    rows: dict[str, Mapping[int, tuple[ContractLine, str]]]
    runs: dict[str, Mapping[int, MatchedLine] | None]

    @classmethod
    def of(cls, adding: Adding) -> "_Corrected":
        """A corrected month of which nothing has been read yet."""
        return cls(adding, {}, {}, {})

    def _id(self, of: str) -> str:
        assert self.adding.head.current is not None
        return of or self.adding.head.current.submission_id

    def lines(self, of: str) -> Sequence[ContractLine]:
        """What a submission states for the month; of the statement where none is named."""
        now = self.adding.head.current
        assert now is not None
        if not of and now.lines == 0:
            return ()
        if of not in self.read:
            work, own = self.adding.work, self.adding.organisation
            record_ = store.find_submission(work, own, self._id(of))
            self.read[of] = self.adding.stored.lines_in(work, record_, self.adding.head.key)
        return self.read[of]

    def keyed(self, of: str) -> Mapping[int, tuple[ContractLine, str]]:
        """The same by row, each with its key."""
        if of not in self.rows:
            lines = self.lines(of)
            both = zip(lines, keys_of(lines), strict=True)
            self.rows[of] = {line.row: (line, key) for line, key in both}
        return self.rows[of]

    def run_of(self, of: str) -> RunRecord | None:
        """The run that stands for a submission, this one among them."""
        id_ = self._id(of)
        work, own = self.adding.work, self.adding.organisation
        return store.standing_runs(work, own, [id_]).get(id_)

    def outcomes(self, of: str) -> Mapping[int, MatchedLine] | None:
        """What that run says, by row; None where there is no run yet."""
        if of not in self.runs:
            run = self.run_of(of)
            self.runs[of] = (
                None if run is None else _outcomes(self.adding.stored, run, self.lines(of))
            )
        return self.runs[of]

    def standing(
        self, told: Mapping[int, Amounts], deltas: Iterable[Delta]
    ) -> dict[Place, _Standing]:
        """Every line that counts as it stands, after all deltas in the order they were made."""
        found = {("", row): _Standing(self.keyed("")[row][0], was) for row, was in told.items()}
        for delta in deltas:
            place = (delta.of_submission, delta.row)
            if delta.kind == TAKEN_AWAY:
                del found[place]
                continue
            stands = Amounts(
                delta.outcome,
                delta.accepted,
                delta.queried,
                delta.reference,
                delta.treatment_id,
                delta.not_testable,
            )
            if delta.kind == ADDED:
                line, _ = self.keyed(delta.of_submission)[delta.row]
                found[place] = _Standing(line, stands)
            else:
                found[place].was = stands
        return found

    def settle(
        self, frozen: Frozen, standing: Mapping[Place, _Standing]
    ) -> tuple[list[Delta], list[Amounts], Decimal]:
        """The deltas that are lacking; what each line then stands at; and their total."""
        newest = self.adding.head.newest
        assert newest is not None
        states = self.lines(newest.submission_id) if newest.lines else ()
        place_of = {id(each.line): place for place, each in standing.items()}
        gone, new = unequal([each.line for each in standing.values()], states)
        taken = {place_of[id(line)] for line in gone}
        made: list[Delta] = []
        stand: list[Amounts] = []
        counted: list[ContractLine] = []
        for place, each in standing.items():
            if place in taken:
                made.append(self.adding.taken(frozen, place, self._key(place), each.was))
                continue
            item = (self.outcomes(place[0]) or {})[place[1]]
            stand.append(amounts_of(item))
            counted.append(each.line)
            if differs(each.was, stand[-1]):
                change = Change(item, each.was)
                made.append(self.adding.delta(frozen, change, self._key(place), place[0]))
        outcomes = self.outcomes(newest.submission_id) if new else None
        for line in new if outcomes is not None else ():
            place = (newest.submission_id, line.row)
            assert outcomes is not None
            made.append(self.adding.added(frozen, outcomes[line.row], self._key(place), place[0]))
            stand.append(amounts_of(outcomes[line.row]))
            counted.append(line)
        return made, stand, total_of(counted)

    def _key(self, place: Place) -> str:
        return self.keyed(place[0])[place[1]][1]
