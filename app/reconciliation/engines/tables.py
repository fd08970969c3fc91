"""Prepared lines and a snapshot as Arrow tables: what the SQL steps read. Decides nothing.

Money and quantities are DECIMAL(38, 8): exact for every price that the data set allows (18 digits
and 8 places). A coverage is known by its place in `coverage_order`, so that the last tie-break of
the plain engine is an integer here. Open dates are 9999-12-31.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import product
from typing import Any

import pyarrow as pa

from app.reconciliation.classify import fee_sort
from app.reconciliation.engines.by_hand import matched_by_hand
from app.reconciliation.engines.contract_data import (
    agreed_price_of,
    contract_of,
    delivery_of,
    tolerance_of,
)
from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.diagnose import GIVES_COVER
from app.reconciliation.engines.index import (
    SnapshotIndex,
    coverage_order,
    local_keys,
    pending_order,
    references,
)
from app.reconciliation.engines.known import NotTabular, check_known
from app.reconciliation.engines.limits import ZERO, tolerated, unit_key
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.supply_terms import HOMECARE
from app.reconciliation.engines.told import allowance_of, told_of, used_before
from app.reconciliation.line_keys import content_key
from app.reconciliation.model import (
    Coverage,
    DecisionKind,
    DoseLimit,
    LineDecision,
    LineKind,
    Snapshot,
    TestResult,
)
from app.reconciliation.outcomes import USABLE, begun_in_time
from app.reconciliation.parse import normalise_reference
from app.reconciliation.period import last_day, overdue_after
from app.reconciliation.terms_model import SupplyTermKind
from app.reference_data.routes import code_approved, code_stated, name_of

AMOUNT = pa.decimal128(38, 8)
_PLACES, _WHOLE_DIGITS = 8, 18

Column = tuple[str, pa.DataType, Callable[[Any], Any]]
Tables = dict[str, pa.Table]
NOTHING: Mapping[tuple[object, ...], Decimal] = {}


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tables, and the coverages in the order in which the tables number them.

    `debits` is what the credits of the file give back.
    """

    tables: Tables
    coverages: tuple[Coverage, ...]
    debits: Debits


def inputs_of(
    prepared: Sequence[Prepared],
    snapshot: Snapshot,
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
) -> Inputs:
    """Everything that the steps read. Raises NotTabular."""
    check_known(prepared, snapshot)
    coverages = tuple(sorted(snapshot.coverages, key=coverage_order))
    debits = told_of(prepared, index).debits
    percents = tolerances_of(snapshot)
    tables = coverage_tables(coverages, used_before(index, debits), percents)
    tables |= other_tables(snapshot)
    tables |= hand_tables(prepared, coverages, index, by_hand) | debit_tables(debits, prepared)
    return Inputs({"line": line_table(prepared, index)} | tables, coverages, debits)


def line_table(prepared: Sequence[Prepared], index: SnapshotIndex) -> pa.Table:
    """The lines in the order of the file, `pos` counting them from 0."""
    rows = [
        (
            *(n, item, _no_pass_through(item, index), agreed_price_of(item, index)),
            *(index.earlier.stated, delivery_of(item, index), tolerance_of(item, index)),
        )
        for n, item in enumerate(prepared)
    ]
    return _table(_LINE, rows)


def _no_pass_through(item: Prepared, index: SnapshotIndex) -> bool:
    """Whether the contract pays for a line's drug in another way than line by line."""
    return contract_of(item, index).result is TestResult.FAILED


def _fee_sort(item: Prepared) -> str | None:
    return fee_sort(item.line.drug_name, item.on) if item.kind is LineKind.FEE else None


_LINE: tuple[Column, ...] = (
    ("pos", pa.int64(), lambda it: it[0]),
    ("row", pa.int64(), lambda it: it[1].line.row),
    ("kind", pa.string(), lambda it: it[1].kind.value),
    ("fee_sort", pa.string(), lambda it: _fee_sort(it[1])),
    ("shifted", pa.bool_(), lambda it: it[1].line.shifted),
    ("content_hash", pa.string(), lambda it: it[1].line.content_hash),
    ("content_key", pa.int64(), lambda it: content_key(it[1].line)),
    ("stated_before", pa.bool_(), lambda it: it[1].line.content_hash in it[4]),
    ("nhs_number", pa.string(), lambda it: it[1].line.nhs_number),
    ("local_id", pa.string(), lambda it: it[1].line.local_patient_id),
    ("has_identity", pa.bool_(), lambda it: it[1].has_identity),
    ("withheld", pa.bool_(), lambda it: it[1].line.withheld_reason is not None),
    ("birth_date", pa.date32(), lambda it: it[1].line.birth_date),
    ("drug", pa.string(), lambda it: it[1].recognition.drug or None),
    ("product", pa.string(), lambda it: it[1].recognition.product),
    ("route", pa.int64(), lambda it: route_number(code_stated(it[1].line.route))),
    ("indication", pa.string(), lambda it: it[1].line.indication_code),
    ("provider", pa.string(), lambda it: it[1].provider),
    ("commissioner", pa.string(), lambda it: it[1].commissioner),
    ("reference", pa.string(), lambda it: it[1].line.reference),
    ("supply_date", pa.date32(), lambda it: it[1].day),
    ("first_day", pa.date32(), lambda it: it[1].period.first if it[1].period else None),
    ("last_day", pa.date32(), lambda it: it[1].period.last if it[1].period else None),
    ("month_only", pa.bool_(), lambda it: bool(it[1].period and not it[1].period.is_day)),
    ("after_stop", pa.int32(), lambda it: it[1].period.after_stop if it[1].period else 0),
    ("after_death", pa.int32(), lambda it: it[1].period.after_death if it[1].period else 0),
    ("no_pass_through", pa.bool_(), lambda it: it[2]),
    ("total", AMOUNT, lambda it: it[1].line.total_cost),
    ("home_delivery", AMOUNT, lambda it: it[1].line.home_delivery_charge),
    ("quantity", AMOUNT, lambda it: it[1].line.quantity),
    ("unit", pa.string(), lambda it: unit_key(it[1].line.unit)),
    ("unit_price", AMOUNT, lambda it: it[1].line.unit_price),
    ("vat_charged", pa.bool_(), lambda it: it[1].line.vat_charged),
    ("has_agreed", pa.bool_(), lambda it: it[3] is not None),
    ("agreed_least", AMOUNT, lambda it: it[3].least if it[3] else None),
    ("agreed_most", AMOUNT, lambda it: it[3].most if it[3] else None),
    ("agreed_price", AMOUNT, lambda it: it[3].price if it[3] else None),
    ("homecare", pa.bool_(), lambda it: it[1].line.dispensing_route == HOMECARE),
    ("delivery_least", AMOUNT, lambda it: it[5].least),
    ("delivery_most", AMOUNT, lambda it: it[5].most),
    ("tolerance", AMOUNT, lambda it: it[6]),
)


def hand_tables(
    prepared: Sequence[Prepared] | Mapping[int, Prepared],
    coverages: Sequence[Coverage],
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
) -> Tables:
    """What people decided: coverages named by hand, and lines accepted or queried whole."""
    named, overrides = [], []
    numbers = {each: n for n, each in enumerate(coverages)} if by_hand else {}
    for position, decision in by_hand.items():
        if decision.kind is not DecisionKind.MATCH:
            overrides.append((position, decision))
        elif (found := matched_by_hand(prepared[position], index, decision).found) is not None:
            named.append((position, numbers[found.coverage]))
    return {"named_by_hand": _table(_NAMED, named), "override": _table(_OVERRIDE, overrides)}


_NAMED: tuple[Column, ...] = (
    ("pos", pa.int64(), lambda it: it[0]),
    ("cov", pa.int64(), lambda it: it[1]),
)
_OVERRIDE: tuple[Column, ...] = (
    ("pos", pa.int64(), lambda it: it[0]),
    ("accepts", pa.bool_(), lambda it: it[1].kind is DecisionKind.ACCEPT),
    ("outcome", pa.string(), lambda it: it[1].outcome.value),
)


def debit_tables(debits: Debits, prepared: Sequence[Prepared] | Mapping[int, Prepared]) -> Tables:
    """The credits without a charge to give back, the charges and fees that others take back
    loosely, and the lines whose twin in an earlier submission a credit gives back.

    Those that a credit reverses to the day are found by the steps themselves. `prepared` holds all
    lines that are alike in content to what a credit gives back.
    """
    missing = sorted(n for n, test in debits.tests.items() if test.result is TestResult.FAILED)
    places = prepared if isinstance(prepared, Mapping) else range(len(prepared))
    freed = [n for n in places if prepared[n].line.content_hash in debits.freed]
    return {
        "undebited": _table(_POS, missing),
        "taken": _table(_POS, sorted(debits.taken | debits.fees_taken)),
        "freed": _table(_POS, sorted(freed)),
    }


_POS: tuple[Column, ...] = (("pos", pa.int64(), lambda it: it),)


def coverage_tables(
    coverages: Sequence[Coverage],
    used: Mapping[tuple[object, ...], Decimal] = NOTHING,
    percents: Sequence[Decimal] = (),
) -> Tables:
    """The coverages, numbered by their place, and the sets that many of them share.

    `used` is what earlier submissions used of each allowance, `percents` the tolerances agreed.
    """
    products, providers = _Numbered(), _Numbered()
    doses, allowances = _Numbered(), _Numbered()
    rows: list[dict[str, Any]] = [
        {
            "coverage": each,
            "product_set": products.of(each.products),
            "provider_set": providers.of(each.supplying_providers),
            "dose_set": doses.of(_dose_key(each)),
            "allowance": allowances.of(allowance_of(each)),
            "used_before": used.get(allowance_of(each), ZERO),
        }
        for each in coverages
    ]
    dose_rows = _dose_rows(doses)
    caps = [(n, each.quantity_cap) for n, each in enumerate(coverages) if each.quantity_cap]
    capped = {row["allowance"] for row in rows if row["coverage"].quantity_cap is not None}
    return {
        "coverage": _table(_COVERAGE, list(enumerate(rows))),
        "coverage_local": _table(_LOCAL, _locals(coverages)),
        "coverage_legacy": _table(_LEGACY, _legacy(coverages)),
        "coverage_pause": _table(_PAUSE, _pauses(coverages)),
        "product_set": _table(_PRODUCTS, products.members()),
        "provider_set": _table(_PROVIDERS, providers.members()),
        "dose_set": _table(_DOSES, dose_rows),
        "dose_tolerated": _table(_DOSE_TOLERATED, list(product(dose_rows, percents))),
        "cap_tolerated": _table(_CAP_TOLERATED, list(product(caps, percents))),
        "capped_allowance": _table((("allowance", pa.int64(), lambda it: it),), sorted(capped)),
    }


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


def route_number(code: str | None) -> int | None:
    """A code of a route as a number: negative where the table of routes does not know it.

    Two that are positive and differ are two routes; of others only being the same tells anything.
    """
    if code is None:
        return None
    return int(code) if name_of(code) is not None else -int(code)


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


def _locals(coverages: Sequence[Coverage]) -> list[tuple[int, Coverage, tuple[str, str]]]:
    return [
        (number, each, key)
        for number, each in enumerate(coverages)
        for key in sorted(local_keys(each.local_ids))
    ]


_LEGACY: tuple[Column, ...] = (
    ("cov", pa.int64(), lambda it: it[0]),
    ("reference", pa.string(), lambda it: it[1]),
)


def _legacy(coverages: Sequence[Coverage]) -> list[tuple[int, str]]:
    """References by which a coverage is known beside its own."""
    return [
        (number, reference)
        for number, each in enumerate(coverages)
        for reference in sorted(references(each) - {_own_reference(each) or ""})
    ]


_PAUSE: tuple[Column, ...] = (
    ("cov", pa.int64(), lambda it: it[0]),
    ("from_day", pa.date32(), lambda it: it[1]),
    ("to_day", pa.date32(), lambda it: it[2]),
)


def _pauses(coverages: Sequence[Coverage]) -> list[tuple[int, dt.date, dt.date]]:
    return [
        (number, begins, ends or dt.date.max)
        for number, each in enumerate(coverages)
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


def other_tables(snapshot: Snapshot) -> Tables:
    """Waiting requests, in their order, and policies."""
    pending = list(enumerate(sorted(snapshot.pending, key=pending_order)))
    keys = [(n, key) for n, each in pending for key in sorted(local_keys(each.local_ids))]
    return {
        "pending": _table(_PENDING, pending),
        "pending_local": _table(_PENDING_LOCAL, keys),
        "policy": _table(_POLICY, snapshot.policies),
    }


_PENDING: tuple[Column, ...] = (
    ("pending", pa.int64(), lambda it: it[0]),
    ("place", pa.int64(), lambda it: it[0]),
    ("nhs_number", pa.string(), lambda it: it[1].nhs_number),
    ("drug", pa.string(), lambda it: it[1].drug),
    ("provider", pa.string(), lambda it: it[1].provider),
    ("kind", pa.string(), lambda it: it[1].kind),
    ("gives_cover", pa.bool_(), lambda it: it[1].kind in GIVES_COVER),
)
_PENDING_LOCAL: tuple[Column, ...] = (
    ("pending", pa.int64(), lambda it: it[0]),
    ("org", pa.string(), lambda it: it[1][0]),
    ("local_id", pa.string(), lambda it: it[1][1]),
)
_POLICY: tuple[Column, ...] = (
    ("drug", pa.string(), lambda it: it.drug),
    ("commissioner", pa.string(), lambda it: it.commissioner),
    ("from_day", pa.date32(), lambda it: it.from_),
    ("to_day", pa.date32(), lambda it: it.to or dt.date.max),
    ("approval_required", pa.bool_(), lambda it: it.approval_required),
)


def _table(columns: Sequence[Column], rows: Sequence[Any]) -> pa.Table:
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
