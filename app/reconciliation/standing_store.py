"""The SQL of standing runs, of what makes slices out of date, and of deltas of frozen months."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, delete, insert, select, update

from app.db import tables
from app.db.statements import Statement
from app.db.work import Work
from app.reconciliation.slice_store import SliceOutcome, outcome_of
from app.reconciliation.slices import ZERO, SliceKey
from app.reconciliation.touches import ANY

CHANGED, ADDED, TAKEN_AWAY = "changed", "added", "taken away"
_AT_ONCE: Final = 500
_INSERT_TOUCH: Final = Statement(insert(tables.slice_touch), by_json=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """That a run stands for its submission from an instant on, matched in the scope of a role."""

    id: str
    organisation: str
    submission_id: str
    number: int
    run_id: str
    role: str
    position: str
    looked_at: dt.datetime
    stood_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """A change that made a slice out of date: of a treatment, or of the decision on a line."""

    id: str
    organisation: str
    version_id: str
    submission_id: str
    event_id: int | None
    action: str
    changed_at: dt.datetime
    treatment_id: str | None
    line_key: str | None
    marked_at: dt.datetime
    job_id: str | None = None
    settled_at: dt.datetime | None = None
    tries: int = 0
    given_up_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a slice's run said when its month was closed, in pounds."""

    id: str
    organisation: str
    version_id: str
    freeze: dt.date
    run_id: str
    lines: int
    total: Decimal
    accepted: Decimal
    queried: Decimal
    made_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Delta:
    """One line of a frozen slice that a later run accepts otherwise. Pounds, signed differences.

    `of_submission` is empty for a line of the statement; else the correction's that added it.
    `kind` is changed, added or taken away. `not_testable` is what was accepted of the line though a
    test could not be made; None, not known, in deltas of before that was kept.
    """

    id: str
    organisation: str
    frozen_id: str
    standing_id: str
    row: int
    line_key: str
    outcome_was: str
    outcome: str
    accepted_was: Decimal
    accepted: Decimal
    accepted_more: Decimal
    queried_was: Decimal
    queried: Decimal
    queried_more: Decimal
    reason: str
    treatment_id: str | None
    reference: str | None
    cause: str | None
    cause_at: dt.datetime | None
    cause_event: int | None
    made_at: dt.datetime
    of_submission: str = ""
    kind: str = CHANGED
    not_testable_was: Decimal | None = None
    not_testable: Decimal | None = None
    not_testable_more: Decimal | None = None


# --- runs that stand ------------------------------------------------------------------------------


def last_standing(work: Work, organisation: str, submission_id: str) -> Standing | None:
    """Which run of a submission stands; None where none was saved since standings are kept."""
    return _newest(work, organisation, tables.run_standing.c.submission_id == submission_id)


def standing_of_run(work: Work, organisation: str, run_id: str) -> Standing | None:
    """Since when a run stands; None where another one does, or none was saved."""
    found = _newest(work, organisation, tables.run_standing.c.run_id == run_id)
    if found is None:
        return None
    return found if last_standing(work, organisation, found.submission_id) == found else None


def _newest(work: Work, organisation: str, which: ColumnElement[bool]) -> Standing | None:
    column = tables.run_standing.c
    query = (
        select(tables.run_standing)
        .where(column.organisation == organisation, which)
        .order_by(column.number.desc())
        .limit(1)
    )
    row = work.connection.execute(query).mappings().one_or_none()
    return None if row is None else Standing(**row)


def add_standing(work: Work, standing: Standing) -> None:
    """Let a run stand."""
    work.connection.execute(insert(tables.run_standing).values(**asdict(standing)))


def runs_by_standing(work: Work, organisation: str) -> Mapping[str, str]:
    """Standing → its run."""
    column = tables.run_standing.c
    query = select(column.id, column.run_id).where(column.organisation == organisation)
    return {id_: run for id_, run in work.connection.execute(query)}


# --- by what changes find slices ------------------------------------------------------------------


def replace_touches(
    work: Work, organisation: str, keys: Mapping[str, Collection[str]], gone: Collection[str]
) -> None:
    """Keep the keys of these versions of slices, by version; those of `gone` versions go."""
    column = tables.slice_touch.c
    for chunk in _chunks({*keys, *gone}):
        work.connection.execute(
            delete(tables.slice_touch).where(
                column.organisation == organisation, column.version_id.in_(chunk)
            )
        )
    rows = [
        {"key": key, "version_id": version, "organisation": organisation}
        for version, of_version in keys.items()
        for key in sorted(of_version)
    ]
    for at in range(0, len(rows), 10 * _AT_ONCE):
        work.write(_INSERT_TOUCH, *rows[at : at + 10 * _AT_ONCE])


def versions_touched(work: Work, keys: Collection[str]) -> tuple[tuple[str, str, str, str], ...]:
    """Key, version, submission and organisation of current slices with one of the keys, or any.

    A version is what is current of its slice, or a correction of that.
    """
    touch, head, version = tables.slice_touch, tables.slice_head, tables.slice_version
    found: list[tuple[str, str, str, str]] = []
    for chunk in _chunks({*keys, ANY}):
        rows = work.connection.execute(
            select(touch.c.key, version.c.id, version.c.submission_id, version.c.organisation)
            .join_from(touch, version, version.c.id == touch.c.version_id)
            .join(head, head.c.id == version.c.slice_id)
            .where(touch.c.key.in_(chunk), _counts())
        )
        found += [(key, id_, submission, own) for key, id_, submission, own in rows]
    return tuple(found)


def later_beside(
    work: Work, organisation: str, submission_id: str, versions: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """Version and submission of current slices that may have counted what these versions state.

    They are the organisation's own, of other submissions that were accepted later, and share a key
    with a version: they may name the same patient. Versions whose keys went before find none.
    """
    touch, version, submission = tables.slice_touch.c, tables.slice_version, tables.submission
    keys: set[str] = set()
    numbers: list[int] = []
    for chunk in _chunks(versions):
        rows = work.connection.execute(
            select(touch.key, submission.c.number)
            .join_from(tables.slice_touch, version, version.c.id == touch.version_id)
            .join(submission, submission.c.id == version.c.submission_id)
            .where(touch.organisation == organisation, touch.version_id.in_(chunk))
        )
        for key, number in rows:
            keys.add(key)
            numbers.append(number)
    if not keys:
        return ()
    beside = (
        set(current_versions(work, organisation))
        if ANY in keys
        else {(id_, of) for _, id_, of, own in versions_touched(work, keys) if own == organisation}
    )
    later: set[str] = set()
    for chunk in _chunks(of for _, of in beside if of != submission_id):
        query = select(submission.c.id).where(
            submission.c.id.in_(chunk), submission.c.number > min(numbers)
        )
        later.update(id_ for (id_,) in work.connection.execute(query))
    return tuple(sorted((id_, of) for id_, of in beside if of in later))


def _counts() -> ColumnElement[bool]:
    """Whether a version is what is current of its slice, or a correction of that."""
    version = tables.slice_version.c
    return tables.slice_head.c.current_version.in_((version.id, version.cites))


def current_versions(
    work: Work, organisation: str, submission_id: str | None = None
) -> tuple[tuple[str, str], ...]:
    """Version and submission of the organisation's current slices that a run stands for.

    Corrections of closed months are among them, and none whose lines are no longer kept.
    """
    head, version, standing = tables.slice_head, tables.slice_version, tables.run_standing
    own = tables.submission
    stood = select(standing.c.id).where(standing.c.submission_id == version.c.submission_id)
    query = (
        select(version.c.id, version.c.submission_id)
        .join_from(version, head, head.c.id == version.c.slice_id)
        .join(own, own.c.id == version.c.submission_id)
        .where(
            version.c.organisation == organisation,
            version.c.lines > 0,
            own.c.ended_at.is_(None),
            _counts(),
            stood.exists(),
        )
    )
    if submission_id is not None:
        query = query.where(version.c.submission_id == submission_id)
    return tuple((id_, submission) for id_, submission in work.connection.execute(query))


# --- slices out of date ---------------------------------------------------------------------------


def add_marks(work: Work, marks: Iterable[Mark]) -> int:
    """Mark slices; a mark that is there already stays as it is. Returns how many are new."""
    new = 0
    for mark in marks:
        column = tables.slice_mark.c
        same = select(column.id).where(
            column.version_id == mark.version_id,
            column.event_id == mark.event_id,
            column.treatment_id == mark.treatment_id,
        )
        if mark.event_id is None or work.connection.execute(same).first() is None:
            work.connection.execute(insert(tables.slice_mark).values(**asdict(mark)))
            new += 1
    return new


def open_marks(work: Work, organisation: str, submission_id: str) -> tuple[Mark, ...]:
    """What made slices of a submission out of date and no run has settled, oldest first."""
    column = tables.slice_mark.c
    rows = work.connection.execute(
        select(tables.slice_mark)
        .where(
            column.organisation == organisation,
            column.submission_id == submission_id,
            column.settled_at.is_(None),
        )
        .order_by(column.changed_at, column.event_id, column.id)
    ).mappings()
    return tuple(Mark(**row) for row in rows)


def settle(work: Work, marks: Sequence[Mark]) -> None:
    """Close marks: a run has seen what they tell of."""
    column = tables.slice_mark.c
    for chunk in _chunks(mark.id for mark in marks):
        work.connection.execute(
            update(tables.slice_mark)
            .where(column.id.in_(chunk), column.settled_at.is_(None))
            .values(settled_at=work.moment.instant)
        )


def cursors(work: Work) -> dict[str, str]:
    """From where on the log is to be read, by who asks for it; held until the end."""
    table = tables.change_cursor
    rows = work.connection.execute(select(table).order_by(table.c.name).with_for_update())
    return {name: position for name, position in rows}


def add_cursor(work: Work, name: str, position: str) -> None:
    """Have the log read from a position on."""
    work.connection.execute(insert(tables.change_cursor).values(name=name, position=position))


def replace_cursors(work: Work, was: Collection[str], name: str, position: str) -> None:
    """Keep how far the log was read, in place of these."""
    column = tables.change_cursor.c
    for chunk in _chunks(was):
        work.connection.execute(delete(tables.change_cursor).where(column.name.in_(chunk)))
    add_cursor(work, name, position)


# --- frozen months --------------------------------------------------------------------------------


def frozen_of(work: Work, organisation: str, version_id: str, freeze: dt.date) -> Frozen | None:
    """The frozen result of a version of a slice; None until a run would change it."""
    column = tables.slice_frozen.c
    row = (
        work.connection.execute(
            select(tables.slice_frozen).where(
                column.organisation == organisation,
                column.version_id == version_id,
                column.freeze == freeze,
            )
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else Frozen(**row)


def add_frozen(work: Work, frozen: Frozen) -> None:
    """Keep a frozen result."""
    work.connection.execute(insert(tables.slice_frozen).values(**asdict(frozen)))


def add_deltas(work: Work, deltas: Sequence[Delta]) -> None:
    """Keep deltas; none is ever changed."""
    if deltas:
        work.connection.execute(insert(tables.slice_delta), [asdict(each) for each in deltas])


def deltas_of(work: Work, frozen: Frozen) -> tuple[Delta, ...]:
    """The deltas of a frozen result, in the order in which they were made."""
    delta, standing = tables.slice_delta, tables.run_standing
    rows = work.connection.execute(
        select(delta)
        .join_from(delta, standing, standing.c.id == delta.c.standing_id)
        .where(delta.c.organisation == frozen.organisation, delta.c.frozen_id == frozen.id)
        .order_by(*_as_made(), delta.c.row)
    ).mappings()
    return tuple(Delta(**row) for row in rows)


def _as_made() -> tuple[ColumnElement[Any], ...]:
    """Deltas of a line in the order in which they were made: added first, taken away last."""
    delta, standing = tables.slice_delta.c, tables.run_standing.c
    place = case((delta.kind == ADDED, 0), (delta.kind == TAKEN_AWAY, 2), else_=1)
    return delta.made_at, standing.stood_at, standing.number, place


def frozen_with_deltas(
    work: Work, organisation: str
) -> Mapping[tuple[str, dt.date], tuple[Frozen, SliceOutcome | None, Sequence[Delta]]]:
    """By version and freeze: the frozen result, all that its run said of the slice, its deltas."""
    frozen, delta = tables.slice_frozen, tables.slice_delta
    of_frozen: dict[str, list[Delta]] = {}
    for row in work.connection.execute(
        select(delta, tables.run_standing.c.number)
        .join_from(delta, tables.run_standing)
        .where(delta.c.organisation == organisation)
        .order_by(*_as_made(), delta.c.row)
    ).mappings():
        made = Delta(**{name: row[name] for name in Delta.__slots__})
        of_frozen.setdefault(made.frozen_id, []).append(made)
    rows = work.connection.execute(
        select(frozen).where(frozen.c.organisation == organisation)
    ).mappings()
    found = [Frozen(**row) for row in rows]
    outcomes = _outcomes_of(work, organisation, {each.version_id for each in found})
    return {
        (each.version_id, each.freeze): (
            each,
            outcomes.get((each.version_id, each.run_id)),
            of_frozen.get(each.id, ()),
        )
        for each in found
    }


def untested_as_frozen(
    frozen: Frozen, said: SliceOutcome | None
) -> tuple[Decimal | None, Mapping[str, str] | None]:
    """What a frozen result accepted untested, and the same by test; None where it is not known.

    `said` is what its run said of the slice. Where nothing was stated before the freeze the run is
    a correction's, and what it says of the month is in the deltas.
    """
    if not frozen.lines:
        return ZERO, {}
    return (None, None) if said is None else (said.not_testable, said.untested)


def _outcomes_of(
    work: Work, organisation: str, versions: Collection[str]
) -> dict[tuple[str, str], SliceOutcome]:
    """Version and run → what the run said of the version's slice."""
    head, version, outcome = tables.slice_head, tables.slice_version, tables.slice_outcome
    same = and_(*(outcome.c[n] == head.c[n] for n in ("organisation", *SliceKey._fields)))
    found: dict[tuple[str, str], SliceOutcome] = {}
    for chunk in _chunks(versions):
        rows = work.connection.execute(
            select(version.c.id.label("version"), outcome)
            .join_from(version, head, head.c.id == version.c.slice_id)
            .join(outcome, same)
            .where(version.c.organisation == organisation, version.c.id.in_(chunk))
        ).mappings()
        for row in rows:
            found[row["version"], row["run_id"]] = outcome_of(row)
    return found


def _chunks(ids: Iterable[str]) -> Iterable[list[str]]:
    whole = sorted(set(ids))
    for at in range(0, len(whole), _AT_ONCE):
        yield whole[at : at + _AT_ONCE]
