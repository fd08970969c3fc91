"""Fees on lines of their own among the decided lines of the plain engine."""

from collections.abc import Sequence
from dataclasses import replace

from app.reconciliation.engines.decided import Decided, accepted_of
from app.reconciliation.engines.fees import (
    SupplySide,
    fee_side,
    is_fee,
    keeps_charges,
    pair_fees,
    supply_side,
)
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.settled import settled_fee
from app.reconciliation.engines.told import Told
from app.reconciliation.model import LineKind


def fees_among(prepared: Sequence[Prepared], told: Told, index: SnapshotIndex) -> frozenset[int]:
    """The fees on lines of their own, of a commissioner that agreed a charge, but repeats."""
    keepers = keeps_charges(index.supplies)
    if not keepers:
        return frozenset()
    repeated = told.repeats.stated_before.union(told.repeats.duplicate_of)
    return frozenset(
        n
        for n, item in enumerate(prepared)
        if is_fee(item) and item.commissioner in keepers and n not in repeated
    )


def supplies_among(decided: Sequence[Decided], told: Told) -> list[SupplySide]:
    """The supplies that are accepted, in whole or in part, and not taken back."""
    return [
        side
        for n, item in enumerate(decided)
        if item.prepared.kind is LineKind.DRUG
        and n not in told.taken_back
        and accepted_of(item) > 0
        and (side := supply_side(n, item.prepared))
    ]


def apply_fees(
    decided: Sequence[Decided],
    fees: frozenset[int],
    supplies: Sequence[SupplySide],
    index: SnapshotIndex,
    told: Told,
) -> list[Decided]:
    """What comes of each of these fees."""
    result = list(decided)
    back = told.debits.fees_taken
    sides = [fee_side(n, decided[n].prepared, given_back=n in back) for n in sorted(fees)]
    for case in pair_fees(sides, supplies, index.supplies):
        supply = case.supply
        coverage = None
        if supply is not None and not supply.before:
            coverage = decided[supply.place].verdict.coverage
        item = decided[case.place]
        verdict = settled_fee(case.outcome, case.test, coverage)
        result[case.place] = replace(
            item, verdict=verdict, tests=(*item.tests, case.test), fee=case.accepted
        )
    return result
