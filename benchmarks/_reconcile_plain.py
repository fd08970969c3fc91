"""The benchmark's parts in plain Python: the intake, and the plain engine on the same Parquet."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from app.reconciliation import (
    ContractLine,
    Coverage,
    LineKind,
    MatchedLine,
    PendingRequest,
    PolicyHeld,
    Snapshot,
    TestResult,
    read_submission,
)
from app.reconciliation.at_scale import MOST
from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.duckdb import Machine, database
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.line_sql import Reference, hold_lines
from app.reconciliation.engines.packed import pack
from app.reconciliation.engines.passes import PASSES, find_coverage
from app.reconciliation.engines.plain import account
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.repeats import find_repeats, find_reversals
from app.reconciliation.engines.told import Told
from app.reconciliation.period import Basis, Period
from app.reconciliation.read_columns import read_columns
from app.reconciliation.source import on_disk
from app.reconciliation.terms_model import EVERY_DRUG, ContractTerm, Terms
from app.reconciliation.terms_model import Basis as ContractBasis
from app.reference_data.drugs import Recognition, load_drugs
from app.reference_data.organisations import load_organisations
from benchmarks._reconcile_data import PAYERS, PROVIDERS

AS_AT = dt.date(2026, 4, 1)
#: Every commissioner has an agreed contract with every provider, so each line is held against one.
TERMS = Terms(
    contracts=tuple(
        ContractTerm(
            f"DEMQ{payer:02}", f"DEMP{provider:03}", EVERY_DRUG, ContractBasis.PASS_THROUGH,
            from_=dt.date(2024, 4, 1), to=None, source="invented", demonstration=True,
        )
        for payer in range(PAYERS)
        for provider in range(PROVIDERS)
    )
)  # fmt: skip

#: Each approval with its patient's local identifier and its pause, of which one has one at most.
APPROVALS = """
SELECT
    coverage.*, local.org, local.local_id, pause.from_day AS pause_from, pause.to_day AS pause_to
FROM '{folder}/coverage.parquet' AS coverage
LEFT JOIN '{folder}/coverage_local.parquet' AS local USING (cov)
LEFT JOIN '{folder}/coverage_pause.parquet' AS pause USING (cov)
ORDER BY hash(cov)
"""


def intake(folder: Path, kind: str) -> None:
    """Read a submission into its file of rows; how many lines a processor's second took."""
    started = time.process_time()
    with (folder / f"rows-{kind}.parquet").open("wb") as out:
        facts = read_columns(on_disk(folder / f"lines.{kind}"), f"lines.{kind}", out,
                             scratch=folder, most=MOST)  # fmt: skip
    took = time.process_time() - started
    print(f"{facts.lines:,} lines, {facts.lines / took:,.0f} a CPU second")


def row_by_row(folder: Path) -> None:
    """The same by the functions that define what reading means, which hold every line."""
    data = (folder / "lines.csv").read_bytes()
    started = time.process_time()
    read = read_submission(data, "lines.csv")
    took = time.process_time() - started
    print(f"{len(read.lines):,} lines, {len(read.lines) / took:,.0f} a CPU second")


def prepared(folder: Path, memory: str) -> None:
    """The rows of the CSV to the table that the steps read: drugs, periods, organisations."""
    snapshot = Snapshot((), (), (), AS_AT, layout="drplcm-v3", terms=TERMS)
    known = Reference(
        snapshot, index_snapshot(snapshot), load_drugs(), Folder(load_organisations())
    )
    started = time.process_time()
    (folder / "prepared").mkdir(exist_ok=True)
    with database(Machine(memory, spill_to=folder / "spill")) as connection:
        connection.read_parquet(str(folder / "rows-csv.parquet")).create_view("stored")
        hold_lines(connection, known, folder / "prepared")
        (lines,) = connection.sql("SELECT count(*) FROM line WHERE drug IS NOT NULL").fetchall()[0]
    print(
        f"{lines:,} lines with a drug, {lines / (time.process_time() - started):,.0f} a CPU second"
    )


def compare(folder: Path) -> int:
    """Match with the plain engine; how many lines differ from what DuckDB wrote."""
    prepared = [_prepared(row) for row in _rows(folder, "line", "pos")]
    snapshot = snapshot_of(folder)
    started = time.process_time()
    index = index_snapshot(snapshot)
    # No file of before is drawn, and no credit but of a charge's own day.
    told = Told(find_repeats(prepared, find_reversals(prepared)), Debits())
    matched = account(prepared, index, {}, told, lambda n: find_coverage(prepared[n], index))
    took = time.process_time() - started
    rows = _rows(folder, "outcome", "pos")
    differing = sum(_told(each) != _said(row) for each, row in zip(matched, rows, strict=True))
    print(f"matching alone took {took:.1f} CPU s")
    return differing


def _rows(folder: Path, table: str, order: str) -> Iterator[dict[str, Any]]:
    """A table's rows, some of them Python's objects at a time: there may be millions."""
    return _rows_of(folder, f"SELECT * FROM '{folder}/{table}.parquet' ORDER BY {order}")


def _rows_of(folder: Path, query: str) -> Iterator[dict[str, Any]]:
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)}) as opened:
        for batch in opened.sql(query).to_arrow_reader(8_192):
            yield from batch.to_pylist()


_TESTS = {
    "reference": "test_reference",
    "period": "test_period",
    "provider": "test_provider",
    "product": "test_product",
    "route": "test_route",
    "start-by": "test_start",
    "indication": "test_indication",
    "birth date": "test_birth_date",
    "funding": "test_funding",
    "continuation": "test_continuation",
    "unit price": "test_price",
    "quantity": "test_quantity",
    "dose": "test_dose",
    "agreed price": "test_agreed",
}


def _told(item: MatchedLine) -> tuple[object, ...]:
    tests = {_TESTS.get(test.name, test.name): _AS_BOOLEAN[test.result] for test in item.tests}
    # No contract is drawn here, and every line names who pays for its approval.
    assert tests.pop("contract", None) is None
    assert tests.pop("commissioner", None) is not False
    for name in ("approval status", "drug", "duplicate", "test_period"):  # the outcome tells them
        tests.pop(name, None)
    return (
        *(item.outcome.value, item.accepted, item.queried, item.treatment_id, item.found_by),
        sorted(tests.items()),
    )


_AS_BOOLEAN = {TestResult.PASSED: True, TestResult.FAILED: False, TestResult.NOT_TESTABLE: None}


def _said(row: dict[str, Any]) -> tuple[object, ...]:
    made = [name for name in _TESTS.values() if name != "test_period" and row["pass"]]
    if not row["has_agreed"]:
        made = [name for name in made if name != "test_agreed"]
    if not row["has_dose"]:
        made = [name for name in made if name != "test_dose"]
    made = [name for name in made if name != "test_reference"]
    if row["has_reference"]:
        made.append("test_reference")
    found_by = PASSES[row["pass"] - 1][0] if row["pass"] else ""
    return (
        *(row["outcome"], row["accepted"], row["queried"], row["treatment_id"], found_by),
        sorted((name, row[name]) for name in made),
    )


def _prepared(row: dict[str, Any]) -> Prepared:
    line = ContractLine(
        row=row["pos"],
        content_hash=row["content_hash"],
        raw=(),
        nhs_number=row["nhs_number"],
        local_patient_id=row["local_id"],
        withheld_reason="02" if row["withheld"] else None,
        birth_date=row["birth_date"],
        supply_date=row["supply_date"],
        indication_code=row["indication"],
        route=None if row["route"] is None else str(row["route"]),
        quantity=row["quantity"],
        unit=row["unit"],
        reference=row["reference"],
        unit_price=row["unit_price"],
        home_delivery_charge=row["home_delivery"],
        vat_charged=row["vat_charged"],
        total_cost=row["total"],
    )
    basis = Basis.MONTH if row["month_only"] else Basis.DATE
    period = Period(row["first_day"], row["last_day"], basis)
    known = Recognition(
        drug=row["drug"],
        product=row["product"],
        how="code",
        strength=None,
        form=None,
        pack=None,
        words=(),
        suggestion=None,
        conflict=False,
        candidates=(),
        reason="",
    )
    kind = LineKind(row["kind"])
    return Prepared(line, known, kind, period, row["provider"], row["commissioner"])


def snapshot_of(folder: Path) -> Snapshot:
    """The invented approvals, held as the service holds those that it reads of its database.

    They are made one after the other and packed where they are many (ADR 100), so that a run holds
    what it would hold in the service, and not all of them as objects.
    """
    return replace(others_of(folder), coverages=pack(coverages_of(folder)))


def coverages_of(folder: Path) -> Iterator[Coverage]:
    """The same one after the other, in an order that says nothing, as a database's is."""
    for row in _rows_of(folder, APPROVALS.format(folder=folder)):
        local = (row["org"], row["local_id"]) if row["local_id"] else None
        pause = (row["pause_from"], row["pause_to"]) if row["pause_from"] else None
        yield coverage_of(row, local, pause)


def others_of(folder: Path) -> Snapshot:
    """The same without the approvals."""
    pending = tuple(_pending(row) for row in _rows(folder, "pending", "pending"))
    policies = tuple(
        PolicyHeld(row["drug"], row["approval_required"], row["from_day"], row["to_day"], "")
        for row in _rows(folder, "policy", "drug")
    )
    return Snapshot((), pending, policies, AS_AT)


def coverage_of(
    row: dict[str, Any],
    local: tuple[str, str] | None,
    pause: tuple[dt.date, dt.date] | None,
) -> Coverage:
    """An approval of its row, its patient's local identifier and its pause."""
    return Coverage(
        treatment_id=row["treatment_id"],
        approval_reference=row["approval_reference"],
        drug=row["drug"],
        indication_key="",
        from_=row["from_day"],
        to=row["from_day"] + dt.timedelta(days=row["width"]),
        grace_to=row["last_day"],
        provider=row["provider"],
        commissioner=row["commissioner"],
        route=None if row["route"] is None else str(row["route"]),
        start_by=row["start_by"],
        first_dose=row["start_by"] and (dt.date.max if row["began_late"] else None),
        status="live" if row["usable"] else "withdrawn",
        nhs_number=row["nhs_number"],
        local_ids=frozenset({local} if local else ()),
        birth_date=row["birth_date"],
        indication_snomed=row["indication"],
        interchangeable=row["interchangeable"],
        funding_origin="NHS" if row["funded"] else "trial",
        late=row["late"],
        under_query=row["under_query"],
        # Its grace runs from the end, so that it is overdue where the table says.
        continuation_due=row["overdue_after"] and row["overdue_after"] - dt.timedelta(days=28),
        unit_price_cap=row["price_cap"],
        price_unit=row["price_unit"],
        quantity_cap=row["quantity_cap"],
        quantity_unit=row["quantity_unit"],
        paused=(pause,) if pause else (),
    )


def _pending(row: dict[str, Any]) -> PendingRequest:
    return PendingRequest(
        request_id=f"{row['place']:09}",
        nhs_number=row["nhs_number"],
        local_ids=frozenset(),
        drug=row["drug"],
        indication_key="",
        provider=row["provider"],
        submitted_on=AS_AT,
        kind=row["kind"],
        status="submitted",
    )
