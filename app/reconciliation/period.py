"""When a supply happened, and whether a coverage allows supply then."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from app.reconciliation.model import ContractLine, Coverage
from app.reconciliation.parse_dates import financial_period


class Basis(StrEnum):
    """What the supply's time was taken from."""

    DATE = "supply date"
    DELIVERY = "delivery date"
    MONTH = "month only"
    INVOICE = "invoice date"


@dataclass(frozen=True, slots=True)
class Period:
    """The supply's day, or the days among which it is where the day itself is not legible.

    `means` is what the date tells of (dispensed, delivered). Days after a stop, and after a death,
    on which a last supply may still be dated.
    """

    first: dt.date
    last: dt.date
    basis: Basis
    means: str = ""
    after_stop: int = 0
    after_death: int = 0

    def __str__(self) -> str:
        if self.is_day:
            return f"{self.first:%d/%m/%Y}"
        if self.basis is Basis.INVOICE:
            return f"some day from {self.first:%d/%m/%Y} to {self.last:%d/%m/%Y}"
        return f"some day in {self.first:%m/%Y}"

    @property
    def is_day(self) -> bool:
        """Whether the very day is known."""
        return self.basis in (Basis.DATE, Basis.DELIVERY)


class Fit(StrEnum):
    """How a period lies to what a coverage allows."""

    WITHIN = "within"
    PARTLY = "partly within"
    BEFORE = "before it begins"
    AFTER = "after it ends"
    PAUSED = "while treatment is paused"


def period_of(line: ContractLine) -> Period | None:
    """The supply date, else that of delivery; else the whole of the stated month; None otherwise.

    An invoice follows its supply, so its date is no day of supply: see `invoiced`.
    """
    if line.supply_date is not None:
        return Period(line.supply_date, line.supply_date, Basis.DATE)
    if line.delivery_date is not None:
        return Period(line.delivery_date, line.delivery_date, Basis.DELIVERY)
    if line.financial_year is None or line.financial_month is None:
        return None
    first, last = financial_period(line.financial_year, line.financial_month)
    return Period(first, last, Basis.MONTH)


def invoiced(line: ContractLine, within: int) -> Period | None:
    """The days among which the supply was, where an invoice follows it within so many days.

    None without a legible invoice date, or where nobody has agreed that number: 0.
    """
    if line.invoice_date is None or within <= 0:
        return None
    first = line.invoice_date - dt.timedelta(days=within)
    return Period(first, line.invoice_date, Basis.INVOICE)


def last_day(coverage: Coverage, period: Period | None = None) -> dt.date:
    """The last day on which supply is covered, grace included; `date.max` when open.

    With a period: last deliveries after a stop included, as far as its date's meaning allows.
    """
    if coverage.to is None:
        return dt.date.max
    last = max(coverage.to, coverage.grace_to or coverage.to)
    if coverage.stopped and period is not None:
        return max(last, coverage.to + dt.timedelta(days=period.after_stop))
    return last


def fit(coverage: Coverage, period: Period) -> Fit:
    """WITHIN only when every day of the period is covered."""
    last = last_day(coverage, period)
    if period.last < coverage.from_:
        return Fit.BEFORE
    if period.first > last:
        return Fit.AFTER
    pauses = [
        (begins, ends or dt.date.max)
        for begins, ends in coverage.paused
        if begins <= period.last and period.first <= (ends or dt.date.max)
    ]
    if any(begins <= period.first and period.last <= ends for begins, ends in pauses):
        return Fit.PAUSED
    if pauses or period.first < coverage.from_ or period.last > last:
        return Fit.PARTLY
    return Fit.WITHIN


def continuation_overdue(coverage: Coverage, period: Period) -> bool:
    """Whether a continuation was due before the supply, and none was submitted."""
    after = overdue_after(coverage)
    return after is not None and period.first > after


def overdue_after(coverage: Coverage) -> dt.date | None:
    """The last day before a continuation is overdue; None where none is due or it was submitted.

    The grace that the approval gives after its end is given after the due day too.
    """
    if coverage.continuation_due is None or coverage.continuation_submitted:
        return None
    if coverage.status == "ended":
        return None  # nothing is due for a treatment that was stopped
    grace = dt.timedelta(0)
    if coverage.to is not None and coverage.grace_to is not None:
        grace = max(grace, coverage.grace_to - coverage.to)
    return coverage.continuation_due + grace
