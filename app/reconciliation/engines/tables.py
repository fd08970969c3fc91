"""Prepared lines and a snapshot as Arrow tables: what the SQL steps read. Decides nothing.

Money and quantities are DECIMAL(38, 8): exact for every price that the data set allows (18 digits
and 8 places). Coverages have a module of their own (`coverage_tables`). Open dates are 9999-12-31.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from app.reconciliation.classify import fee_sort
from app.reconciliation.engines.by_hand import matched_by_hand
from app.reconciliation.engines.contract_data import (
    agreed_price_of,
    contract_of,
    delivery_of,
    tolerance_of,
)
from app.reconciliation.engines.coverage_tables import coverage_tables, tolerances_of
from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.diagnose import GIVES_COVER
from app.reconciliation.engines.index import (
    SnapshotIndex,
    in_order,
    local_keys,
    pending_order,
)
from app.reconciliation.engines.known import check_known
from app.reconciliation.engines.limits import unit_key
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.supply_terms import HOMECARE
from app.reconciliation.engines.table_columns import AMOUNT, Column, Tables, route_number, table_of
from app.reconciliation.engines.told import told_of, used_before
from app.reconciliation.line_keys import content_key
from app.reconciliation.model import (
    Coverage,
    DecisionKind,
    LineDecision,
    LineKind,
    Snapshot,
    TestResult,
)
from app.reference_data.routes import code_stated


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tables, and the coverages in the order in which the tables number them.

    `debits` is what the credits of the file give back.
    """

    tables: Tables
    coverages: Sequence[Coverage]
    debits: Debits


def inputs_of(
    prepared: Sequence[Prepared],
    snapshot: Snapshot,
    index: SnapshotIndex,
    by_hand: Mapping[int, LineDecision],
) -> Inputs:
    """Everything that the steps read. Raises NotTabular."""
    check_known(prepared, snapshot)
    coverages = in_order(snapshot.coverages)
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
    return table_of(_LINE, rows)


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
    for position, decision in by_hand.items():
        if decision.kind is not DecisionKind.MATCH:
            overrides.append((position, decision))
        elif (found := matched_by_hand(prepared[position], index, decision).found) is not None:
            named.append((position, found.coverage))
    wanted = {each for _, each in named}
    numbers = {each: n for n, each in enumerate(coverages) if each in wanted} if wanted else {}
    places = [(position, numbers[each]) for position, each in named]
    return {"named_by_hand": table_of(_NAMED, places), "override": table_of(_OVERRIDE, overrides)}


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
        "undebited": table_of(_POS, missing),
        "taken": table_of(_POS, sorted(debits.taken | debits.fees_taken)),
        "freed": table_of(_POS, sorted(freed)),
    }


_POS: tuple[Column, ...] = (("pos", pa.int64(), lambda it: it),)


def other_tables(snapshot: Snapshot) -> Tables:
    """Waiting requests, in their order, and policies."""
    pending = list(enumerate(sorted(snapshot.pending, key=pending_order)))
    keys = [(n, key) for n, each in pending for key in sorted(local_keys(each.local_ids))]
    return {
        "pending": table_of(_PENDING, pending),
        "pending_local": table_of(_PENDING_LOCAL, keys),
        "policy": table_of(_POLICY, snapshot.policies),
    }


_PENDING: tuple[Column, ...] = (
    ("pending", pa.int64(), lambda it: it[0]),
    ("place", pa.int64(), lambda it: it[0]),
    ("nhs_number", pa.string(), lambda it: it[1].nhs_number),
    ("drug", pa.string(), lambda it: it[1].drug),
    ("provider", pa.string(), lambda it: it[1].provider),
    ("kind", pa.string(), lambda it: it[1].kind),
    ("gives_cover", pa.bool_(), lambda it: it[1].kind in GIVES_COVER),
    ("submitted_on", pa.date32(), lambda it: it[1].submitted_on),
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
