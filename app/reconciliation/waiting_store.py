"""Which treatments of a scope were approved and have not begun: found by index, and read lightly.

Most treatments have begun. Those that have not are kept in an index of their own by organisation;
the few that the caller sees for another reason than holding or paying for them now are found
through what led to it.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, false, or_, select, true

from app.approvals.scope import Way, ways_to_see
from app.approvals.standing import STANDING
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.scope import ALL_ORGANISATIONS, Scope
from app.reconciliation.snapshot_rows import read_pauses

#: How many treatments one query names by id.
CHUNK: Final = 500
#: How many are handed on at a time, of all that are read.
READ_TOGETHER: Final = 5_000
#: Condition on `treatment`, as that of the indexes ix_treatment_provider_waiting and the like.
NOT_BEGUN: Final = and_(
    tables.treatment.c.first_dose.is_(None),
    tables.treatment.c.not_started_on.is_(None),
    tables.treatment.c.stopped_on.is_(None),
)
Pause = tuple[dt.date, dt.date | None]


def overdue(work: Work, caller: Caller, scope: Scope, today: dt.date) -> list[str]:
    """The treatments that were to begin before today and have not, by that day, then by id.

    Their newest live approval covers today, and no pause does. A supply may still have been
    invoiced: that is not asked here.
    """
    return _late(work, scope, waiting(work, caller, scope), today)


def overdue_among(work: Work, scope: Scope, ids: Iterable[str], today: dt.date) -> list[str]:
    """The same of these treatments alone."""
    return _late(work, scope, waiting_among(work, scope, ids), today)


def waiting(work: Work, caller: Caller, scope: Scope) -> Iterator[Sequence[Row[Any]]]:
    """The newest live approval of each treatment in scope that has not begun, part by part."""
    for part in _parts(work, caller):
        query = holding_query(narrow(scope, NOT_BEGUN, part))
        rows = iter(_newest(work.connection.execute(query)))
        while some := list(islice(rows, READ_TOGETHER)):
            yield some


def waiting_among(work: Work, scope: Scope, ids: Iterable[str]) -> Iterator[Sequence[Row[Any]]]:
    """The same of these treatments alone."""
    for part in in_chunks(scope, ids):
        query = holding_query(narrow(part, NOT_BEGUN))
        yield list(_newest(work.connection.execute(query)))


def _late(
    work: Work, scope: Scope, newest: Iterable[Sequence[Row[Any]]], today: dt.date
) -> list[str]:
    found: list[tuple[dt.date, str]] = []
    for row in chain.from_iterable(newest):
        over = row.covers_to is not None and row.covers_to < today
        if row.start_by is not None and row.start_by < today and not over:
            found.append((row.start_by, row.treatment_id))
    paused = {
        treatment_id
        for some in in_chunks(scope, (treatment_id for _, treatment_id in found))
        for treatment_id, pauses in read_pauses(work, some).items()
        if holds_on(pauses, today)
    }
    return [treatment_id for _, treatment_id in sorted(found) if treatment_id not in paused]


def holds_on(pauses: Iterable[Pause], day: dt.date) -> bool:
    """Whether any of the pauses holds on the day."""
    return any(begins <= day and (ends is None or day <= ends) for begins, ends in pauses)


def narrow(scope: Scope, *conditions: ColumnElement[bool]) -> Scope:
    """The part of a scope whose treatments also fit these conditions."""
    return replace(scope, treatments=and_(*conditions, scope.treatments))


def in_chunks(scope: Scope, ids: Iterable[str]) -> Iterator[Scope]:
    """The parts of a scope that so many of these treatments make up."""
    for chunk in chunks(ids):
        yield narrow(scope, tables.treatment.c.id.in_(chunk))


def holding_query(scope: Scope) -> Select[Any]:
    """The live approvals in scope, without what they say of the treatment; `holder` has it now."""
    approval = tables.approval.c
    return (
        select(
            approval.treatment_id,
            approval.covers_from,
            approval.reference,
            approval.start_by,
            approval.covers_to,
            tables.treatment.c.drug,
            tables.treatment.c.provider.label("holder"),
        )
        .join(tables.treatment, tables.treatment.c.id == approval.treatment_id)
        .where(scope.treatments, scope.approvals, approval.state.in_(sorted(STANDING)))
    )


def moved_query(caller: Caller, way: Way) -> Select[Any]:
    """Treatments that have not begun, to which a way leads that is not their own organisation's."""
    column, reached = way
    own, treatment = _own(caller), tables.treatment.c.id
    led = select(column.label("id")).where(reached).distinct().subquery()
    return select(treatment).join(led, led.c.id == treatment).where(NOT_BEGUN, ~own)


def _parts(work: Work, caller: Caller) -> Iterator[ColumnElement[bool]]:
    """Conditions on `treatment` that together take in each one that has not begun, once."""
    if caller.organisation == ALL_ORGANISATIONS:
        yield true()
        return
    yield _own(caller)
    moved: set[str] = set()
    # Only which treatments these are: row-level security would ask a function about everybody's.
    with work.beyond_scope():
        for way in _led(caller):
            moved.update(id_ for (id_,) in work.connection.execute(moved_query(caller, way)))
    for chunk in chunks(sorted(moved)):
        yield tables.treatment.c.id.in_(chunk)


def _own(caller: Caller) -> ColumnElement[bool]:
    """Condition on `treatment`: the caller's organisation holds or pays for it now."""
    ways = ways_to_see(caller)
    return or_(false(), *(here for column, here in ways if column is tables.treatment.c.id))


def _led(caller: Caller) -> Sequence[Way]:
    """The other ways to see a treatment that reconciliation looks at (see `scope_of`)."""
    passed: tuple[ColumnElement[str], ...] = (tables.treatment.c.id, tables.supply.c.treatment_id)
    return [way for way in ways_to_see(caller) if not any(way[0] is column for column in passed)]


def _newest(rows: Iterable[Row[Any]]) -> Iterable[Row[Any]]:
    """Of each treatment the approval that begins last."""
    found: dict[str, Row[Any]] = {}
    for row in rows:
        known = found.get(row.treatment_id)
        if known is None or (known.covers_from, known.reference) < (row.covers_from, row.reference):
            found[row.treatment_id] = row
    return found.values()


def chunks(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """These ids in parts that one query can name."""
    left = iter(ids)
    while chunk := tuple(islice(left, CHUNK)):
        yield chunk
