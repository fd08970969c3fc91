"""Worklists: the approvals in the caller's scope beside the supplies of its newest runs."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import awaited_store, charged, listed_store, slice_store
from app.reconciliation.approved_rows import read_known
from app.reconciliation.awaited_store import Mark
from app.reconciliation.listing_starts import Asked, not_started
from app.reconciliation.parse_dates import financial_month_of
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.slice_store import ContractMonth, Period
from app.reconciliation.windows import Window, timing_of
from app.reconciliation.worklists import (
    Entry,
    Heard,
    Listed,
    Place,
    Worklist,
    entries,
    page_of,
    placed,
)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are asked for; None: all. The month is that of the entry's day, and `window`
    whether it may still be challenged in time by the organisation's own calendar."""

    provider: str | None = None
    financial_year: str | None = None
    financial_month: int | None = None
    window: Window | None = None


EVERYTHING: Final = Sought()


def worklist(
    work: Work,
    desk: Desk,
    caller: Caller,
    which: Worklist,
    limit: int | None = None,
    sought: Sought = EVERYTHING,
    after: Place | None = None,
) -> Listed:
    """The entries of a list that are asked for, within the caller's scope: `limit`, or all.

    They are read from what the worker keeps, corrected by what changed since. Where it keeps
    nothing, or a run is newer, the treatments that a supply names are read; never every treatment
    in scope.
    """
    check_can(caller, Action.RECONCILE)
    today = work.moment.day
    calendar = {} if sought == EVERYTHING else slice_store.calendar_of(work, caller.organisation)

    def is_sought(entry: Entry) -> bool:
        return sought == EVERYTHING or _is_sought(entry, sought, calendar, today)

    mark = awaited_store.mark_of(work, caller)
    changed = None if mark is None else awaited_store.touched_since(work, mark.position)
    heard = None if mark is None or changed is None else _heard(work, caller, mark)
    if which is Worklist.NOT_STARTED:
        known = _supplied(work, desk, caller) if heard is None else None
        asked = Asked(sought.provider, limit, after)
        return not_started(work, caller, changed, known, asked, is_sought)
    scope = scope_of(caller)
    if changed is None or heard is None:
        supplied = charged.supplies(work, desk, caller)
        known_now = read_known(work, scope, {each.treatment_id for each in supplied})
        whole = {id_: each.on(today) for id_, each in known_now.items()}
        every = placed(entries(which, whole, supplied, today))
        found = [each for each in every if is_sought(each[1])]
        return page_of(found, len(found), limit, after)
    return listed_store.page_of_list(
        work, caller, scope, which, (changed, heard), sought.provider, is_sought, limit, after
    )


def _supplied(work: Work, desk: Desk, caller: Caller) -> frozenset[str]:
    return frozenset(each.treatment_id for each in charged.supplies(work, desk, caller))


def _heard(work: Work, caller: Caller, mark: Mark) -> Heard | None:
    """How far invoices go, where the supplies are kept as the newest runs have them; else None."""
    runs = charged.which_runs(work, caller.organisation)
    return mark.heard if mark.runs == runs else None


def _is_sought(
    entry: Entry, sought: Sought, calendar: Mapping[Period, ContractMonth], today: dt.date
) -> bool:
    period = Period(*financial_month_of(entry.day))
    window = timing_of([period], calendar, today).window
    return (
        (sought.provider is None or sought.provider in entry.providers)
        and sought.financial_year in (None, period.financial_year)
        and sought.financial_month in (None, period.financial_month)
        and sought.window in (None, window)
    )
