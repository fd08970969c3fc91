"""The supplies that an organisation's newest runs matched to a treatment and charged for."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import func, select

from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation import service, store
from app.reconciliation.errors import TooManyLines
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import LineKind, LineOutcome
from app.reconciliation.outcome_files import charged_supplies
from app.reconciliation.service import Desk
from app.reconciliation.standing_order import standing_first
from app.reconciliation.stating import stated_by_row
from app.reconciliation.store import RunRecord
from app.reconciliation.worklists import NOT_STATED, Supplied

#: How many submissions a list looks at, the newest first.
MOST_SUBMISSIONS = 100
#: The key of a line, and the supply that it states.
_Known = tuple[str, Supplied]


def supplies(
    work: Work, desk: Desk, caller: Caller, with_stated: bool = False
) -> tuple[Supplied, ...]:
    """The supplies that the newest run over each submission matched to a treatment.

    A line that several files state counts once, as the newest file has it. What it says beside
    its day is read where it is asked for. Raises TooManyLines where a run is not held in memory:
    the worker alone goes through that (`large_supplies`).
    """
    found: dict[str, Supplied] = {}
    for run in _in_memory(work, desk, caller):
        stated = stated_by_row(work, desk, caller, run.id) if with_stated else {}
        for key, supply in of_run(work, desk, caller, run):
            if key not in found:
                found[key] = replace(supply, stated=stated.get(supply.row, NOT_STATED))
    return tuple(found.values())


def newest_runs(work: Work, caller: Caller) -> tuple[RunRecord, ...]:
    """The newest run over each submission that is looked at, the newest submission first."""
    newest = _newest(work, caller.organisation)
    runs = store.standing_runs(work, caller.organisation, newest)
    return tuple(runs[submission] for submission in newest if submission in runs)


def _in_memory(work: Work, desk: Desk, caller: Caller) -> tuple[RunRecord, ...]:
    runs = newest_runs(work, caller)
    for run in runs:
        if desk.matching.takes_files(run.lines):
            raise not_listed(run)
    return runs


def not_listed(run: RunRecord) -> TooManyLines:
    """That the worker alone goes through a run's supplies, and has not yet."""
    return TooManyLines(
        run.lines,
        "to be listed before the worker has gone through them",
        "Look again in a few minutes. If this stays, a stored file may be damaged: tell the people "
        "who run the service",
    )


def which_runs(work: Work, organisation: str) -> str:
    """What the supplies rest on, as one digest: the newest run over each submission, in order."""
    run = tables.reconciliation_run
    place = func.row_number().over(partition_by=run.c.submission_id, order_by=standing_first(run))
    newest = _newest(work, organisation)
    ranked = (
        select(run.c.submission_id, run.c.id, place.label("place"))
        .where(run.c.organisation == organisation, run.c.submission_id.in_(newest))
        .subquery()
    )
    query = select(ranked.c.submission_id, ranked.c.id).where(ranked.c.place == 1)
    runs = {submission: id_ for submission, id_ in work.connection.execute(query)}
    told = "\n".join(runs.get(submission, "") for submission in newest)
    return hashlib.sha256(told.encode()).hexdigest()


def _newest(work: Work, organisation: str) -> list[str]:
    """As `store.submissions_of`, their ids alone; of those whose files are kept."""
    column = tables.submission.c
    query = (
        select(column.id)
        .where(column.organisation == organisation, column.ended_at.is_(None))
        .order_by(column.received_at.desc(), column.id)
        .limit(MOST_SUBMISSIONS)
    )
    return list(work.connection.execute(query).scalars())


def of_run(work: Work, desk: Desk, caller: Caller, run: RunRecord) -> Iterable[_Known]:
    """Each supply of a run that is held in memory, with the key of its line."""
    found = charged_supplies(_outcomes(desk, run))
    if found is None:
        return _of_lines(work, desk, caller, run.id)
    return (
        (key, Supplied(treatment, provider, day, run.id, row, outcome))
        for key, treatment, provider, day, row, outcome in found
    )


def _outcomes(desk: Desk, run: RunRecord) -> bytes:
    return desk.files.read(
        run.organisation, service.OUTCOMES, run.outcomes_file, run.outcomes_sha256
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
