"""The current slices of an organisation, and their sum for each commissioner. Nothing else counts.

Only the current statement of a slice and the corrections that cite it are summed; superseded
versions never are.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, stale_store, standing_store
from app.reconciliation.accepting import frozen_on
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.slice_store import ContractMonth, Period, SliceOutcome
from app.reconciliation.slices import ZERO, SliceKey
from app.reconciliation.standing_store import Delta
from app.reconciliation.untested import sum_known


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice as it stands, in pounds: `total` is the statement's, `corrected` with corrections.

    `accepted` and `queried` are of the run that stands, or of a closed month its frozen result,
    None before there is one; so is `not_testable`, what it accepted of lines with a test that could
    not be made, and `untested` by test. Both are None, not known, of runs before they were kept,
    too, and of a closed month they are as it was frozen. `accepted_more`, `queried_more` and
    `not_testable_more` are the sum of its `deltas`, the last None, not known, where one of these is
    of before it was kept. `changes` count what approvals have changed and no run has seen, and
    `given_up` those of them whose matching failed too often to be tried again by itself. `figure`
    is what the Aggregate Contract Monitoring set states and `difference` how far `corrected` is
    over it.
    """

    key: SliceKey
    submission: str
    version: int
    accepted_at: dt.datetime
    lines: int
    total: Decimal
    accepted: Decimal | None
    queried: Decimal | None
    corrections: int
    corrected_lines: int
    corrected: Decimal
    month: ContractMonth | None
    frozen_on: dt.date | None
    figure: Decimal | None
    not_testable: Decimal | None = None
    untested: Mapping[str, str] | None = None
    deltas: int = 0
    accepted_more: Decimal = ZERO
    queried_more: Decimal = ZERO
    not_testable_more: Decimal | None = ZERO
    changes: int = 0
    given_up: int = 0

    @property
    def accepted_now(self) -> Decimal | None:
        """What is accepted with the deltas of a closed month: frozen and all deltas, exactly."""
        with localcontext(prec=EXACT_DIGITS):
            return None if self.accepted is None else self.accepted + self.accepted_more

    @property
    def queried_now(self) -> Decimal | None:
        """The same of what is queried."""
        with localcontext(prec=EXACT_DIGITS):
            return None if self.queried is None else self.queried + self.queried_more

    @property
    def not_testable_now(self) -> Decimal | None:
        """The same of what is accepted untested; None where it, or a delta of it, is not known."""
        return sum_known((self.not_testable, self.not_testable_more))

    @property
    def knows_untested(self) -> bool:
        """Whether it is known what was accepted untested: before there is a run, nothing is."""
        return self.accepted is None or self.not_testable is not None

    @property
    def difference(self) -> Decimal | None:
        """Corrected total less the stated figure; 0 where they tie."""
        with localcontext(prec=EXACT_DIGITS):
            return None if self.figure is None else self.corrected - self.figure


@dataclass(frozen=True, slots=True)
class CommissionerSum:
    """A commissioner's current slices, summed. `without_run` of them are not yet reconciled.

    Accepted, queried and `not_testable`, which is of what is accepted, are with the deltas of
    closed slices; it is None where a slice does not know it (`untested_in`).
    """

    commissioner: str
    slices: int
    lines: int
    total: Decimal
    accepted: Decimal
    queried: Decimal
    not_testable: Decimal | None
    corrected: Decimal
    without_run: int
    with_figure: int
    figure: Decimal
    difference: Decimal


def current_slices(
    work: Work,
    caller: Caller,
    *,
    financial_year: str | None = None,
    provider: str | None = None,
    commissioner: str | None = None,
    financial_month: int | None = None,
) -> tuple[SliceRow, ...]:
    """The organisation's slices as they stand, in order of their keys; NotAllowed by role."""
    check_can(caller, Action.RECONCILE)
    own = caller.organisation
    calendar, figures = slice_store.calendar_of(work, own), slice_store.figures_of(work, own)
    corrections = slice_store.corrections_since(work, own)
    outcomes = slice_store.standing_outcomes(work, own)
    closed = standing_store.frozen_with_deltas(work, own)
    stale = stale_store.out_of_date(work, own)
    given_up = stale_store.given_up(work, own)
    wanted = (provider, commissioner, financial_year, financial_month)
    rows = []
    for head in slice_store.heads(work, own):
        key, now = head.key, head.current
        if now is None or any(w not in (None, k) for w, k in zip(wanted, key, strict=True)):
            continue
        many, lines_more, total_more = corrections.get(head.id, (0, 0, ZERO))
        outcome = outcomes.get((now.submission_id, key)) if now.lines else None
        froze = frozen_on(calendar, key, work.moment.day)
        kept = None if froze is None else closed.get((now.id, froze))
        deltas: Sequence[Delta] = ()
        if kept is not None:
            frozen, said, deltas = kept
            outcome = SliceOutcome(
                key, frozen.lines, frozen.total, frozen.accepted, frozen.queried,
                *standing_store.untested_as_frozen(frozen, said),
            )  # fmt: skip
        figure = figures.get(key)
        with localcontext(prec=EXACT_DIGITS):
            corrected = now.total + total_more
        rows.append(
            SliceRow(
                key=key,
                submission=now.submission_id,
                version=now.number,
                accepted_at=now.accepted_at,
                lines=now.lines,
                total=now.total,
                accepted=None if outcome is None else outcome.accepted,
                queried=None if outcome is None else outcome.queried,
                corrections=many,
                corrected_lines=now.lines + lines_more,
                corrected=corrected,
                month=calendar.get(Period(key.financial_year, key.financial_month)),
                frozen_on=froze,
                figure=None if figure is None else figure.amount,
                not_testable=None if outcome is None else outcome.not_testable,
                untested=None if outcome is None else outcome.untested,
                deltas=len(deltas),
                accepted_more=_add(each.accepted_more for each in deltas),
                queried_more=_add(each.queried_more for each in deltas),
                not_testable_more=sum_known(each.not_testable_more for each in deltas),
                changes=stale.get(now.id, 0),
                given_up=given_up.get(now.id, 0),
            )
        )
    return tuple(rows)


def by_commissioner(rows: Iterable[SliceRow]) -> tuple[CommissionerSum, ...]:
    """The slices summed for each commissioner, exactly."""
    grouped: dict[str, list[SliceRow]] = defaultdict(list)
    for row in rows:
        grouped[row.key.commissioner].append(row)
    return tuple(_sum(code, grouped[code]) for code in sorted(grouped))


def _sum(commissioner: str, rows: list[SliceRow]) -> CommissionerSum:
    told = [row for row in rows if row.figure is not None]
    with localcontext(prec=EXACT_DIGITS):
        return CommissionerSum(
            commissioner=commissioner,
            slices=len(rows),
            lines=sum(row.lines for row in rows),
            total=_add(row.total for row in rows),
            accepted=_add(row.accepted_now for row in rows),
            queried=_add(row.queried_now for row in rows),
            not_testable=untested_in(rows),
            corrected=_add(row.corrected for row in rows),
            without_run=sum(row.accepted is None and row.lines > 0 for row in rows),
            with_figure=len(told),
            figure=_add(row.figure for row in told),
            difference=_add(row.difference for row in told),
        )


def untested_in(rows: Sequence[SliceRow]) -> Decimal | None:
    """What is accepted untested with all deltas, which one slice that does not know leaves open."""
    return sum_known(row.not_testable_now for row in rows if row.accepted is not None)


def _add(amounts: Iterable[Decimal | None]) -> Decimal:
    with localcontext(prec=EXACT_DIGITS):
        return sum((amount or ZERO for amount in amounts), ZERO)
