"""Every outcome, from a line and a snapshot: one row a case. The amounts always make the total."""

from decimal import Decimal
from typing import Any

import pytest

from app.reconciliation import LineOutcome, MatchedLine, Snapshot, TestResult
from tests.unit.reconciliation.builders import (
    OTHER_PATIENT,
    PATIENT,
    cells,
    coverage,
    day,
    pending,
    policy,
    run,
    snapshot,
)

MS = "24700007"
COVERED = snapshot(coverage())
NOTHING = snapshot()
TYRUKO = "NATALIZUMAB 300 mg (TYRUKO)"
ENDS = {"to": day("2025-05-31")}
DUE = {**ENDS, "continuation_due": day("2025-05-31")}


def one(snap: Snapshot, **changes: str) -> MatchedLine:
    """The one line of a file with these changes to the clean row, matched."""
    (line,) = run(snap, cells(**changes))
    total = line.line.total_cost
    assert line.accepted + line.queried == (Decimal(0) if total is None else total)
    return line


CASES: list[tuple[str, str, Snapshot, dict[str, str]]] = [
    ("covered", "matched", COVERED, {}),
    ("open-ended coverage", "matched", snapshot(coverage(to=None)), {}),
    ("first day", "matched", snapshot(coverage(from_=day("2025-06-10"))), {}),
    ("last day", "matched", snapshot(coverage(to=day("2025-06-10"))), {}),
    ("ended treatment, earlier supply", "matched", snapshot(coverage(status="ended")), {}),
    ("imported approval", "matched", snapshot(coverage(status="imported")), {}),
    ("no NHS number, local identifier", "matched", COVERED, {"nhs": ""}),
    ("invalid NHS number, local identifier", "matched", COVERED, {"nhs": "9.99E+09"}),
    ("site of the provider", "matched", COVERED, {"provider": "DEMO101"}),
    ("unreadable provider", "matched", COVERED, {"provider": "?"}),
    ("our reference", "matched", COVERED, {"reference": "pa-0000000000001x"}),
    ("unknown reference", "matched", COVERED, {"reference": "PO12345"}),
    ("birth date differs", "matched", COVERED, {"born": "1981-02-03"}),
    ("month only, wholly covered", "matched", COVERED, {"date": ""}),
    ("indication in free text", "matched", COVERED, {"indication": "multiple sclerosis"}),
    ("biosimilar called interchangeable", "matched", COVERED, {"drug": TYRUKO}),
    (
        "spoke of the approved hub",
        "matched",
        snapshot(coverage(supplying_providers=frozenset({"DEMO2"}))),
        {"provider": "DEMO2", "local": "X"},
    ),
    (
        "accepted transfer",
        "matched",
        snapshot(
            coverage(to=day("2025-06-01")),
            coverage(provider="DEMO2", from_=day("2025-06-02")),
        ),
        {"provider": "DEMO2"},
    ),
    ("within the grace", "matched", snapshot(coverage(**ENDS, grace_to=day("2025-06-28"))), {}),
    ("approved late", "approved late", snapshot(coverage(late=True)), {}),
    ("awaiting", "awaiting decision", snapshot(pending=[pending()]), {}),
    ("under query", "awaiting decision", snapshot(coverage(under_query=True)), {}),
    (
        "continuation submitted",
        "awaiting decision",
        snapshot(coverage(**DUE, continuation_submitted=True)),
        {},
    ),
    (
        "continuation pending",
        "awaiting decision",
        snapshot(coverage(**DUE), pending=[pending(kind="continuation")]),
        {},
    ),
    (
        "transfer pending",
        "awaiting decision",
        snapshot(coverage(), pending=[pending(kind="transfer", provider="DEMO2")]),
        {"provider": "DEMO2"},
    ),
    ("nothing held", "no approval", NOTHING, {}),
    ("another patient's", "no approval", COVERED, {"nhs": OTHER_PATIENT, "local": "X"}),
    (
        "another patient's reference",
        "no approval",
        COVERED,
        {"nhs": OTHER_PATIENT, "local": "X", "reference": "PA0000000000001X"},
    ),
    (
        "local identifier contradicted by the NHS number",
        "no approval",
        COVERED,
        {"nhs": OTHER_PATIENT},
    ),
    (
        "local identifier contradicted by the birth date",
        "no approval",
        COVERED,
        {"nhs": "", "born": "1999-01-01"},
    ),
    ("local identifier of elsewhere", "no approval", COVERED, {"nhs": "", "provider": "DEMO2"}),
    ("withdrawn", "no approval", snapshot(coverage(status="withdrawn")), {}),
    ("entered in error", "no approval", snapshot(coverage(status="entered in error")), {}),
    (
        "not required",
        "approval not required",
        snapshot(policies=[policy(approval_required=False)]),
        {},
    ),
    (
        "not required, identity withheld",
        "approval not required",
        snapshot(policies=[policy(approval_required=False)]),
        {"nhs": "", "local": "", "withheld": "02"},
    ),
    (
        "not required, and the old approval overdue",
        "approval not required",
        snapshot(
            coverage(continuation_due=day("2025-05-01")),
            policies=[policy(approval_required=False)],
        ),
        {},
    ),
    (
        "required for one indication",
        "no approval",
        snapshot(policies=[policy(), policy(approval_required=False, indication_key="spms")]),
        {},
    ),
    ("no policy", "no policy held", snapshot(policies=[]), {}),
    ("no policy on a known drug", "no policy held", NOTHING, {"drug": "ocrelizumab 300mg"}),
    (
        "policy not in force yet",
        "no policy held",
        snapshot(policies=[policy(from_=day("2025-07-01"))]),
        {},
    ),
    ("no policy but an approval", "matched", snapshot(coverage(), policies=[]), {}),
    ("before", "outside approval period", snapshot(coverage(from_=day("2025-06-11"))), {}),
    ("after", "outside approval period", snapshot(coverage(**ENDS)), {}),
    (
        "after the grace",
        "outside approval period",
        snapshot(coverage(**ENDS, grace_to=day("2025-06-09"))),
        {},
    ),
    (
        "after treatment was stopped",
        "outside approval period",
        snapshot(coverage(**DUE, status="ended")),
        {},
    ),
    (
        "paused",
        "outside approval period",
        snapshot(coverage(paused=((day("2025-06-01"), None),))),
        {},
    ),
    ("overdue, after the end", "continuation overdue", snapshot(coverage(**DUE)), {}),
    (
        "overdue, within",
        "continuation overdue",
        snapshot(coverage(continuation_due=day("2025-06-09"))),
        {},
    ),
    (
        "due that very day",
        "matched",
        snapshot(coverage(continuation_due=day("2025-06-10"))),
        {},
    ),
    (
        "due before, within the grace",
        "matched",
        snapshot(coverage(continuation_due=day("2025-05-31"), grace_to=day("2026-04-10"))),
        {},
    ),
    (
        "due before, after the grace",
        "continuation overdue",
        snapshot(coverage(continuation_due=day("2025-05-31"), grace_to=day("2026-04-09"))),
        {},
    ),
    (
        "an earlier approval ended, the one of the day withdrawn",
        "no approval",
        snapshot(coverage(**ENDS), coverage(status="withdrawn", treatment_id="T2")),
        {},
    ),
    ("elsewhere", "not the approved provider", COVERED, {"provider": "DEMO2"}),
    (
        "a transfer to another provider pending",
        "not the approved provider",
        snapshot(coverage(), pending=[pending(kind="transfer", provider="DEMO3")]),
        {"provider": "DEMO2"},
    ),
    ("other drug", "drug or indication differs", COVERED, {"drug": "ADALIMUMAB 40mg"}),
    ("other indication", "drug or indication differs", COVERED, {"indication": MS}),
    (
        "product not interchangeable",
        "drug or indication differs",
        snapshot(coverage(interchangeable=False)),
        {"drug": TYRUKO},
    ),
    (
        "product not among those allowed",
        "drug or indication differs",
        snapshot(coverage(products=frozenset({"tysabri"}))),
        {"drug": TYRUKO},
    ),
    (
        "over price",
        "over price",
        snapshot(coverage(unit_price_cap=Decimal(800), price_unit="vial")),
        {},
    ),
    (
        "over quantity",
        "over quantity",
        snapshot(coverage(quantity_cap=Decimal(3), quantity_unit="vial")),
        {"quantity": "4"},
    ),
    ("fee", "not a drug line", COVERED, {"drug": "Homecare delivery charge"}),
    ("fee on a drug", "not a drug line", COVERED, {"drug": "NATALIZUMAB nursing fee"}),
    ("device", "not a drug line", COVERED, {"drug": "FREESTYLE LIBRE SENSOR"}),
    ("device by point of delivery", "not a drug line", COVERED, {"drug": "XYZ", "pod": "DEVICE"}),
    ("test", "not a drug line", COVERED, {"drug": "ROS1 test"}),
    ("credit", "credit without its debit", COVERED, {"total": "-100.00"}),
    ("credit of nobody", "not a drug line", COVERED, {"total": "-100.00", "nhs": "", "local": ""}),
    ("credit by name", "not a drug line", COVERED, {"drug": "Obeticholic Acid - PAS Credit"}),
    ("free", "not recoverable", COVERED, {"drug": "NATALIZUMAB (FOC) 300 mg", "total": "0"}),
    ("free, no total", "not recoverable", COVERED, {"drug": "NATALIZUMAB (FOC)", "total": ""}),
    ("free but charged", "not recoverable", COVERED, {"drug": "NATALIZUMAB (FOC) 300 mg"}),
    ("trial drug", "not recoverable", COVERED, {"drug": "natalizumab clinical trial"}),
    *(
        (f"funded as {origin}", "not recoverable", snapshot(coverage(funding_origin=origin)), {})
        for origin in ("free of charge", "trial", "private", "EAMS")
    ),
    ("no total", "cannot be read", COVERED, {"total": "TBC"}),
    ("drug unknown", "cannot be read", COVERED, {"drug": "Frobnicab"}),
    ("two drugs", "cannot be read", COVERED, {"drug": "natalizumab and adalimumab"}),
    ("no patient", "cannot be read", COVERED, {"nhs": "123", "local": ""}),
    ("no date nor month", "cannot be read", COVERED, {"date": "TBC", "month": "400"}),
    (
        "month partly covered",
        "cannot be read",
        snapshot(coverage(from_=day("2025-06-02"))),
        {"date": ""},
    ),
    ("month not covered", "cannot be read", snapshot(coverage(**ENDS)), {"date": ""}),
    (
        "withheld",
        "identity withheld",
        COVERED,
        {"nhs": "", "local": "", "withheld": "02"},
    ),
    (
        "withheld, with a reference that fits",
        "identity withheld",
        COVERED,
        {"nhs": "", "local": "", "withheld": "02", "reference": "PA0000000000001X"},
    ),
    ("a reason, and yet a number", "matched", COVERED, {"withheld": "97"}),
]


@pytest.mark.parametrize(
    ("outcome", "snap", "changes"),
    [pytest.param(*case[1:], id=case[0]) for case in CASES],
)
def test_a_line_ends_in_its_outcome(outcome: str, snap: Snapshot, changes: dict[str, str]) -> None:
    line = one(snap, **changes)
    assert line.outcome == outcome, line.reason
    assert line.reason
    whole = {"matched", "approved late", "approval not required"}
    if outcome in whole:
        assert line.queried == 0
        assert line.remedy == ""
    if line.queried:
        assert line.remedy
    if outcome not in {*whole, "over price", "over quantity"} and (line.line.total_cost or 0) >= 0:
        assert line.accepted == 0


def test_the_table_and_duplicates_reach_all_eighteen_outcomes() -> None:
    reached = {LineOutcome(case[1]) for case in CASES} | {LineOutcome.DUPLICATE_LINE}
    assert reached == set(LineOutcome)
    assert len(LineOutcome) == 18


def test_reasons_and_remedies_never_name_the_patient() -> None:
    for _, _, snap, changes in CASES:
        line = one(snap, **changes)
        said = " ".join([line.reason, line.remedy, *(t.detail for t in line.tests)])
        assert PATIENT not in said
        assert OTHER_PATIENT not in said
        assert "L001" not in said
        assert "1980" not in said


# --- how a line is found --------------------------------------------------------------------------

OLD = {"approval_reference": None, "legacy_references": ("BLUETEQ 77",)}


@pytest.mark.parametrize(
    ("snap", "changes", "found_by"),
    [
        (COVERED, {}, "NHS number"),
        (COVERED, {"reference": "PA0000000000001X"}, "approval reference"),
        (snapshot(coverage(**OLD)), {"reference": "blueteq-77"}, "approval reference"),
        (COVERED, {"nhs": "", "reference": "PA0000000000001X"}, "approval reference"),
        (COVERED, {"nhs": ""}, "local patient identifier"),
        (snapshot(coverage(nhs_number=None)), {}, "local patient identifier"),
        (COVERED, {"provider": "DEMO3", "local": ""}, "NHS number, elsewhere"),
    ],
)
def test_a_line_says_which_pass_found_it(
    snap: Snapshot, changes: dict[str, str], found_by: str
) -> None:
    assert one(snap, **changes).found_by == found_by


def test_a_reference_for_another_drug_is_named_and_decides_nothing() -> None:
    line = one(
        snapshot(coverage(), coverage(treatment_id="T2", drug="adalimumab", product=None,
                                      approval_reference="PA2")),
        reference="PA2",
    )  # fmt: skip
    assert line.outcome is LineOutcome.MATCHED
    assert (line.reference, line.found_by) == ("PA0000000000001X", "NHS number")
    reference = next(test for test in line.tests if test.name == "reference")
    assert reference.result is TestResult.FAILED
    assert "adalimumab" in reference.detail


def test_a_withdrawn_approval_is_named() -> None:
    line = one(snapshot(coverage(status="withdrawn")), reference="PA0000000000001X")
    assert line.outcome is LineOutcome.NO_APPROVAL
    assert "PA0000000000001X is withdrawn" in line.reason


def test_a_withdrawn_approval_does_not_hide_a_live_one() -> None:
    line = one(snapshot(coverage(status="withdrawn"), coverage(approval_reference="PA2")))
    assert (line.outcome, line.reference) == (LineOutcome.MATCHED, "PA2")


# --- which of several coverages -------------------------------------------------------------------

YEAR = {"approval_reference": "YEAR"}
MONTH = {
    "approval_reference": "MONTH",
    "from_": day("2025-06-01"),
    "to": day("2025-06-30"),
}


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        (YEAR, MONTH, "MONTH"),
        ({**YEAR, "late": True}, {**MONTH, "late": True}, "MONTH"),
        (YEAR, {**MONTH, "late": True}, "YEAR"),
        (YEAR, {**MONTH, "under_query": True}, "YEAR"),
        ({**YEAR, "under_query": True}, {**MONTH, "late": True}, "MONTH"),
        (YEAR, {**MONTH, "provider": "DEMO2"}, "YEAR"),
        (YEAR, {**MONTH, "interchangeable": False, "product": "tyruko"}, "YEAR"),
        ({**YEAR, "continuation_due": day("2025-05-01")}, MONTH, "MONTH"),
        (YEAR, {**YEAR, "approval_reference": "AAAA"}, "AAAA"),
        (
            YEAR,
            {
                "approval_reference": "LATER",
                "from_": day("2025-04-02"),
                "to": day("2026-04-01"),
            },
            "LATER",
        ),
    ],
)
def test_one_of_several_valid_coverages_is_chosen_whatever_their_order(
    first: dict[str, Any], second: dict[str, Any], chosen: str
) -> None:
    for pair in ((first, second), (second, first)):
        line = one(snapshot(*(coverage(**values) for values in pair)))
        assert line.reference == chosen


def test_free_stock_inside_an_approval_is_not_lost() -> None:
    free = coverage(**MONTH, funding_origin="free of charge")
    assert one(snapshot(coverage(**YEAR), free)).outcome is LineOutcome.NOT_RECOVERABLE


def test_the_indication_tells_two_treatments_with_one_drug_apart() -> None:
    other = coverage(**MONTH, treatment_id="T2", indication_snomed=MS, indication_key="ms")
    assert one(snapshot(coverage(**YEAR), other), indication=MS).reference == "MONTH"
    assert one(snapshot(coverage(**YEAR), other), indication="426373005").reference == "YEAR"
