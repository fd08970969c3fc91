"""The worklist of treatments that were to begin and have not, from what the worker keeps."""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation import awaited_store, listed_store
from app.reconciliation.scope import Scope, scope_of
from app.reconciliation.waiting_store import overdue, overdue_among, waiting_among
from app.reconciliation.worklists import (
    Approved,
    Entry,
    Listed,
    Place,
    Worklist,
    entries,
    page_of,
    placed,
)

_ROW: Final = tables.start_awaited.c
IsSought = Callable[[Entry], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries are asked for: those of a provider, in so many, after a place of the list."""

    provider: str | None
    limit: int | None
    after: Place | None


def not_started(
    work: Work,
    caller: Caller,
    changed: Collection[str] | None,
    known: frozenset[str] | None,
    asked: Asked,
    is_sought: IsSought,
) -> Listed:
    """The entries that are sought. `known`: treatments that were supplied; None: the rows tell.

    `changed` are those of which something came since the worker kept the rows. Where it is None,
    nothing is kept of this organisation yet, or too much has changed since, and every treatment
    that has not begun is looked at.
    """
    scope, today = scope_of(caller), work.moment.day
    if changed is None:
        assert known is not None
        ids = [id_ for id_ in overdue(work, caller, scope, today) if id_ not in known]
        found = placed(_sought(work, scope, ids, today, is_sought))
        return page_of(found, len(found), asked.limit, asked.after)
    late = awaited_store.overdue_row(caller, today)
    apart = frozenset(changed) | awaited_store.paused_rows(work, late)
    supplied = listed_store.supplied_among(work, caller, apart) if known is None else known
    live = [id_ for id_ in overdue_among(work, scope, sorted(apart), today) if id_ not in supplied]
    if known is None:
        late &= ~_ROW.supplied
    if asked.provider is not None:
        late &= _ROW.provider == asked.provider
    days = {
        day: count
        for day, count in awaited_store.by_day(work, late).items()
        if is_sought(_of_day(day, asked.provider))
    }
    gone = awaited_store.days_of(work, late, apart | (known or frozenset()))
    count = sum(days.values()) - sum(day in days for day in gone.values())
    # One more than is shown tells whether others follow.
    most = None if asked.limit is None else asked.limit + 1
    within = late & _ROW.start_by.in_(sorted(days))
    first = awaited_store.first_of(
        work, within, None if most is None else most + len(gone), asked.after
    )
    shown = [id_ for id_ in first if id_ not in gone][:most]
    among = _sought(work, scope, live, today, is_sought)
    both = placed((*_sought(work, scope, shown, today, is_sought), *among))
    return page_of(both, count + len(among), asked.limit, asked.after)


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
