"""Totals of a reconciled submission, which must tie to the file's own total to the last digit."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache

from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.model import LineOutcome, MatchedLine
from app.reconciliation.parse_dates import financial_month_of, financial_period
from app.reconciliation.slices import Fold
from app.reconciliation.untested import Untested, untested_of

NOT_STATED = "(not stated)"
AS_NAMED = "(as the line names it)"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Lines counted together. `unreadable` of the lines state no legible total, and count as 0."""

    key: str
    lines: int
    unreadable: int
    total: Decimal
    accepted: Decimal
    queried: Decimal


@dataclass(frozen=True, slots=True)
class Summary:
    """A submission's totals, whole and by outcome, provider, drug, commissioner and month, in
    pounds.

    Also by the commissioner that lines are proposed to be reassigned to, where there are any.
    `by_commissioner` and `untested` are None in runs of before these were kept.
    """

    grand: Bucket
    by_outcome: tuple[Bucket, ...]
    by_provider: tuple[Bucket, ...]
    by_drug: tuple[Bucket, ...]
    by_month: tuple[Bucket, ...]
    by_commissioner: tuple[Bucket, ...] | None
    by_proposed: tuple[Bucket, ...]
    untested: Untested | None

    def breakdowns(self) -> Mapping[str, tuple[Bucket, ...]]:
        """Each way of breaking the whole down, by its name."""
        found = {
            "outcome": self.by_outcome,
            "provider": self.by_provider,
            "drug": self.by_drug,
        }
        if self.by_commissioner is not None:
            found["commissioner"] = self.by_commissioner
        found["month"] = self.by_month
        if self.by_proposed:
            found["proposed commissioner"] = self.by_proposed
        return found


def summarise(matched: Sequence[MatchedLine], fold: Fold) -> Summary:
    """The totals; `fold` gives a commissioner's code on a day.

    Raises TotalsDoNotTie unless every line and every breakdown adds up exactly.
    """
    folded = cache(fold)
    with localcontext(prec=EXACT_DIGITS):
        for item in matched:
            _check_line(item)
        grand = _bucket("total", matched)
        moved = any(item.proposed_commissioner for item in matched)
        summary = Summary(
            grand,
            _group(matched, lambda m: m.outcome.value, outcome_order),
            _group(matched, lambda m: m.provider or NOT_STATED),
            _group(matched, lambda m: m.recognition.drug or NOT_STATED),
            _group(matched, month_of),
            _group(matched, lambda m: commissioner_of(m, folded)),
            _group(matched, lambda m: m.proposed_commissioner or AS_NAMED) if moved else (),
            untested_of(matched),
        )
        check_tie(summary, len(matched))
        return summary


def month_of(item: MatchedLine) -> str:
    """The financial month billed, as `202526 M01`: the stated one, else the supply date's."""
    line = item.line
    return month_named(line.financial_year, line.financial_month, line.supply_date)


def month_named(year: str | None, month: int | None, supplied: dt.date | None) -> str:
    """The same of what a line states."""
    if year is not None and month is not None:
        return f"{year} M{month:02d}"
    if supplied is None:
        return NOT_STATED
    year, month = financial_month_of(supplied)
    return f"{year} M{month:02d}"


def commissioner_of(item: MatchedLine, fold: Fold) -> str:
    """The commissioner that the line names, as its slice has it: folded on the month's last day."""
    line = item.line
    stated = (line.financial_year, line.financial_month, line.supply_date)
    return commissioner_named(line.commissioner, *stated, fold=fold)


def commissioner_named(
    code: str | None, year: str | None, month: int | None, supplied: dt.date | None, *, fold: Fold
) -> str:
    """The same of what a line states; of a line without any month as the code stands last."""
    if code is None:
        return NOT_STATED
    if (year is None or month is None) and supplied is not None:
        year, month = financial_month_of(supplied)
    if year is None or month is None:
        return fold(code, None)
    return fold(code, financial_period(year, month)[1])


_OUTCOME_PLACES = {outcome.value: place for place, outcome in enumerate(LineOutcome)}


def outcome_order(key: str) -> tuple[object, ...]:
    """Outcomes in the order in which they are named."""
    return (_OUTCOME_PLACES[key],)


def by_name(key: str) -> tuple[object, ...]:
    """By name, what is not stated last."""
    return key in (NOT_STATED, AS_NAMED), key


def _group(
    matched: Sequence[MatchedLine],
    key_of: Callable[[MatchedLine], str],
    order: Callable[[str], tuple[object, ...]] = by_name,
) -> tuple[Bucket, ...]:
    groups: dict[str, list[MatchedLine]] = defaultdict(list)
    for item in matched:
        groups[key_of(item)].append(item)
    return tuple(_bucket(key, groups[key]) for key in sorted(groups, key=order))


def _bucket(key: str, items: Sequence[MatchedLine]) -> Bucket:
    return Bucket(
        key,
        len(items),
        sum(1 for item in items if item.line.total_cost is None),
        _sum(item.line.total_cost or ZERO for item in items),
        _sum(item.accepted for item in items),
        _sum(item.queried for item in items),
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _check_line(item: MatchedLine) -> None:
    total = item.line.total_cost
    if total is None:
        if item.accepted or item.queried:
            raise TotalsDoNotTie(f"Row {item.line.row} without a total", ZERO, item.accepted)
        return
    if item.accepted + item.queried != total:
        raise TotalsDoNotTie(f"Row {item.line.row}", total, item.accepted + item.queried)


def check_tie(summary: Summary, lines: int) -> None:
    """Raise TotalsDoNotTie unless the whole and each breakdown of so many lines add up exactly."""
    grand = summary.grand
    if grand.accepted + grand.queried != grand.total:
        raise TotalsDoNotTie("The submission", grand.total, grand.accepted + grand.queried)
    if grand.lines != lines:
        raise TotalsDoNotTie("The count of lines", lines, grand.lines)
    for name, buckets in summary.breakdowns().items():
        for figure in ("lines", "unreadable", "total", "accepted", "queried"):
            expected = getattr(grand, figure)
            found = sum((getattr(bucket, figure) for bucket in buckets), type(expected)(0))
            if found != expected:
                raise TotalsDoNotTie(f"The breakdown by {name} ({figure})", expected, found)
