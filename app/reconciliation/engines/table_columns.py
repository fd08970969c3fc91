"""What the tables of the SQL steps are made by: columns, and how wide a number may be. Pure."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from app.reconciliation.engines.known import NotTabular
from app.reference_data.routes import name_of

AMOUNT = pa.decimal128(38, 8)
_PLACES, _WHOLE_DIGITS = 8, 18

Column = tuple[str, pa.DataType, Callable[[Any], Any]]
Tables = dict[str, pa.Table]


def table_of(columns: Sequence[Column], rows: Sequence[Any]) -> pa.Table:
    """Rows as a table of these columns. Raises NotTabular for a number that AMOUNT cannot hold."""
    arrays = {}
    for name, type_, value in columns:
        values = [value(row) for row in rows]
        if type_ is AMOUNT:
            _check_width(values)
        arrays[name] = pa.array(values, type_)
    return pa.table(arrays)


def _check_width(values: Iterable[Decimal | None]) -> None:
    for value in values:
        if value is not None and value:
            exponent = value.as_tuple().exponent
            places = -exponent if isinstance(exponent, int) else _PLACES + 1
            if places > _PLACES or value.adjusted() >= _WHOLE_DIGITS:
                raise NotTabular


def route_number(code: str | None) -> int | None:
    """A code of a route as a number: negative where the table of routes does not know it.

    Two that are positive and differ are two routes; of others only being the same tells anything.
    """
    if code is None:
        return None
    return int(code) if name_of(code) is not None else -int(code)
