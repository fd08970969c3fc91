"""Contract terms, the responsible commissioner, and what a date means after a stop or a death."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.reconciliation import LineOutcome, MatchedLine, match_submission
from app.reconciliation.contract import check_payer_of_approval
from app.reconciliation.engines import duckdb
from app.reconciliation.engines.index import index_snapshot
from app.reconciliation.model import PayerHeir
from app.reconciliation.outcome_files import from_parquet, to_parquet
from app.reconciliation.terms_model import (
    Basis,
    ContractTerm,
    ResponsiblePayer,
    SupplyTerm,
    SupplyTermKind,
    Terms,
)
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    cells,
    coverage,
    day,
    run,
    snapshot,
    submission,
)


def term(**changes: Any) -> ContractTerm:
    values: dict[str, Any] = {
        "commissioner": "DEMQ1",
        "provider": "DEMO1",
        "drug": "natalizumab",
        "basis": Basis.PASS_THROUGH,
        "from_": None,
        "to": None,
        "source": "test",
        "demonstration": True,
    }
    return ContractTerm(**{**values, **changes})


def payer(responsible: str, **changes: Any) -> ResponsiblePayer:
    values: dict[str, Any] = {
        "kept_by": "DEMQ1",
        "drug": "natalizumab",
        "among": frozenset({"DEMQ1", "DEMQ2"}),
        "responsible": responsible,
        "from_": None,
        "to": None,
        "source": "test",
        "demonstration": True,
    }
    return ResponsiblePayer(**{**values, **changes})


def one(*terms: ContractTerm | ResponsiblePayer, **changes: str) -> MatchedLine:
    known = Terms(
        contracts=tuple(t for t in terms if isinstance(t, ContractTerm)),
        payers=tuple(t for t in terms if isinstance(t, ResponsiblePayer)),
    )
    snap = replace(snapshot(coverage()), terms=known)
    lines = submission(cells(**changes)).lines
    item = match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS)[0]
    assert duckdb.match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS) == (item,)
    return item


def said(item: MatchedLine, name: str) -> tuple[str, str]:
    return next((t.result.value, t.detail) for t in item.tests if t.name == name)


BLOCK = {"basis": Basis.BLOCK}
SPLIT = (term(to=day("2025-06-15"), **BLOCK), term(from_=day("2025-06-16")))


@pytest.mark.parametrize(
    ("terms", "changes", "outcome", "result"),
    [
        ((), {}, "matched", "not testable"),
        ((term(),), {}, "matched", "passed"),
        ((term(**BLOCK),), {}, "not recoverable", "failed"),
        ((term(basis=Basis.CANCER_DRUGS_FUND),), {}, "not recoverable", "failed"),
        ((term(basis=Basis.CENTRAL),), {}, "not recoverable", "failed"),
        # the drug's own term goes before that of every drug
        ((term(drug="*", **BLOCK), term()), {}, "matched", "passed"),
        ((term(drug="*", **BLOCK),), {}, "not recoverable", "failed"),
        # another's term, another drug's, or one of another time is no term
        ((term(provider="DEMO2", **BLOCK),), {}, "matched", "not testable"),
        ((term(commissioner="DEMQ2", **BLOCK),), {}, "matched", "not testable"),
        ((term(drug="adalimumab", **BLOCK),), {}, "matched", "not testable"),
        ((term(to=day("2025-06-09"), **BLOCK),), {}, "matched", "not testable"),
        ((term(to=day("2025-06-10"), **BLOCK),), {}, "not recoverable", "failed"),
        # a site's line is its trust's
        ((term(**BLOCK),), {"provider": "DEMO101"}, "not recoverable", "failed"),
        # terms that disagree conclude nothing, nor does a month in which they change
        ((term(), term(**BLOCK)), {}, "matched", "not testable"),
        (SPLIT, {}, "not recoverable", "failed"),
        (SPLIT, {"date": ""}, "matched", "not testable"),
    ],
)
def test_only_pass_through_is_recoverable_and_a_missing_term_changes_nothing(
    terms: tuple[ContractTerm, ...], changes: dict[str, str], outcome: str, result: str
) -> None:
    item = one(*terms, **changes)
    assert (item.outcome.value, said(item, "contract")[0]) == (outcome, result)
    if outcome == "not recoverable":
        assert (item.accepted, item.queried) == (0, item.line.total_cost)
        assert "not as pass-through" in item.reason


def test_what_is_not_known_of_the_contract_is_said() -> None:
    assert said(one(), "contract")[1] == "no contract term is known"


def test_a_line_that_is_not_pass_through_uses_no_quantity_of_the_approval() -> None:
    known = Terms(contracts=(term(to=day("2025-06-15"), **BLOCK),))
    capped = coverage(quantity_cap=1, quantity_unit="vial")
    lines = run(
        replace(snapshot(capped), terms=known), cells(), cells(date="2025-06-20", local="L001")
    )
    assert [item.outcome.value for item in lines] == ["not recoverable", "matched"]


MOVED = (payer("DEMQ2", to=day("2025-06-09")), payer("DEMQ1", from_=day("2025-06-10")))


@pytest.mark.parametrize(
    ("rows", "date", "result", "proposed"),
    [
        ((payer("DEMQ1"),), "2025-06-10", "passed", None),
        ((payer("DEMQ2"),), "2025-06-10", "failed", "DEMQ2"),
        ((payer("DEMQ1"), payer("DEMQ2")), "2025-06-10", "not testable", None),
        (MOVED, "2025-06-09", "failed", "DEMQ2"),
        (MOVED, "2025-06-10", "passed", None),
        (MOVED, "", "not testable", None),
    ],
)
def test_a_mismatch_of_commissioner_proposes_and_refuses_nothing(
    rows: tuple[ResponsiblePayer, ...], date: str, result: str, proposed: str | None
) -> None:
    item = one(*rows, date=date)
    assert said(item, "commissioner")[0] == result
    assert item.proposed_commissioner == proposed
    assert item.outcome is LineOutcome.MATCHED


@pytest.mark.parametrize(
    ("rows", "pays", "result", "proposed"),
    [
        ((), "DEMQ1", "passed", None),
        ((), "DEMQ2", "failed", "DEMQ2"),
        ((payer("DEMQ2", drug="adalimumab"),), "DEMQ2", "failed", "DEMQ2"),
        ((payer("DEMQ2", to=day("2025-06-09")),), "DEMQ2", "failed", "DEMQ2"),
        # the table goes before the approval, and where it disagrees nobody is proposed
        ((payer("DEMQ1"),), "DEMQ2", "passed", None),
        ((payer("DEMQ1"), payer("DEMQ2")), "DEMQ2", "not testable", None),
    ],
)
def test_where_the_table_is_silent_the_payer_of_the_approval_is_proposed_and_nothing_refused(
    rows: tuple[ResponsiblePayer, ...], pays: str, result: str, proposed: str | None
) -> None:
    held = replace(snapshot(coverage(commissioner=pays)), terms=Terms(payers=rows))
    (item,) = run(held, cells())
    assert (said(item, "commissioner")[0], item.proposed_commissioner) == (result, proposed)
    assert (item.outcome, item.queried) == (LineOutcome.MATCHED, 0)


def test_a_payer_that_changes_within_the_time_of_supply_is_proposed_to_nobody() -> None:
    paid = coverage(commissioner="DEMS2")
    heir = PayerHeir("DEMS2", day("2020-01-01"), day("2025-09-15"), "DEMQ1")
    index = index_snapshot(replace(snapshot(paid), heirs=(heir,)))
    pays = [index.payer_on(paid, day(on)) for on in ("2025-09-15", "2025-09-16")]
    assert pays == ["DEMQ1", "DEMS2"]
    assert check_payer_of_approval("DEMQ2", pays).proposed is None
    assert check_payer_of_approval("DEMQ2", pays[:1]).proposed == "DEMQ1"


def test_the_proposal_is_kept_with_the_outcomes() -> None:
    item = one(payer("DEMQ2"))
    again = from_parquet(to_parquet((item,)), submission(cells()).lines)
    assert again[0].proposed_commissioner == "DEMQ2"


def delivered(date: str, *, route: str = "4", commissioner: str = "DEMQ1", **held: Any) -> str:
    row = cells(date=date, month="9") | {
        "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)": commissioner
    }
    lines = [replace(each, dispensing_route=route) for each in submission(row).lines]
    supplies = tuple(
        SupplyTerm("DEMQ1", kind, Decimal(14), None, None, True, "Invented")
        for kind in (SupplyTermKind.AFTER_STOP, SupplyTermKind.AFTER_DEATH)
    )
    snap = replace(snapshot(coverage(**held)), layout="drplcm-v3", terms=Terms(supplies=supplies))
    item = match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS)[0]
    assert duckdb.match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS) == (item,)
    return f"{item.outcome.value}: {item.reason}"


STOPPED = {"to": day("2025-12-01"), "stopped": True}
DIED = {"died_on": day("2025-12-01")}


@pytest.mark.parametrize(
    ("date", "changes", "said"),
    [
        ("2025-12-01", STOPPED, "matched"),
        ("2025-12-15", STOPPED, "matched"),
        ("2025-12-16", STOPPED, "outside approval period"),
        ("2025-12-02", STOPPED | {"route": "1"}, "outside approval period"),
        ("2025-12-02", STOPPED | {"commissioner": "DEMQ2"}, "outside approval period"),
        ("2025-12-02", STOPPED | {"stopped": False}, "outside approval period"),
        ("2025-12-01", DIED, "matched"),
        ("2025-12-15", DIED, "matched"),
        ("2025-12-16", DIED, "outside approval period: Supplied more than 14 days after the"),
        ("2025-12-02", DIED | {"route": "1"}, "outside approval period: Supplied after the pat"),
    ],
)
def test_a_last_delivery_may_follow_a_stop_or_a_death_as_far_as_was_agreed(
    date: str, changes: dict[str, Any], said: str
) -> None:
    assert delivered(date, **changes).startswith(said)


def test_a_month_that_reaches_beyond_a_death_decides_nothing() -> None:
    item = run(snapshot(coverage(died_on=day("2025-06-10"))), cells(date=""))[0]
    assert said(item, "death")[0] == "not testable"
    assert item.outcome is LineOutcome.MATCHED
