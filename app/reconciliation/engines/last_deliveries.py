"""Days that a commissioner gives to homecare, as dated supply terms (ADR 85).

After a stop or a death a last delivery may be on its way: so many days later it may still be
dated. Where only an invoice is dated, its supply was at most so many days before. Without a term
there are none; a term that a trust's check may not see counts as none.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from app.reconciliation.engines.supply_terms import HOMECARE, largest
from app.reconciliation.period import Basis, Period
from app.reconciliation.terms_model import SupplyTerm, SupplyTermKind

KINDS: Final = frozenset(
    {SupplyTermKind.AFTER_STOP, SupplyTermKind.AFTER_DEATH, SupplyTermKind.INVOICE_DAYS}
)
#: By commissioner.
Given = Mapping[str | None, tuple[SupplyTerm, ...]]


def given_of(terms: Iterable[SupplyTerm]) -> Given:
    """The terms that give such days, by commissioner."""
    held: dict[str | None, list[SupplyTerm]] = defaultdict(list)
    for term in terms:
        if term.kind in KINDS:
            held[term.commissioner].append(term)
    return {commissioner: tuple(rows) for commissioner, rows in held.items()}


def days_given(
    given: Given,
    route: str | None,
    commissioner: str | None,
    provider: str | None,
    drug: str | None,
    period: Period,
) -> tuple[int, int]:
    """Days after a stop, and after a death, that a supply of this time may still be dated."""
    rows = given.get(commissioner, ())
    if not rows or route != HOMECARE:
        return 0, 0
    stop, death = (
        largest(rows, kind, provider, drug, period)
        for kind in (SupplyTermKind.AFTER_STOP, SupplyTermKind.AFTER_DEATH)
    )
    return int(stop), int(death)


def invoice_days(
    given: Given, route: str | None, commissioner: str | None, provider: str | None, on: dt.date
) -> int:
    """How many days before an invoice of this day its supply was at most; 0: not agreed."""
    rows = given.get(commissioner, ())
    if not rows or route != HOMECARE:
        return 0
    day = Period(on, on, Basis.INVOICE)
    return int(largest(rows, SupplyTermKind.INVOICE_DAYS, provider, None, day))
