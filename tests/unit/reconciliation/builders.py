"""Small builders for tests: a coverage, a line's cells, a file, and a run over both."""

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

from app.reconciliation import (
    Coverage,
    MatchedLine,
    PendingRequest,
    PolicyHeld,
    Snapshot,
    Submission,
    match_submission,
    read_submission,
)
from app.reference_data.drugs import load_drugs
from app.reference_data.nhs_number import test_number as nhs_number
from app.reference_data.organisations import load_organisations

DRUGS_AND_ORGANISATIONS = (load_drugs(), load_organisations())
FOLD = DRUGS_AND_ORGANISATIONS[1].fold
PATIENT = nhs_number(1)
OTHER_PATIENT = nhs_number(2)
RRMS = "426373005"

CLEAN: Mapping[str, str] = {
    "FINANCIAL MONTH": "3",
    "FINANCIAL YEAR": "202526",
    "ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO1",
    "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)": "DEMQ1",
    "WITHHELD IDENTITY REASON": "",
    "NHS NUMBER": PATIENT,
    "LOCAL PATIENT IDENTIFIER (EXTENDED)": "L001",
    "PERSON BIRTH DATE": "1980-02-03",
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2025-06-10",
    "THERAPEUTIC INDICATION CODE (SNOMED CT)": "",
    "HIGH COST TARIFF EXCLUDED DRUG CODE (SNOMED CT DM+D)": "",
    "DRUG NAME": "NATALIZUMAB 300 mg in 15 ml (TYSABRI)",
    "DRUG QUANTITY OR WEIGHT PROPORTION": "1",
    "UNIT OF MEASUREMENT (SNOMED CT DM+D)": "vial",
    "PROVIDER REFERENCE NUMBER": "",
    "POINT OF DELIVERY CODE": "DRUG",
    "UNIT PRICE (SUPPLIER)": "1000.00",
    "UNIT PRICE (COMMISSIONER)": "1000.00",
    "HOME DELIVERY CHARGE": "0",
    "VALUE ADDED TAX CHARGED INDICATOR": "N",
    "TOTAL COST": "1000.00",
}
SHORT = {
    "month": "FINANCIAL MONTH",
    "year": "FINANCIAL YEAR",
    "provider": "ORGANISATION IDENTIFIER (CODE OF PROVIDER)",
    "withheld": "WITHHELD IDENTITY REASON",
    "nhs": "NHS NUMBER",
    "local": "LOCAL PATIENT IDENTIFIER (EXTENDED)",
    "born": "PERSON BIRTH DATE",
    "date": "CLINICAL INTERVENTION DATE (DRUG DISPENSED)",
    "indication": "THERAPEUTIC INDICATION CODE (SNOMED CT)",
    "code": "HIGH COST TARIFF EXCLUDED DRUG CODE (SNOMED CT DM+D)",
    "drug": "DRUG NAME",
    "quantity": "DRUG QUANTITY OR WEIGHT PROPORTION",
    "unit": "UNIT OF MEASUREMENT (SNOMED CT DM+D)",
    "reference": "PROVIDER REFERENCE NUMBER",
    "pod": "POINT OF DELIVERY CODE",
    "price": "UNIT PRICE (COMMISSIONER)",
    "delivery": "HOME DELIVERY CHARGE",
    "vat": "VALUE ADDED TAX CHARGED INDICATOR",
    "total": "TOTAL COST",
    "payer": "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)",
    "route": "DISPENSING ROUTE",
    "given": "ROUTE OF ADMINISTRATION (SNOMED CT DM+D)",
    "delivered": "DRUG DELIVERY DATE",
    "invoiced": "INVOICE DATE",
}


def cells(**changes: str) -> dict[str, str]:
    """A clean row by element name, with changes by the short names above."""
    return {**CLEAN, **{SHORT[name]: value for name, value in changes.items()}}


def csv_bytes(rows: Sequence[Mapping[str, str]], delimiter: str = ",") -> bytes:
    """A file of these rows, UTF-8, under the data dictionary's headers."""
    out = io.StringIO()
    header = list(dict.fromkeys([*CLEAN, *(name for row in rows for name in row)]))
    writer = csv.DictWriter(out, header, restval="", delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def submission(*rows: Mapping[str, str]) -> Submission:
    """The rows as read back from a file."""
    return read_submission(csv_bytes(rows), "lines.csv")


def day(text: str) -> dt.date:
    """A date from ISO text."""
    return dt.date.fromisoformat(text)


def coverage(**changes: Any) -> Coverage:
    """A live year of natalizumab for PATIENT at DEMO1 that covers the clean row."""
    values: dict[str, Any] = {
        "treatment_id": "T1",
        "approval_reference": "PA0000000000001X",
        "drug": "natalizumab",
        "indication_key": "rrms",
        "from_": day("2025-04-01"),
        "to": day("2026-03-31"),
        "provider": "DEMO1",
        "commissioner": "DEMQ1",
        "nhs_number": PATIENT,
        "local_ids": frozenset({("DEMO1", "L001")}),
        "birth_date": day("1980-02-03"),
        "indication_snomed": RRMS,
        "products": frozenset({"tysabri", "tyruko"}),
        "product": "tysabri",
        "interchangeable": True,
        **changes,
    }
    return Coverage(**values)


def pending(**changes: Any) -> PendingRequest:
    """An undecided initiation of natalizumab for PATIENT at DEMO1."""
    values: dict[str, Any] = {
        "request_id": "R1",
        "nhs_number": PATIENT,
        "local_ids": frozenset(),
        "drug": "natalizumab",
        "indication_key": "rrms",
        "provider": "DEMO1",
        "submitted_on": day("2025-06-12"),
        "kind": "initiation",
        "status": "submitted",
        **changes,
    }
    return PendingRequest(**values)


def policy(drug: str = "natalizumab", **changes: Any) -> PolicyHeld:
    """A policy in force since 2020 that asks for approval."""
    values: dict[str, Any] = {
        "drug": drug,
        "approval_required": True,
        "from_": day("2020-01-01"),
        "to": None,
        "indication_key": "rrms",
        **changes,
    }
    return PolicyHeld(**values)


def snapshot(
    *coverages: Coverage,
    pending: Sequence[PendingRequest] = (),
    policies: Sequence[PolicyHeld] | None = None,
) -> Snapshot:
    """A snapshot; unless told otherwise a policy is held on natalizumab and on adalimumab."""
    held = (policy(), policy("adalimumab")) if policies is None else tuple(policies)
    return Snapshot(coverages, tuple(pending), held, day("2025-07-31"))


def run(snap: Snapshot, *rows: Mapping[str, str]) -> tuple[MatchedLine, ...]:
    """Read the rows as a file and match them."""
    return match_submission(submission(*rows).lines, snap, *DRUGS_AND_ORGANISATIONS)
