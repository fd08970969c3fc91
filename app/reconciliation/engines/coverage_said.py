"""What the words about an approval state of it, beside what the steps read: one row a coverage."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import pyarrow as pa

from app.reconciliation.engines.limits import ZERO
from app.reconciliation.engines.told import allowance_of
from app.reconciliation.model import Coverage

_SCHEMA: Final = pa.schema(
    [
        ("cov", pa.int64()),
        ("status", pa.string()),
        ("to_day", pa.date32()),
        ("start_by", pa.date32()),
        ("first_dose", pa.date32()),
        ("origin", pa.string()),
        ("continuation_due", pa.date32()),
        ("longest", pa.int64()),
        ("cap_said", pa.string()),
        ("before_said", pa.string()),
    ]
)


def coverage_said(
    numbered: Sequence[tuple[int, Coverage]], before: Mapping[tuple[object, ...], Decimal]
) -> pa.Table:
    """The coverages by their place; amounts as they are written, since words repeat them so."""
    columns = list(zip(*(_said(n, each, before) for n, each in numbered), strict=True))
    pairs = zip(columns or [()] * len(_SCHEMA), _SCHEMA.types, strict=True)
    arrays = [pa.array(each, kind) for each, kind in pairs]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def _said(
    number: int, each: Coverage, before: Mapping[tuple[object, ...], Decimal]
) -> tuple[int | str | dt.date | None, ...]:
    capped = each.quantity_cap is not None
    used = before.get(allowance_of(each), ZERO) if capped else ZERO
    return (
        *(number, each.status, each.to, each.start_by, each.first_dose, each.funding_origin),
        *(each.continuation_due, each.max_supply_days),
        f"{each.quantity_cap} {each.quantity_unit}" if capped else None,
        f"{used:f}" if used else None,
    )
