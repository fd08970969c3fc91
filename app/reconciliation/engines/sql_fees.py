"""The fees on lines of their own, read from the tables, and what the plain functions make of them.

Only fees of commissioners that agreed a charge are read, and the accepted supplies that name the
same patient at the same provider: few lines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.fees import (
    FeeCase,
    FeeSide,
    SupplySide,
    earlier_sides,
    keeps_charges,
    pair_fees,
)
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.model import TestResult
from app.reconciliation.terms_model import SupplyTermKind

AMOUNT: Final = pa.decimal128(38, 8)
_FEES: Final = """
SELECT
    line.pos, line.content_hash, line.nhs_number, line.local_id, line.provider, line.commissioner,
    line.drug, line.first_day, line.last_day, line.total, line.fee_sort
FROM line
INNER JOIN charge_keeper ON charge_keeper.code = line.commissioner
LEFT JOIN duplicate ON duplicate.pos = line.pos
WHERE line.kind = 'fee or delivery' AND NOT line.shifted AND line.total > 0
    AND duplicate.pos IS NULL
"""
_SUPPLIES: Final = f"""
WITH fee AS ({_FEES}),

named AS (
    SELECT line.pos
    FROM line
    INNER JOIN fee ON fee.provider = line.provider AND fee.nhs_number = line.nhs_number
    WHERE line.kind = 'drug'
    UNION
    SELECT line.pos
    FROM line
    INNER JOIN fee ON fee.provider = line.provider AND fee.local_id = line.local_id
    WHERE line.kind = 'drug'
)

SELECT
    line.pos, line.content_hash, line.nhs_number, line.local_id, line.provider, line.commissioner,
    line.drug, line.first_day, line.last_day,
    line.row, coalesce(line.home_delivery > 0, FALSE) AS delivered
FROM named
INNER JOIN line ON line.pos = named.pos
INNER JOIN part ON part.pos = named.pos
LEFT JOIN reversal ON reversal.charge_pos = named.pos
LEFT JOIN taken ON taken.pos = named.pos
WHERE part.accepted > 0
    AND line.first_day IS NOT NULL
    AND reversal.pos IS NULL
    AND taken.pos IS NULL
"""
Hold = Callable[[str, pa.Table], None]
Read = Callable[[str], pa.Table]


def fee_cases(hold: Hold, read: Read, index: SnapshotIndex | None, debits: Debits) -> list[FeeCase]:
    """What comes of the fees, held as `fee_case` too; nothing where no charge is agreed."""
    cases: list[FeeCase] = []
    keepers = keeps_charges(index.supplies) if index is not None else frozenset()
    if index is not None and keepers:
        hold("charge_keeper", pa.table({"code": pa.array(sorted(keepers), pa.string())}))
        fees = [
            replace(FeeSide(*row.values()), given_back=row["pos"] in debits.fees_taken)
            for row in read(_FEES).to_pylist()
        ]
        supplies = [_supply(row) for row in read(_SUPPLIES).to_pylist()] if fees else []
        cases = pair_fees(fees, [*supplies, *earlier_sides(index.earlier, debits)], index.supplies)
    hold("fee_case", _table(cases))
    return cases


def _supply(row: Mapping[str, Any]) -> SupplySide:
    delivered = frozenset({SupplyTermKind.HOME_DELIVERY.value}) if row["delivered"] else frozenset()
    return SupplySide(
        place=row["pos"],
        content=row["content_hash"],
        nhs_number=row["nhs_number"],
        local_id=row["local_id"],
        provider=row["provider"],
        commissioner=row["commissioner"],
        drug=row["drug"],
        first=row["first_day"],
        last=row["last_day"],
        row=row["row"],
        paid=delivered,
    )


def _table(cases: Sequence[FeeCase]) -> pa.Table:
    inside = [
        None if each.supply is None or each.supply.before else each.supply.place for each in cases
    ]
    results = [each.test.result for each in cases]
    passed = [None if x is TestResult.NOT_TESTABLE else x is TestResult.PASSED for x in results]
    return pa.table(
        {
            "pos": pa.array([each.place for each in cases], pa.int64()),
            "outcome": pa.array([each.outcome.value for each in cases], pa.string()),
            "accepted": pa.array([each.accepted for each in cases], AMOUNT),
            "supply_pos": pa.array(inside, pa.int64()),
            "passed": pa.array(passed, pa.bool_()),
        }
    )
