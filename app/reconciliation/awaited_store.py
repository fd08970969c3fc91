"""What the worker keeps of the lists of supplies: how far it is, and the starts that are awaited.

Which treatments were to begin and have not is worked out of four tables, for the largest payer of
hundreds of thousands. The worker keeps what of it depends on no day, a row for each treatment and
organisation, with the position of the change feed that the rows stand at. Whoever reads leaves out
the treatments of which an event came after that position, and works those out the plain way
(`waiting_store`), so the answer is that of this moment, however old the rows are.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    TextClause,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.approvals.permissions import PAYER_ROLES
from app.audit import READING, feed_position, parse_cursor
from app.auth.model import Caller, Role
from app.db import tables
from app.db.work import Work
from app.reconciliation import charged, large_supplies, listed_store
from app.reconciliation.approved_rows import same_persons
from app.reconciliation.errors import EngineRanOut, StoredFileDamaged, TooManyLines
from app.reconciliation.large_supplies import Keeping
from app.reconciliation.scope import ALL_ORGANISATIONS, Scope, scope_of
from app.reconciliation.service import Desk
from app.reconciliation.snapshot_rows import read_pauses
from app.reconciliation.waiting_store import chunks, in_chunks, waiting, waiting_among
from app.reconciliation.worklists import Heard, Place, heard_from

#: With more events than this since the worker last looked, nothing kept is of use.
MOST_EVENTS: Final = 5_000
#: How many rows one statement adds; each has eight values, and SQLite takes 32,766 of them.
ADDED_TOGETHER: Final = 1_000
_ROW, _MARK = tables.start_awaited, tables.start_awaited_mark
#: The epoch of a mark of which nothing is kept yet.
_NOTHING: Final = 0
Position = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the rows of an organisation are: the feed's position, and of which runs.

    `runs` is None where the supplies are not kept, `heard` how far each provider's invoices go.
    """

    position: Position
    runs: str | None
    heard: Heard


def keepers(work: Work) -> tuple[Caller, ...]:
    """Every organisation that prescribes or pays, as the worker keeps rows for it."""
    found = [
        _keeper(organisation, role)
        for column, role in (("provider", Role.PHARMACIST), ("commissioner", Role.COMMISSIONER))
        for organisation in work.connection.execute(_each(column)).scalars()
    ]
    return tuple(sorted(found, key=lambda each: (each.organisation, each.role)))


def keep(work: Work, desk: Desk, caller: Caller) -> int:
    """Bring the rows of the caller's organisation up to now; how many treatments were looked at.

    For the worker, whose transaction sees every organisation. Two workers take turns.
    """
    stood = _turn(work, caller)
    # Before anything else is read: whatever comes later counts as changed since.
    position = parse_cursor(feed_position(work))
    changed = touched_since(work, stood.position) if stood.position[0] != _NOTHING else None
    scope = scope_of(caller)
    told, resupplied = _keep_supplies(work, desk, caller, stood)
    if changed is None:
        anew = listed_store.every_supplied(work, caller) | resupplied
    else:
        anew = listed_store.supplied_among(work, caller, changed) | resupplied
        anew |= _persons_changed(work, caller, changed)
    listed_store.keep_entries(work, caller, scope, anew, told.heard)
    starts = None if changed is None else changed | resupplied
    looked = _keep_starts(work, caller, scope, starts)
    epoch, xid, event = position
    mark = update(_MARK).where(_own(caller, _MARK))
    values = {"epoch": epoch, "xid": xid, "event": event, "runs": told.runs}
    heard = {provider: day.isoformat() for provider, day in told.heard.items()}
    work.connection.execute(mark.values(**values, heard=heard))
    return looked


def _keep_supplies(
    work: Work, desk: Desk, caller: Caller, stood: Mark
) -> tuple[Mark, frozenset[str]]:
    """Bring the supplies up to the newest runs; the treatments whose entries may be others now."""
    runs = charged.which_runs(work, caller.organisation)
    if runs == stood.runs:
        return stood, frozenset()
    try:
        found = charged.supplies(work, desk, caller, True)
    except TooManyLines:
        return _keep_large(work, desk, caller, stood, runs)
    except StoredFileDamaged:  # whoever reads the list is told so
        found, runs = (), ""
    changed = listed_store.keep_supplies(work, caller, found)
    return _kept(work, caller, stood, runs, Keeping(changed, heard_from(found)))


def _keep_large(
    work: Work, desk: Desk, caller: Caller, stood: Mark, runs: str
) -> tuple[Mark, frozenset[str]]:
    """The same where a run is not held in memory."""
    try:
        made = large_supplies.keep_supplies(work, desk, caller)
    except (TooManyLines, StoredFileDamaged, EngineRanOut):
        runs, made = "", Keeping(listed_store.keep_supplies(work, caller, ()), {})
    return _kept(work, caller, stood, runs, made)


def _kept(
    work: Work, caller: Caller, stood: Mark, runs: str, made: Keeping
) -> tuple[Mark, frozenset[str]]:
    heard = made.heard
    providers = {p for p in {*heard, *stood.heard} if heard.get(p) != stood.heard.get(p)}
    further = listed_store.supplied_by_any(work, caller, providers)
    return replace(stood, runs=runs or None, heard=heard), made.changed | further


def _persons_changed(work: Work, caller: Caller, changed: Collection[str]) -> frozenset[str]:
    """The supplied treatments of the persons whose other treatments changed."""
    return listed_store.supplied_among(work, caller, same_persons(work, changed))


def _keep_starts(work: Work, caller: Caller, scope: Scope, changed: Collection[str] | None) -> int:
    """Make the starts of these treatments anew, or all of them; how many were looked at."""
    own = _own(caller)
    if changed is None:
        work.connection.execute(delete(_ROW).where(own))
        found = waiting(work, caller, scope)
    else:
        for ids in chunks(sorted(changed)):
            work.connection.execute(delete(_ROW).where(own, _ROW.c.treatment_id.in_(ids)))
        found = waiting_among(work, scope, sorted(changed))
    looked = 0
    for some in found:
        looked += len(some)
        _add(work, caller, scope, some)
    return looked


def mark_of(work: Work, caller: Caller) -> Mark | None:
    """How far the rows of the caller's organisation are; None where none are kept."""
    if caller.organisation == ALL_ORGANISATIONS:
        return None
    c = _MARK.c
    row = work.connection.execute(
        select(_MARK).where(_own(caller, _MARK), c.epoch != _NOTHING)
    ).one_or_none()
    return None if row is None else _mark(row)


def _mark(row: Row[Any]) -> Mark:
    heard = {provider: dt.date.fromisoformat(day) for provider, day in (row.heard or {}).items()}
    return Mark((row.epoch, row.xid, row.event), row.runs, heard)


def touched_since(work: Work, position: Position) -> frozenset[str] | None:
    """The treatments of which an event came after a position; None for more than can be looked at.

    Every organisation's: it is told to nobody.
    """
    e = tables.audit_event.c
    newest = (
        select(e.treatment_id, e.object_type, e.object_id)
        .where(tuple_(e.epoch, e.xid, e.id) > tuple_(*position))
        .order_by(e.epoch, e.xid, e.id)
        .limit(MOST_EVENTS + 1)
    )
    with work.beyond_scope():
        rows = work.connection.execute(newest).all()
        if len(rows) > MOST_EVENTS:
            return None
        people = {id_ for _, kind, id_ in rows if kind == "patient"}
        theirs = _treatments_of(work, people)
    named = (id_ for id_, kind, _ in rows if id_ is not None and kind != READING)
    return frozenset({*named, *theirs})


def _treatments_of(work: Work, patients: Collection[str]) -> set[str]:
    """The treatments of these records."""
    t = tables.treatment.c
    return {
        id_
        for chunk in chunks(sorted(patients))
        for id_ in work.connection.execute(select(t.id).where(t.patient_id.in_(chunk))).scalars()
    }


def overdue_row(caller: Caller, today: dt.date) -> ColumnElement[bool]:
    """Condition on `start_awaited`: the caller's, to begin before today, and covering today."""
    c = _ROW.c
    return and_(_own(caller), c.start_by < today, or_(c.covers_to.is_(None), c.covers_to >= today))


def paused_rows(work: Work, late: ColumnElement[bool]) -> frozenset[str]:
    """Of these rows the treatments that have a pause, on whatever day."""
    found = select(_ROW.c.treatment_id).where(late, _ROW.c.paused)
    return frozenset(work.connection.execute(found).scalars())


def by_day(work: Work, late: ColumnElement[bool]) -> dict[dt.date, int]:
    """How many of these rows there are for each day by which treatment was to begin."""
    day = _ROW.c.start_by
    query = select(day, func.count()).where(late, ~_ROW.c.paused).group_by(day)
    return {start_by: count for start_by, count in work.connection.execute(query)}


def days_of(work: Work, late: ColumnElement[bool], ids: Iterable[str]) -> dict[str, dt.date]:
    """Those of these treatments that are among the rows, with their days."""
    c = _ROW.c
    return {
        id_: day
        for some in chunks(sorted(ids))
        for id_, day in work.connection.execute(
            select(c.treatment_id, c.start_by).where(late, ~c.paused, c.treatment_id.in_(some))
        )
    }


def first_of(
    work: Work, late: ColumnElement[bool], limit: int | None, after: Place | None
) -> list[str]:
    """The treatments of these rows after a place, by day, then by id."""
    c = _ROW.c
    query = select(c.treatment_id).where(late, ~c.paused).order_by(c.start_by, c.treatment_id)
    if after is not None:
        query = query.where(tuple_(c.start_by, c.treatment_id) > tuple_(*after[:2]))
    return list(work.connection.execute(query.limit(limit)).scalars())


def _own(caller: Caller, table: Any = _ROW) -> ColumnElement[bool]:
    return listed_store.own_rows(caller, table)


def _turn(work: Work, caller: Caller) -> Mark:
    """Lock the organisation's mark, which is made where there is none."""
    dialect = postgresql if work.on_postgres else sqlite
    values = {"organisation": caller.organisation, "pays": caller.role in PAYER_ROLES}
    work.connection.execute(
        dialect.insert(_MARK)
        .values(**values, epoch=_NOTHING, xid=0, event=0)
        .on_conflict_do_nothing()
    )
    query = select(_MARK).where(_own(caller, _MARK)).with_for_update()
    return _mark(work.connection.execute(query).one())


def _add(work: Work, caller: Caller, scope: Scope, found: Sequence[Any]) -> None:
    """Keep a row for each of these that says by when it was to begin."""
    told = [row for row in found if row.start_by is not None]
    ids = [row.treatment_id for row in told]
    paused = set(_paused(work, scope, ids))
    supplied = listed_store.supplied_among(work, caller, ids)
    rows = [
        {
            "organisation": caller.organisation,
            "pays": caller.role in PAYER_ROLES,
            "treatment_id": row.treatment_id,
            "provider": row.holder,
            "start_by": row.start_by,
            "covers_to": row.covers_to,
            "paused": row.treatment_id in paused,
            "supplied": row.treatment_id in supplied,
        }
        for row in told
    ]
    for first in range(0, len(rows), ADDED_TOGETHER):
        # One statement of many rows: a statement for each row took most of the time.
        some = rows[first : first + ADDED_TOGETHER]
        work.connection.execute(insert(_ROW).values(some))


def _paused(work: Work, scope: Scope, ids: Sequence[str]) -> Iterator[str]:
    for part in in_chunks(scope, ids):
        yield from read_pauses(work, part)


def _each(column: str) -> TextClause:
    """Each organisation of a column once, by a step along its index for each, not for each row."""
    return text(
        f"WITH RECURSIVE found(code) AS (SELECT min({column}) FROM treatment UNION ALL "
        f"SELECT (SELECT min({column}) FROM treatment WHERE {column} > found.code) FROM found "
        "WHERE found.code IS NOT NULL) SELECT code FROM found WHERE code IS NOT NULL"
    )


def _keeper(organisation: str, role: Role) -> Caller:
    return Caller("awaited", "The worker", "system", organisation, role, "worker", "awaited")
