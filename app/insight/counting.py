"""Counting a commissioner's figures from the records, as the worker does every hour."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal, localcontext
from functools import cache
from typing import Final

from sqlalchemy import and_, case, func, select

from app.approvals.lifecycle import ApprovalState, RequestState
from app.auth.model import Caller, Role
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work
from app.insight.figures import Figure, Name
from app.reconciliation import large_lines, service, store
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.errors import ReconciliationError
from app.reconciliation.service import Desk
from app.reconciliation.slice_report import SliceRow, current_slices
from app.reconciliation.slices import SliceKey, place, slice_stated
from app.reconciliation.store import RunRecord

MONTHS: Final = 24
YEAR: Final = dt.timedelta(days=365)
_NOT_COUNTED: Final = (RequestState.WITHDRAWN.value, RequestState.ENTERED_IN_ERROR.value)
#: Errors; and what pays for doses given alone, which nobody approved to go on.
_NOT_ISSUED: Final = (ApprovalState.ENTERED_IN_ERROR.value, ApprovalState.DOSES_GIVEN.value)
_STANDS: Final = (ApprovalState.LIVE.value, ApprovalState.UNDER_QUERY.value)


def commissioners(work: Work) -> tuple[str, ...]:
    """Every organisation that pays for a treatment or has sent in a file as a payer."""
    asked = select(tables.request.c.commissioner)
    billed = select(tables.slice_head.c.commissioner).where(
        tables.slice_head.c.commissioner == tables.slice_head.c.organisation
    )
    return tuple(sorted(work.connection.execute(asked.union(billed)).scalars()))


def count(work: Work, desk: Desk, commissioner: str) -> tuple[Figure, ...]:
    """Every figure of one commissioner, as at the work's day."""
    return (
        *_approvals(work, commissioner),
        *_continuations(work, commissioner),
        *_requests(work, commissioner),
        *_money(work, desk, commissioner),
    )


def _approvals(work: Work, commissioner: str) -> Iterator[Figure]:
    approval = tables.approval.c
    for first, after in _months(work.moment.day):
        rows = work.connection.execute(
            select(approval.provider, func.count())
            .where(
                approval.commissioner == commissioner,
                approval.issued_at >= london_midnight(first),
                approval.issued_at < london_midnight(after),
                approval.state.not_in(_NOT_ISSUED),
            )
            .group_by(approval.provider)
        )
        for provider, number in rows:
            yield Figure(Name.APPROVALS_ISSUED, Decimal(number), provider, f"{first:%Y-%m}")


def _continuations(work: Work, commissioner: str) -> Iterator[Figure]:
    """Treatments by whether their newest covered day has passed; open ends never do."""
    treatment, approval = tables.treatment.c, tables.approval.c
    covered = (
        select(
            treatment.provider,
            func.max(approval.covers_to).label("to_day"),
            func.sum(case((approval.covers_to.is_(None), 1), else_=0)).label("open_ends"),
        )
        .join(tables.approval, approval.treatment_id == treatment.id)
        .where(
            treatment.commissioner == commissioner,
            treatment.stopped_on.is_(None),
            treatment.not_started_on.is_(None),
            approval.state.in_(_STANDS),
        )
        .group_by(treatment.id, treatment.provider)
        .subquery()
    )
    late = and_(covered.c.open_ends == 0, covered.c.to_day < work.moment.day)
    rows = work.connection.execute(
        select(covered.c.provider, func.count(), func.sum(case((late, 1), else_=0))).group_by(
            covered.c.provider
        )
    )
    for provider, number, overdue in rows:
        yield Figure(Name.UNDER_APPROVAL, Decimal(number), provider)
        yield Figure(Name.OVERDUE, Decimal(overdue), provider)


def _requests(work: Work, commissioner: str) -> Iterator[Figure]:
    request, override, decision = (
        tables.request.c,
        tables.request_override.c,
        tables.decision.c,
    )
    counted = and_(
        request.commissioner == commissioner,
        request.state.not_in(_NOT_COUNTED),
        request.submitted_at >= london_midnight(work.moment.day - YEAR),
    )
    asked = select(request.provider, func.count()).where(counted).group_by(request.provider)
    overridden = (
        select(request.provider, func.count(request.id.distinct()))
        .join(
            tables.request_override,
            and_(override.request_id == request.id, override.revision == request.revision),
        )
        .where(counted, override.relied_on)
        .group_by(request.provider)
    )
    for name, query in ((Name.REQUESTS, asked), (Name.OVERRIDDEN, overridden)):
        for provider, number in work.connection.execute(query):
            yield Figure(name, Decimal(number), provider)
    rows = work.connection.execute(
        select(request.provider, request.id, decision.waived)
        .join(tables.decision, decision.request_id == request.id)
        .where(counted, decision.made_by != "policy")
    )
    waived = {(provider, id_) for provider, id_, criteria in rows if criteria}
    for provider, number in sorted(Counter(provider for provider, _ in waived).items()):
        yield Figure(Name.WAIVED, Decimal(number), provider)


def _money(work: Work, desk: Desk, commissioner: str) -> Iterator[Figure]:
    """Pounds and lines of the current slices as their newest runs tell them, exactly."""
    caller = _counting_for(commissioner)
    rows = [
        row
        for row in current_slices(work, caller)
        if row.key.commissioner == commissioner and row.accepted is not None
    ]
    sums: dict[tuple[Name, str, str], Decimal] = defaultdict(Decimal)
    with localcontext(prec=EXACT_DIGITS):
        for row in rows:
            at = (row.key.provider, _month(row.key.financial_year, row.key.financial_month))
            sums[(Name.ACCEPTED, *at)] += row.accepted_now or Decimal(0)
            sums[(Name.QUERIED, *at)] += row.queried_now or Decimal(0)
    for (name, provider, month), amount in sums.items():
        yield Figure(name, amount, provider, month)
    yield from _lines(work, desk, caller, rows)


def _lines(work: Work, desk: Desk, caller: Caller, rows: list[SliceRow]) -> Iterator[Figure]:
    """Lines and queried lines by provider. A run whose stored files are damaged is left out."""
    wanted: dict[str, set[object]] = defaultdict(set)
    for row in rows:
        wanted[row.submission].add(row.key)
    lines: Counter[str] = Counter()
    queried: Counter[str] = Counter()
    newest = store.standing_runs(work, caller.organisation, list(wanted))
    for submission, run in newest.items():
        try:
            counted = list(_by_slice(work, desk, caller, run))
        except ReconciliationError:
            continue
        for key, number, of_them in counted:
            if key in wanted[submission]:
                lines[key.provider] += number
                queried[key.provider] += of_them
    for provider, number in sorted(lines.items()):
        yield Figure(Name.LINES, Decimal(number), provider)
        yield Figure(Name.LINES_QUERIED, Decimal(queried[provider]), provider)


def _by_slice(
    work: Work, desk: Desk, caller: Caller, run: RunRecord
) -> Iterator[tuple[SliceKey, int, int]]:
    """A run's slices with their lines and queried lines; of a large one counted where they lie."""
    fold = cache(desk.organisations.fold)
    if desk.matching.takes_files(run.lines):
        with large_lines.open_large(work, desk, run).reading() as reading:
            for stated, number, of_them in reading.queried_by_slice():
                key = slice_stated(stated, fold)
                if key is not None:
                    yield key, number, of_them
        return
    loaded = service.load_run(work, desk, caller, run.id)
    is_queried = {item.line.row for item in loaded.matched if item.queried}
    placed = place((item.line for item in loaded.matched), desk.organisations.fold)
    for key, held in placed.slices.items():
        yield key, len(held), sum(line.row in is_queried for line in held)


def _counting_for(commissioner: str) -> Caller:
    return Caller(
        id="overview",
        name="The worker",
        kind="system",
        organisation=commissioner,
        role=Role.COMMISSIONER,
        client="worker",
        correlation_id="overview",
    )


def _months(today: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    """The first days of the last months and of those after them, the oldest first."""
    number = today.year * 12 + today.month - 1
    for back in range(MONTHS - 1, -1, -1):
        at = number - back
        yield dt.date(at // 12, at % 12 + 1, 1), dt.date((at + 1) // 12, (at + 1) % 12 + 1, 1)


def _month(financial_year: str, financial_month: int) -> str:
    """Month 1 of 202526 as `2025-04`."""
    year = int(financial_year[:4]) + (financial_month > 9)
    return f"{year:04d}-{(financial_month + 2) % 12 + 1:02d}"
