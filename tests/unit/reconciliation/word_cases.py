"""Lines in pairs that are alike but for one thing that their words state: one patient to each."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

from app.reconciliation import ContractLine, Coverage, PendingRequest, Snapshot
from app.reconciliation.terms_model import Basis, ContractTerm, Terms
from app.reference_data.nhs_number import test_number as nhs_number
from tests.unit.reconciliation.builders import cells, coverage, day, pending, snapshot, submission

_TERMS = Terms(
    contracts=tuple(
        ContractTerm("DEMQ2", "DEMO1", drug, basis, None, None, "cases", True)
        for drug, basis in (("natalizumab", Basis.BLOCK), ("adalimumab", Basis.FIXED))
    )
)
_ENDED = day("2025-05-01")
_FAR: dict[str, Any] = {"from_": day("2025-08-01")}
#: Of the patient: approvals, and what changes of the clean line. None: an approval of the patient.
_CASES: tuple[tuple[tuple[dict[str, Any], ...], dict[str, str]], ...] = (
    # nothing is looked for
    ((), {"drug": "dispensing fee"}),
    ((), {"drug": "dispensing fee", "total": "-5"}),
    ((), {"drug": "credit", "total": "-5"}),
    ((), {"drug": "credit", "total": "5"}),
    ((), {"drug": "NATALIZUMAB (FOC)", "total": "0"}),
    ((), {"drug": "NATALIZUMAB (FOC)", "total": "3"}),
    ((), {"drug": "Frob"}),
    ((), {"drug": "Natalizumob"}),
    ((), {"total": ""}),
    ((), {"total": "TBC"}),
    ((), {"payer": "DEMQ2"}),
    ((), {"payer": "DEMQ2", "drug": "adalimumab"}),
    # nothing is found
    ((), {}),
    ((), {"drug": "rituximab"}),
    ((), {"date": "", "month": "", "year": ""}),
    ((), {"date": "31/02/2025", "month": "", "year": ""}),
    ((), {"date": "soon", "month": "", "year": ""}),
    ((), {"nhs": "", "local": ""}),
    ((), {"nhs": "4", "local": ""}),
    ((), {"nhs": "", "local": "", "withheld": "02"}),
    (({"status": "withdrawn"},), {}),
    (({"status": "refused"},), {}),
    (({"status": "refused", "approval_reference": None},), {}),
    (({"drug": "adalimumab"},), {}),
    (({},), {"drug": "adalimumab"}),
    (({"to": _ENDED, "continuation_due": _ENDED},), {}),
    (({"to": _ENDED, "continuation_due": day("2025-04-30")},), {}),
    (({"to": _ENDED, "continuation_due": _ENDED, "continuation_submitted": True},), {}),
    (({"to": _ENDED},), {}),
    (({"to": None, "paused": ((day("2025-06-01"), None),)},), {}),
    (({"to": None, "paused": ((day("2025-06-12"), None),)},), {"date": ""}),
    ((_FAR,), {}),
    ((_FAR,), {"reference": "NOBODYS"}),
    ((_FAR,), {"reference": "PA-OTHER"}),
    # a reference that is of no use, found or not
    (({"approval_reference": None, "legacy_references": ("PA-FAR",), **_FAR}, {}), {
        "reference": "PA-FAR"}),
    (({"approval_reference": "PA-DRUG", "drug": "adalimumab"}, {}), {"reference": "PA-DRUG"}),
    (({"approval_reference": "PA-GONE", "status": "refused"}, {}), {"reference": "PA-GONE"}),
    (({"approval_reference": "PA-ELSE", "provider": "DEMO3"}, {}), {"reference": "PA-ELSE"}),
    (({},), {"reference": "PA-OTHER"}),
    (({},), {"reference": "NOBODYS"}),
    # of tests that fail alike, each says its own
    (({"provider": "DEMO3"},), {}),
    (({"provider": "DEMO4"},), {}),
    # in the grace, and while a request is undecided
    (({"to": day("2025-06-09"), "grace_to": day("2025-07-09")},), {}),
    (({"to": day("2025-06-09"), "stopped": True, "grace_to": day("2025-07-09")},), {}),
)  # fmt: skip
_WAITING: tuple[dict[str, Any], ...] = (
    {},
    {"kind": "transfer"},
    {"submitted_on": day("2025-06-11")},
)


def drawn() -> tuple[tuple[ContractLine, ...], Snapshot]:
    """Every case twice, of two patients; credits and lines that repeat stand at the end."""
    rows: list[dict[str, str]] = []
    held: list[Coverage] = [_of(nhs_number(1), {"approval_reference": "PA-OTHER"}, "other")]
    waiting: list[PendingRequest] = []
    patients = _patients()
    for approvals, changes in _CASES * 2:
        number, local = next(patients)
        held += [
            _of(number, approval, f"{local}-{place}") for place, approval in enumerate(approvals)
        ]
        rows.append(cells(**{"nhs": number, "local": local, **changes}))
    for each in _WAITING * 2:
        number, local = next(patients)
        waiting.append(pending(request_id=local, nhs_number=number, **each))
        rows.append(cells(nhs=number, local=local))
    rows += _together(patients, held)
    lines = submission(*rows).lines
    snap = replace(snapshot(*held, pending=waiting), terms=_TERMS)
    return lines, replace(snap, layout="drplcm-v3")


def _together(patients: Iterator[tuple[str, str]], held: list[Coverage]) -> list[dict[str, str]]:
    """Charges with the credits that take them back on their day or later, and twice the same."""
    rows = []
    for total, cap in (("1000.00", None), ("1000", None), ("1000.50", "800"), ("30", "800")) * 2:
        number, local = next(patients)
        of: dict[str, Any] = {"unit_price_cap": Decimal(cap) if cap else None, "price_unit": "vial"}
        held.append(_of(number, of, local))
        line = cells(nhs=number, local=local, total=total)
        later = {**line, **cells(nhs=number, local=local, total=f"-{total}", date="2025-06-20")}
        number, local = next(patients)
        again = cells(nhs=number, local=local, total=total)
        rows += [line, {**line, "TOTAL COST": f"-{total}"}, again, again, line, later]
    return rows


def _patients() -> Iterator[tuple[str, str]]:
    return ((nhs_number(n), f"L{n}") for n in count(10))


def _of(number: str, changes: dict[str, Any], name: str) -> Coverage:
    values = {"approval_reference": f"PA-{name}", **changes}
    local = frozenset({("DEMO1", name.partition("-")[0])})
    return coverage(treatment_id=f"T{name}", nhs_number=number, local_ids=local, **values)
