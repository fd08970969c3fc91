"""Worklists: the approvals in the caller's scope beside the supplies of its newest runs."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping

from app.approvals.lifecycle import ApprovalState
from app.approvals.permissions import Action, check_can
from app.approvals.standing import STANDING
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import service, slice_store, store
from app.reconciliation.errors import TooManyLines
from app.reconciliation.line_keys import keys_of
from app.reconciliation.listing_starts import Listed, not_started
from app.reconciliation.model import LineKind, LineOutcome
from app.reconciliation.outcome_files import charged_supplies
from app.reconciliation.parse_dates import financial_month_of
from app.reconciliation.scope import Scope, scope_of
from app.reconciliation.service import Desk
from app.reconciliation.slice_store import ContractMonth, Period
from app.reconciliation.snapshot_rows import IN_SCOPE, Treatment, read_approvals, read_treatments
from app.reconciliation.store import RunRecord
from app.reconciliation.waiting_store import holds_on, in_chunks
from app.reconciliation.windows import Window, timing_of
from app.reconciliation.worklists import Approved, Entry, Supplied, Worklist, entries

#: How many submissions a list looks at, the newest first.
MOST_SUBMISSIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are asked for; None: all. The month is that of the entry's day, and `window`
    whether it may still be challenged in time by the organisation's own calendar."""

    provider: str | None = None
    financial_year: str | None = None
    financial_month: int | None = None
    window: Window | None = None


EVERYTHING: Final = Sought()
#: The key of a line, and the supply that it states.
_Known = tuple[str, Supplied]


def worklist(
    work: Work,
    desk: Desk,
    caller: Caller,
    which: Worklist,
    limit: int | None = None,
    sought: Sought = EVERYTHING,
) -> Listed:
    """The entries of a list that are asked for, within the caller's scope: `limit`, or all.

    Only the treatments that a supply names are read, and of those that were to begin and have not
    (`listing_starts`) what is shown: never every treatment in scope.
    """
    check_can(caller, Action.RECONCILE)
    scope, today = scope_of(caller), work.moment.day
    supplied = supplies(work, desk, caller)
    calendar = {} if sought == EVERYTHING else slice_store.calendar_of(work, caller.organisation)

    def is_sought(entry: Entry) -> bool:
        return _is_sought(entry, sought, calendar, today)

    if which is Worklist.NOT_STARTED:
        known = frozenset(each.treatment_id for each in supplied)
        return not_started(work, caller, known, limit, sought.provider, is_sought)
    named = sorted({each.treatment_id for each in supplied})
    every = entries(which, _read(work, scope, named, today), supplied, today)
    every = tuple(filter(is_sought, every))
    return Listed(every[:limit], len(every))


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


def _read(work: Work, scope: Scope, ids: Sequence[str], today: dt.date) -> dict[str, Approved]:
    """Those of these treatments with an approval that the caller may see."""
    found: dict[str, Approved] = {}
    for part in in_chunks(scope, ids):
        approvals: dict[str, list[RowMapping]] = {}
        for row in read_approvals(work, part).values():
            if row[IN_SCOPE]:
                approvals.setdefault(row["treatment_id"], []).append(row)
        found |= {
            treatment_id: _approved(treatment, approvals[treatment_id], today)
            for treatment_id, treatment in read_treatments(work, part).items()
            if treatment_id in approvals
        }
    return found


def supplies(work: Work, desk: Desk, caller: Caller) -> tuple[Supplied, ...]:
    """The supplies that the newest run over each submission matched to a treatment.

    A line that several files state counts once, as the newest file has it.
    """
    found: dict[str, Supplied] = {}
    for submission in store.submissions_of(work, caller.organisation, MOST_SUBMISSIONS):
        runs = store.runs_of(work, caller.organisation, submission.id)
        if runs:
            for key, supply in _of_run(work, desk, caller, runs[0]):
                found.setdefault(key, supply)
    return tuple(found.values())


def _of_run(work: Work, desk: Desk, caller: Caller, run: RunRecord) -> Iterable[_Known]:
    """Each supply of a run with the key of its line."""
    if desk.matching.takes_files(run.lines):
        raise TooManyLines(run.lines, "to be shown line by line", service.IN_FULL)
    outcomes = desk.files.read(
        run.organisation, service.OUTCOMES, run.outcomes_file, run.outcomes_sha256
    )
    found = charged_supplies(outcomes)
    if found is None:
        return _of_lines(work, desk, caller, run.id)
    return (
        (key, Supplied(treatment, provider, day, run.id, row, outcome))
        for key, treatment, provider, day, row, outcome in found
    )


def _of_lines(work: Work, desk: Desk, caller: Caller, run_id: str) -> Iterable[_Known]:
    """The same of every line, for outcomes that do not say when each was supplied."""
    matched = service.load_run(work, desk, caller, run_id).matched
    for item, key in zip(matched, keys_of([m.line for m in matched]), strict=True):
        day, total = item.line.supply_date, item.line.total_cost
        told = item.treatment_id is not None and item.provider is not None and day is not None
        charged = item.kind is LineKind.DRUG and total is not None and total > 0
        if not told or not charged or item.outcome is LineOutcome.DUPLICATE_LINE:
            continue
        assert item.treatment_id is not None
        assert item.provider is not None
        assert day is not None
        yield (
            key,
            Supplied(item.treatment_id, item.provider, day, run_id, item.line.row, item.outcome),
        )


def _approved(treatment: Treatment, approvals: list[RowMapping], today: dt.date) -> Approved:
    row = treatment.row
    holding = [a for a in approvals if ApprovalState(a["state"]) in STANDING]
    newest = max(holding or approvals, key=lambda a: (a["covers_from"], a["reference"]))
    paused = holds_on(treatment.paused, today)
    over = newest["covers_to"] is not None and newest["covers_to"] < today
    return Approved(
        treatment_id=row["id"],
        person=treatment.identity.nhs_number or row["patient_id"],
        reference=newest["reference"],
        drug=row["drug"],
        provider=row["provider"],
        start_by=newest["start_by"],
        started=row["first_dose"] is not None or row["not_started_on"] is not None,
        stopped_on=row["stopped_on"],
        live=bool(holding) and row["stopped_on"] is None and not paused and not over,
    )
