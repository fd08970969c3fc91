"""The deltas of closed months that count, with the slices that they change, and as CSV."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, standing_store
from app.reconciliation.accepting import frozen_on
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.report import exact
from app.reconciliation.returned import safe_cell
from app.reconciliation.slices import SliceKey
from app.reconciliation.standing_store import TAKEN_AWAY, Delta, Frozen
from app.reconciliation.untested import sum_known

HEADER: Final = (
    *("FINANCIAL YEAR", "FINANCIAL MONTH", "PROVIDER", "COMMISSIONER", "FROZEN ON", "SUBMISSION"),
    *("ROW", "REFERENCE", "OUTCOME BEFORE", "OUTCOME", "ACCEPTED BEFORE", "ACCEPTED"),
    *("ACCEPTED DIFFERENCE", "QUERIED BEFORE", "QUERIED", "QUERIED DIFFERENCE", "WHAT CHANGED"),
    *("CHANGED AT", "REASON", "ADDED AT", "RUN", "KIND"),
    *("NOT TESTABLE BEFORE", "NOT TESTABLE", "NOT TESTABLE DIFFERENCE"),
)


@dataclass(frozen=True, slots=True)
class DeltaRow:
    """A delta with its slice, the submission whose row it is, and the run that it comes of.

    `not_testable` is what the slice had accepted untested when it was frozen; None: not known.
    """

    key: SliceKey
    submission: str
    run: str
    frozen: Frozen
    delta: Delta
    not_testable: Decimal | None


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """A closed slice whose result changed: frozen, the sum of its deltas, and both. In pounds.

    `not_testable` is of what was accepted when it was frozen: of lines with a test that could not
    be made. None where it was frozen before that was kept: not known; so is `not_testable_more`
    where one of the deltas was added before that, and with either what it is now.
    """

    key: SliceKey
    deltas: int
    accepted: Decimal
    accepted_more: Decimal
    accepted_now: Decimal
    not_testable: Decimal | None
    not_testable_more: Decimal | None
    not_testable_now: Decimal | None
    queried: Decimal
    queried_more: Decimal
    queried_now: Decimal


def deltas_for(
    work: Work,
    caller: Caller,
    *,
    financial_year: str | None = None,
    provider: str | None = None,
    commissioner: str | None = None,
    financial_month: int | None = None,
) -> tuple[DeltaRow, ...]:
    """The deltas of the organisation's closed slices that count, by month and as they were made.

    Those of a month that was opened again, or of a statement that was replaced, stay on record and
    count no more. Raises NotAllowed by role.
    """
    check_can(caller, Action.RECONCILE)
    own = caller.organisation
    calendar = slice_store.calendar_of(work, own)
    kept = standing_store.frozen_with_deltas(work, own)
    runs = standing_store.runs_by_standing(work, own)
    wanted = (provider, commissioner, financial_year, financial_month)
    found = []
    for head in slice_store.heads(work, own):
        now, freeze = head.current, frozen_on(calendar, head.key, work.moment.day)
        if now is None or freeze is None or not _is(head.key, wanted):
            continue
        frozen, said, deltas = kept.get((now.id, freeze), (None, None, ()))
        if frozen is not None:
            found += [
                DeltaRow(
                    head.key,
                    each.of_submission or now.submission_id,
                    _run_of(each, frozen, deltas, runs),
                    frozen,
                    each,
                    standing_store.untested_as_frozen(frozen, said)[0],
                )
                for each in deltas
            ]
    return tuple(sorted(found, key=_in_order))


def _run_of(delta: Delta, frozen: Frozen, deltas: Sequence[Delta], runs: Mapping[str, str]) -> str:
    """The run that says how the line stands; of one that was taken away the last that had it."""
    if delta.kind != TAKEN_AWAY:
        return runs[delta.standing_id]
    place = (delta.of_submission, delta.row)
    earlier = [
        runs[each.standing_id]
        for each in deltas
        if (each.of_submission, each.row) == place and each.kind != TAKEN_AWAY
    ]
    return earlier[-1] if earlier else frozen.run_id


def shown(rows: Iterable[DeltaRow]) -> dict[str, Any]:
    """What a reading of deltas names: the runs whose lines it showed."""
    return {"runs": sorted({row.run for row in rows})}


def closed_months(rows: Iterable[DeltaRow]) -> tuple[ClosedMonth, ...]:
    """The slices of these deltas with their sums, exactly."""
    grouped: dict[SliceKey, list[DeltaRow]] = {}
    for row in rows:
        grouped.setdefault(row.key, []).append(row)
    return tuple(_month(key, each) for key, each in grouped.items())


def as_csv(rows: Sequence[DeltaRow]) -> bytes:
    """The deltas as CSV for a spreadsheet, amounts exact, no cell that it would run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in rows:
        cells = _cells(row)
        writer.writerow(
            [safe_cell(cells[name]) if name in _WORDS else cells[name] for name in HEADER]
        )
    return out.getvalue().encode("utf-8-sig")


#: Columns whose text is not the service's own.
_WORDS: Final = frozenset({"PROVIDER", "COMMISSIONER", "REFERENCE", "REASON", "WHAT CHANGED"})


def _cells(row: DeltaRow) -> Mapping[str, str]:
    key, delta = row.key, row.delta
    return {
        "FINANCIAL YEAR": key.financial_year,
        "FINANCIAL MONTH": str(key.financial_month),
        "PROVIDER": key.provider,
        "COMMISSIONER": key.commissioner,
        "FROZEN ON": row.frozen.freeze.isoformat(),
        "SUBMISSION": row.submission,
        "ROW": str(delta.row),
        "REFERENCE": delta.reference or "",
        "OUTCOME BEFORE": delta.outcome_was,
        "OUTCOME": delta.outcome,
        "ACCEPTED BEFORE": exact(delta.accepted_was),
        "ACCEPTED": exact(delta.accepted),
        "ACCEPTED DIFFERENCE": exact(delta.accepted_more),
        "QUERIED BEFORE": exact(delta.queried_was),
        "QUERIED": exact(delta.queried),
        "QUERIED DIFFERENCE": exact(delta.queried_more),
        "WHAT CHANGED": delta.cause or "",
        "CHANGED AT": "" if delta.cause_at is None else delta.cause_at.isoformat(),
        "REASON": delta.reason,
        "ADDED AT": delta.made_at.isoformat(),
        "RUN": row.run,
        "KIND": delta.kind,
        "NOT TESTABLE BEFORE": _if_known(delta.not_testable_was),
        "NOT TESTABLE": _if_known(delta.not_testable),
        "NOT TESTABLE DIFFERENCE": _if_known(delta.not_testable_more),
    }


def _if_known(amount: Decimal | None) -> str:
    """An amount exactly; an empty cell, and no nought, where it is not known."""
    return "" if amount is None else exact(amount)


def _is(key: SliceKey, wanted: Sequence[str | int | None]) -> bool:
    return all(want in (None, part) for want, part in zip(wanted, key, strict=True))


def _in_order(row: DeltaRow) -> tuple[str, int, str, str, dt.datetime, int]:
    key, delta = row.key, row.delta
    month = (key.financial_year, key.financial_month)
    return (*month, key.provider, key.commissioner, delta.made_at, delta.row)


def _month(key: SliceKey, rows: Sequence[DeltaRow]) -> ClosedMonth:
    frozen, untested = rows[0].frozen, rows[0].not_testable
    untested_more = sum_known(row.delta.not_testable_more for row in rows)
    with localcontext(prec=EXACT_DIGITS):
        accepted = sum((row.delta.accepted_more for row in rows), ZERO)
        queried = sum((row.delta.queried_more for row in rows), ZERO)
        return ClosedMonth(
            key=key,
            deltas=len(rows),
            accepted=frozen.accepted,
            accepted_more=accepted,
            accepted_now=frozen.accepted + accepted,
            not_testable=untested,
            not_testable_more=untested_more,
            not_testable_now=sum_known((untested, untested_more)),
            queried=frozen.queried,
            queried_more=queried,
            queried_now=frozen.queried + queried,
        )
