"""The coverages of a snapshot as Arrow tables, some at a time, with the sets that many share. Pure.

A coverage is known by its place in `coverage_order`, so that the last tie-break of the plain engine
is an integer here. Open dates are 9999-12-31.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from itertools import product
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from app.reconciliation.engines.index import (
    Held,
    local_keys,
    references,
)
from app.reconciliation.engines.limits import ZERO, tolerated, unit_key
from app.reconciliation.engines.table_columns import (
    AMOUNT,
    Column,
    Tables,
    route_number,
    table_of,
)
from app.reconciliation.engines.told import allowance_of
from app.reconciliation.model import (
    Coverage,
    DoseLimit,
    Snapshot,
)
from app.reconciliation.outcomes import USABLE, begun_in_time
from app.reconciliation.parse import normalise_reference
from app.reconciliation.period import last_day, overdue_after
from app.reconciliation.terms_model import SupplyTermKind
from app.reference_data.routes import code_approved

#: Coverages, each with its place in `coverage_order`.
Numbered = Sequence[tuple[int, Coverage]]
#: How many coverages' rows are made together.
TOGETHER = 16_384
NOTHING: Mapping[tuple[object, ...], Decimal] = {}


def coverage_tables(
    coverages: Sequence[Coverage],
    used: Mapping[tuple[object, ...], Decimal] = NOTHING,
    percents: Sequence[Decimal] = (),
) -> Tables:
    """The coverages, numbered by their place, and the sets that many of them share.

    `used` is what earlier submissions used of each allowance, `percents` the tolerances agreed.
    """
    parts: dict[str, list[pa.Table]] = {}
    for name, table in coverage_parts(coverages, used, percents):
        parts.setdefault(name, []).append(table)
    return {name: pa.concat_tables(some) for name, some in parts.items()}


def coverage_parts(
    coverages: Sequence[Coverage],
    used: Mapping[tuple[object, ...], Decimal] = NOTHING,
    percents: Sequence[Decimal] = (),
    also: Mapping[str, Callable[[Numbered], pa.Table]] = MappingProxyType({}),
) -> Iterator[tuple[str, pa.Table]]:
    """The same tables by their names, some coverages' rows at a time, so that few are objects.

    `also` makes more tables of the same coverages.
    """
    products, providers, doses = _Numbered(), _Numbered(), _Numbered()
    # Only of an allowance that some coverage caps is anything counted.
    capped = {
        key: number
        for number, key in enumerate(dict.fromkeys(map(allowance_of, _capped(coverages))))
    }

    def row(each: Coverage) -> dict[str, Any]:
        allowance = allowance_of(each)
        return {
            "coverage": each,
            "product_set": products.of(each.products),
            "provider_set": providers.of(each.supplying_providers),
            "dose_set": doses.of(_dose_key(each)),
            "allowance": capped.get(allowance),
            "used_before": used.get(allowance, ZERO),
        }

    for first in range(0, max(len(coverages), 1), TOGETHER):
        some = list(enumerate(coverages[first : first + TOGETHER], first))
        caps = [(number, each.quantity_cap) for number, each in some if each.quantity_cap]
        yield "coverage", table_of(_COVERAGE, [(number, row(each)) for number, each in some])
        yield "coverage_local", table_of(_LOCAL, _locals(some))
        yield "coverage_legacy", table_of(_LEGACY, _legacy(some))
        yield "coverage_pause", table_of(_PAUSE, _pauses(some))
        for name, made in also.items():
            yield name, made(some)
        yield "cap_tolerated", table_of(_CAP_TOLERATED, list(product(caps, percents)))
    dose_rows = _dose_rows(doses)
    yield "product_set", table_of(_PRODUCTS, products.members())
    yield "provider_set", table_of(_PROVIDERS, providers.members())
    yield "dose_set", table_of(_DOSES, dose_rows)
    yield "dose_tolerated", table_of(_DOSE_TOLERATED, list(product(dose_rows, percents)))
    yield "capped_allowance", table_of(_ALLOWANCE, list(capped.values()))


_ALLOWANCE: tuple[Column, ...] = (("allowance", pa.int64(), lambda it: it),)
_COVERAGE: tuple[Column, ...] = (
    ("cov", pa.int64(), lambda it: it[0]),
    ("treatment_id", pa.string(), lambda it: it[1]["coverage"].treatment_id),
    ("approval_reference", pa.string(), lambda it: it[1]["coverage"].approval_reference),
    ("reference_key", pa.string(), lambda it: _own_reference(it[1]["coverage"])),
    ("drug", pa.string(), lambda it: it[1]["coverage"].drug),
    ("nhs_number", pa.string(), lambda it: it[1]["coverage"].nhs_number),
    ("birth_date", pa.date32(), lambda it: it[1]["coverage"].birth_date),
    ("from_day", pa.date32(), lambda it: it[1]["coverage"].from_),
    ("last_day", pa.date32(), lambda it: last_day(it[1]["coverage"])),
    ("stop_day", pa.date32(), lambda it: _stop_day(it[1]["coverage"])),
    ("died_on", pa.date32(), lambda it: it[1]["coverage"].died_on),
    ("width", pa.int64(), lambda it: _width(it[1]["coverage"])),
    ("usable", pa.bool_(), lambda it: it[1]["coverage"].status in USABLE),
    ("provider", pa.string(), lambda it: it[1]["coverage"].provider),
    ("provider_set", pa.int64(), lambda it: it[1]["provider_set"]),
    ("commissioner", pa.string(), lambda it: it[1]["coverage"].commissioner),
    ("indication", pa.string(), lambda it: it[1]["coverage"].indication_snomed),
    ("product", pa.string(), lambda it: it[1]["coverage"].product),
    ("product_set", pa.int64(), lambda it: it[1]["product_set"]),
    ("interchangeable", pa.bool_(), lambda it: it[1]["coverage"].interchangeable),
    ("route", pa.int64(), lambda it: route_number(code_approved(it[1]["coverage"].route))),
    ("start_by", pa.date32(), lambda it: _start_by(it[1]["coverage"])),
    ("began_late", pa.bool_(), lambda it: it[1]["coverage"].first_dose is not None),
    ("funded", pa.bool_(), lambda it: it[1]["coverage"].funding_origin.casefold() == "nhs"),
    ("late", pa.bool_(), lambda it: it[1]["coverage"].late),
    ("under_query", pa.bool_(), lambda it: it[1]["coverage"].under_query),
    ("overdue_after", pa.date32(), lambda it: overdue_after(it[1]["coverage"])),
    ("submitted", pa.bool_(), lambda it: it[1]["coverage"].continuation_submitted),
    ("price_cap", AMOUNT, lambda it: it[1]["coverage"].unit_price_cap),
    ("price_unit", pa.string(), lambda it: unit_key(it[1]["coverage"].price_unit)),
    ("quantity_cap", AMOUNT, lambda it: it[1]["coverage"].quantity_cap),
    ("quantity_unit", pa.string(), lambda it: unit_key(it[1]["coverage"].quantity_unit)),
    ("allowance", pa.int64(), lambda it: it[1]["allowance"]),
    ("used_before", AMOUNT, lambda it: it[1]["used_before"]),
    ("dose_set", pa.int64(), lambda it: it[1]["dose_set"]),
    ("has_length", pa.bool_(), lambda it: it[1]["coverage"].max_supply_days is not None),
)


#: A limit and its tolerance, worked out here: the product of two such numbers is none in SQL.
_CAP_TOLERATED: tuple[Column, ...] = (
    ("cov", pa.int64(), lambda it: it[0][0]),
    ("percent", AMOUNT, lambda it: it[1]),
    ("most", AMOUNT, lambda it: tolerated(it[0][1], it[1])),
)
_DOSE_TOLERATED: tuple[Column, ...] = (
    ("set_id", pa.int64(), lambda it: it[0][0]),
    ("largest_first", pa.int64(), lambda it: it[0][1]),
    ("percent", AMOUNT, lambda it: it[1]),
    ("most", AMOUNT, lambda it: tolerated(it[0][3], it[1])),
)


def tolerances_of(snapshot: Snapshot) -> list[Decimal]:
    """The distinct tolerances of quantity that any commissioner agreed, in per cent."""
    kind = SupplyTermKind.QUANTITY_TOLERANCE
    return sorted({t.amount for t in snapshot.terms.supplies if t.kind is kind and t.amount})


def _own_reference(coverage: Coverage) -> str | None:
    return normalise_reference(coverage.approval_reference or "") or None


def _start_by(coverage: Coverage) -> dt.date | None:
    """The day by which treatment was to begin, where no first dose by then is on record."""
    return None if begun_in_time(coverage) else coverage.start_by


def _stop_day(coverage: Coverage) -> dt.date | None:
    return coverage.to if coverage.stopped else None


def _width(coverage: Coverage) -> int:
    return ((coverage.to or dt.date.max) - coverage.from_).days


_LOCAL: tuple[Column, ...] = (
    ("cov", pa.int64(), lambda it: it[0]),
    ("org", pa.string(), lambda it: it[2][0]),
    ("local_id", pa.string(), lambda it: it[2][1]),
    ("drug", pa.string(), lambda it: it[1].drug),
    ("nhs_number", pa.string(), lambda it: it[1].nhs_number),
    ("birth_date", pa.date32(), lambda it: it[1].birth_date),
    ("from_day", pa.date32(), lambda it: it[1].from_),
    ("last_day", pa.date32(), lambda it: last_day(it[1])),
    ("stop_day", pa.date32(), lambda it: _stop_day(it[1])),
    ("usable", pa.bool_(), lambda it: it[1].status in USABLE),
)


def _capped(coverages: Sequence[Coverage]) -> Iterable[Coverage]:
    if isinstance(coverages, Held):
        return coverages.that_state("quantity_cap")
    return (each for each in coverages if each.quantity_cap is not None)


def _locals(
    numbered: Numbered,
) -> list[tuple[int, Coverage, tuple[str, str]]]:
    return [
        (number, each, key)
        for number, each in numbered
        for key in sorted(local_keys(each.local_ids))
    ]


_LEGACY: tuple[Column, ...] = (
    ("cov", pa.int64(), lambda it: it[0]),
    ("reference", pa.string(), lambda it: it[1]),
)


def _legacy(numbered: Numbered) -> list[tuple[int, str]]:
    """References by which a coverage is known beside its own."""
    return [
        (number, reference)
        for number, each in numbered
        for reference in sorted(references(each) - {_own_reference(each) or ""})
    ]


_PAUSE: tuple[Column, ...] = (
    ("cov", pa.int64(), lambda it: it[0]),
    ("from_day", pa.date32(), lambda it: it[1]),
    ("to_day", pa.date32(), lambda it: it[2]),
)


def _pauses(numbered: Numbered) -> list[tuple[int, dt.date, dt.date]]:
    return [
        (number, begins, ends or dt.date.max)
        for number, each in numbered
        for begins, ends in each.paused
    ]


class _Numbered:
    """Gives each distinct value a number; an empty one has none."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def of(self, value: Any) -> int | None:
        return self.numbers.setdefault(value, len(self.numbers)) if value else None

    def members(self) -> list[tuple[int, str]]:
        """Each set's number with each of its members."""
        return [(number, one) for key, number in self.numbers.items() for one in sorted(key)]


_SET_ID: Column = ("set_id", pa.int64(), lambda it: it[0])
_PRODUCTS: tuple[Column, ...] = (_SET_ID, ("product", pa.string(), lambda it: it[1]))
_PROVIDERS: tuple[Column, ...] = (_SET_ID, ("provider", pa.string(), lambda it: it[1]))
_DOSES: tuple[Column, ...] = (
    _SET_ID,
    ("largest_first", pa.int64(), lambda it: it[1]),
    ("from_day", pa.date32(), lambda it: it[2].from_),
    ("to_day", pa.date32(), lambda it: it[2].to or dt.date.max),
    ("unit", pa.string(), lambda it: unit_key(it[2].unit)),
    ("most", AMOUNT, lambda it: it[3]),
    ("amount_text", pa.string(), lambda it: f"{it[2].amount}"),
    ("days_text", pa.string(), lambda it: f"{it[2].days}"),
)


def _dose_key(coverage: Coverage) -> tuple[int, tuple[DoseLimit, ...]] | None:
    longest = coverage.max_supply_days
    return None if longest is None or not coverage.dose_limits else (longest, coverage.dose_limits)


def _dose_rows(doses: _Numbered) -> list[tuple[int, int, DoseLimit, Decimal]]:
    rows = []
    for (longest, limits), number in doses.numbers.items():
        largest_first = sorted(limits, key=lambda limit: limit.amount / limit.days, reverse=True)
        for place, limit in enumerate(largest_first):
            most = limit.amount * (longest / limit.days).to_integral_value(ROUND_CEILING)
            rows.append((number, place, limit, most))
    return rows
