"""The worklist of treatments that were to begin and have not, from what the worker keeps."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation import awaited_store
from app.reconciliation.scope import Scope, scope_of
from app.reconciliation.waiting_store import overdue, overdue_among, waiting_among
from app.reconciliation.worklists import Approved, Entry, Worklist, entries

_ROW: Final = tables.start_awaited.c
IsSought = Callable[[Entry], bool]


@dataclass(frozen=True, slots=True)
class Listed:
    """The first entries of a list, the oldest first, and how many there are in all."""

    entries: tuple[Entry, ...]
    count: int


def not_started(
    work: Work,
    caller: Caller,
    known: frozenset[str],
    limit: int | None,
    provider: str | None,
    is_sought: IsSought,
) -> Listed:
    """The first entries that are sought: `limit`, or all. `known`: treatments that were supplied.

    Where the worker keeps nothing of this organisation yet, or too much has changed since, every
    treatment that has not begun is looked at.
    """
    scope, today = scope_of(caller), work.moment.day
    mark = awaited_store.mark_of(work, caller)
    changed = None if mark is None else awaited_store.touched_since(work, mark)
    if changed is None:
        ids = [id_ for id_ in overdue(work, caller, scope, today) if id_ not in known]
        found = _sought(work, scope, ids, today, is_sought)
        return Listed(found[:limit], len(found))
    late = awaited_store.overdue_row(caller, today)
    apart = changed | awaited_store.paused_rows(work, late)
    live = [id_ for id_ in overdue_among(work, scope, sorted(apart), today) if id_ not in known]
    if provider is not None:
        late &= _ROW.provider == provider
    days = {
        day: count
        for day, count in awaited_store.by_day(work, late).items()
        if is_sought(_of_day(day, provider))
    }
    gone = awaited_store.days_of(work, late, apart | known)
    count = sum(days.values()) - sum(day in days for day in gone.values())
    first = awaited_store.first_of(
        work, late & _ROW.start_by.in_(sorted(days)), None if limit is None else limit + len(gone)
    )
    shown = [id_ for id_ in first if id_ not in gone][:limit]
    among = _sought(work, scope, live, today, is_sought)
    both = sorted(
        (*_sought(work, scope, shown, today, is_sought), *among),
        key=lambda each: (each.day, each.treatment_id),
    )
    return Listed(tuple(both[:limit]), count + len(among))


def _of_day(day: dt.date, provider: str | None) -> Entry:
    """What is asked of an entry, known of all that have this day."""
    return Entry("", None, "", () if provider is None else (provider,), day, "")


def _sought(
    work: Work, scope: Scope, ids: Sequence[str], today: dt.date, is_sought: IsSought
) -> tuple[Entry, ...]:
    """The entries of these treatments, which are overdue; read without their patients."""
    found = {
        row.treatment_id: Approved(
            treatment_id=row.treatment_id,
            person="",  # no list of starts asks who it is
            reference=row.reference,
            drug=row.drug,
            provider=row.holder,
            start_by=row.start_by,
            started=False,
            stopped_on=None,
            live=True,
        )
        for some in waiting_among(work, scope, ids)
        for row in some
    }
    return tuple(filter(is_sought, entries(Worklist.NOT_STARTED, found, (), today)))
