"""Decisions by hand: applied before the first pass, skipping no other test, stale when changed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reconciliation import LineOutcome, MatchedLine, Snapshot, match_submission, summarise
from app.reconciliation.engines import duckdb
from app.reconciliation.engines.by_hand import BY_HAND, approval_digest
from app.reconciliation.engines.explain import Tried, trace
from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.prepare import prepare
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import DecisionKind, Earlier, LineDecision
from app.reconciliation.terms_model import Basis, ContractTerm, Terms
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    FOLD,
    OTHER_PATIENT,
    cells,
    coverage,
    day,
    run,
    snapshot,
    submission,
)

COVERAGE = coverage()
REFERENCE = "PA0000000000001X"
#: The patient's number is another's, and no hospital number helps.
STRANGER = {"nhs": OTHER_PATIENT, "local": "L999", "born": ""}


def key_of(*rows: dict[str, str], at: int = 0) -> str:
    return keys_of(submission(*rows).lines)[at]


def named(row: dict[str, str], **changes: Any) -> LineDecision:
    """A match of the row to the approval as it stands."""
    made = LineDecision(
        key_of(row),
        DecisionKind.MATCH,
        LineOutcome.NO_APPROVAL,
        REFERENCE,
        approval_digest([COVERAGE]),
    )
    return replace(made, **changes)


def with_decisions(snap: Snapshot, *decisions: LineDecision) -> Snapshot:
    return replace(snap, decisions=decisions)


def told_by_hand(line: MatchedLine) -> tuple[str, str]:
    return next((t.result.value, t.detail) for t in line.tests if t.name == BY_HAND)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "matched"),
        ({"provider": "DEMO2"}, "not the approved provider"),
        ({"indication": "24700007"}, "drug or indication differs"),
    ],
)
def test_a_match_by_hand_finds_the_approval_and_skips_no_other_test(
    changes: dict[str, str], outcome: str
) -> None:
    row = cells(**STRANGER, **changes)
    (alone,) = run(snapshot(COVERAGE), row)
    (line,) = run(with_decisions(snapshot(COVERAGE), named(row)), row)
    assert alone.outcome is LineOutcome.NO_APPROVAL
    assert (line.outcome, line.found_by, line.reference) == (outcome, BY_HAND, REFERENCE)
    assert told_by_hand(line)[0] == "passed"
    assert {"period", "provider", "product", "unit price", "quantity"} < {
        t.name for t in line.tests
    }


@pytest.mark.parametrize(
    ("now", "row", "why"),
    [
        (replace(COVERAGE, to=day("2026-03-30")), {}, "stale"),
        (replace(COVERAGE, status="withdrawn"), {}, "stale"),
        (replace(COVERAGE, approval_reference="PA0000000000002X"), {}, "stale"),
        (COVERAGE, {"drug": "HUMIRA 40mg pen"}, "the approval is of natalizumab"),
        (COVERAGE, {"date": "2027-06-10"}, "does not cover the time of supply"),
    ],
)
def test_a_match_that_no_longer_holds_is_not_applied_and_says_so(
    now: Any, row: dict[str, str], why: str
) -> None:
    whole = cells(**STRANGER, **row)
    (line,) = run(with_decisions(snapshot(now), named(whole)), whole)
    assert line.found_by != BY_HAND
    assert line.accepted == 0
    result, detail = told_by_hand(line)
    assert result == "failed"
    assert why in detail


def test_who_the_patient_is_does_not_make_a_match_stale() -> None:
    row = cells(**STRANGER)
    moved = replace(COVERAGE, nhs_number=None, local_ids=frozenset())
    (line,) = run(with_decisions(snapshot(moved), named(row)), row)
    assert line.outcome is LineOutcome.MATCHED


@pytest.mark.parametrize(
    ("kind", "row", "seen", "accepted"),
    [
        (DecisionKind.ACCEPT, cells(**STRANGER), "no approval", "1000.00"),
        (DecisionKind.QUERY, cells(), "matched", "0"),
        (DecisionKind.ACCEPT, cells(**STRANGER, total="TBC"), "cannot be read", "0"),
        (DecisionKind.ACCEPT, cells(**STRANGER), "over price", None),
        (DecisionKind.QUERY, cells(), "approved late", None),
    ],
)
def test_an_override_moves_the_whole_amount_unless_the_outcome_changed(
    kind: DecisionKind, row: dict[str, str], seen: str, accepted: str | None
) -> None:
    decision = LineDecision(key_of(row), kind, LineOutcome(seen))
    (alone,) = run(snapshot(COVERAGE), row)
    (line,) = run(with_decisions(snapshot(COVERAGE), decision), row)
    assert line.outcome is alone.outcome
    if accepted is None:
        assert (line.accepted, line.found_by) == (alone.accepted, alone.found_by)
        assert told_by_hand(line)[0] == "failed"
        assert "stale" in told_by_hand(line)[1]
        return
    assert (str(line.accepted), line.found_by) == (accepted, BY_HAND)
    assert line.accepted + line.queried == (line.line.total_cost or 0)
    assert "by a decision by hand" in line.reason


def test_a_reversal_follows_the_charge_that_was_overridden() -> None:
    charge, back = cells(**STRANGER), cells(**STRANGER, total="-1000.00")
    decision = LineDecision(key_of(charge, back), DecisionKind.ACCEPT, LineOutcome.NO_APPROVAL)
    first, second = run(with_decisions(snapshot(COVERAGE), decision), charge, back)
    assert (first.accepted, second.accepted) == (Decimal("1000.00"), Decimal("-1000.00"))


@pytest.mark.parametrize("engine", [match_submission, duckdb.match_submission])
@pytest.mark.parametrize(
    ("rows", "at", "kind", "why"),
    [
        (({}, {"total": "-1000.00"}), 1, DecisionKind.MATCH, "a credit that reverses row 1"),
        (({}, {"total": "-1000.00"}), 1, DecisionKind.QUERY, "decide on the charge"),
        (({}, {}), 1, DecisionKind.MATCH, "states the same as row 1"),
        (({"total": "TBC"},), 0, DecisionKind.MATCH, "total cost cannot be read"),
        (({"drug": "NATALIZUMAB (FOC)"},), 0, DecisionKind.MATCH, "free of charge"),
        (({"drug": "delivery"},), 0, DecisionKind.MATCH, "a fee or a delivery"),
        (({"total": "-12.34"},), 0, DecisionKind.MATCH, "gives money back"),
    ],
)
def test_a_decision_that_changes_nothing_of_a_line_says_so_and_why(
    rows: tuple[dict[str, str], ...], at: int, kind: DecisionKind, why: str, engine: Any
) -> None:
    told = [cells(**row) for row in rows]
    lines = submission(*told).lines
    plain = engine(lines, snapshot(COVERAGE), *DRUGS_AND_ORGANISATIONS)
    decision = named(told[at], line_key=key_of(*told, at=at), kind=kind)
    found = engine(lines, with_decisions(snapshot(COVERAGE), decision), *DRUGS_AND_ORGANISATIONS)
    result, detail = told_by_hand(found[at])
    assert (result, detail.startswith("not applied: "), why in detail) == ("failed", True, True)
    assert [(m.outcome, m.accepted) for m in found] == [(m.outcome, m.accepted) for m in plain]
    others = [m.tests for n, m in enumerate(found) if n != at]
    assert not [t for tests in others for t in tests if t.name == BY_HAND]


def test_a_match_of_a_line_that_stands_before_or_is_no_pass_through_says_so() -> None:
    (line,) = submission(cells()).lines
    decided = with_decisions(snapshot(COVERAGE), named(cells()))
    before = replace(decided, earlier=Earlier(stated=frozenset({line.content_hash})))
    block = ContractTerm("DEMQ1", "DEMO1", "*", Basis.BLOCK, None, None, "test", True)
    unpaid = replace(decided, terms=Terms(contracts=(block,)))
    for snap, outcome, why in (
        (before, "duplicate line", "an earlier submission"),
        (unpaid, "not recoverable", "not as pass-through"),
    ):
        (found,) = run(snap, cells())
        assert found.outcome == outcome
        assert why in told_by_hand(found)[1]


def test_what_rules_came_to_look_at_since_makes_no_match_stale() -> None:
    """Its digest was made before they did; their tests are made on the line all the same."""
    now = replace(COVERAGE, route="34206005", start_by=day("2025-04-10"), first_dose=None)
    row = cells(**STRANGER, given="47625008")
    (line,) = run(with_decisions(snapshot(now), named(row)), row)
    assert (line.outcome, line.found_by) == ("drug or indication differs", BY_HAND)


@given(st.lists(st.sampled_from(["10.00", "20.00", "30.00"]), min_size=2, max_size=8), st.data())
@settings(max_examples=40, deadline=None)
def test_undoing_one_leaves_the_others_and_totals_tie_in_any_order(
    totals: list[str], data: st.DataObject
) -> None:
    rows = [cells(**STRANGER, total=total) for total in totals]
    matched = run(snapshot(COVERAGE), *rows)
    made = [
        LineDecision(key, DecisionKind.ACCEPT, m.outcome)
        for key, m in zip(keys_of([m.line for m in matched]), matched, strict=True)
    ]
    kept = data.draw(st.lists(st.sampled_from(made), unique=True))
    shuffled = data.draw(st.permutations(rows))
    found = run(with_decisions(snapshot(COVERAGE), *kept), *shuffled)
    summarise(found, FOLD)
    by_key = dict(zip(keys_of([m.line for m in found]), found, strict=True))
    for decision in made:
        assert (by_key[decision.line_key].accepted > 0) is (decision in kept)


def traced(*decisions: LineDecision, **changes: str) -> dict[str, tuple[Tried, str]]:
    snap = snapshot(COVERAGE)
    lines = submission(cells(**changes)).lines
    (item,) = prepare(lines, load_drugs(), Folder(load_organisations()), snap.as_at)
    found = trace(item, index_snapshot(snap), decisions[0] if decisions else None)
    return {each.name: (each.result, each.why) for each in found.passes}


@pytest.mark.parametrize(
    ("changes", "name", "result", "why"),
    [
        ({}, BY_HAND, "not tried", "nobody matched"),
        ({}, "approval reference", "not tried", "quotes no reference"),
        ({"reference": "PO12345"}, "approval reference", "nothing found", "no approval is held"),
        ({"nhs": ""}, "NHS number", "not tried", "no legible NHS number"),
        ({}, "NHS number", "found", "PA0000000000001X (natalizumab, 01/04/2025 to 31/03/2026"),
        ({}, "NHS number, elsewhere", "not tried", "an earlier pass"),
        ({"provider": "DEMO2"}, "NHS number", "nothing found", "DEMO2 is not DEMO1"),
        ({"provider": "DEMO2"}, "NHS number, elsewhere", "found", "fits"),
        ({"date": "2027-06-10"}, "NHS number", "nothing found", "after it ends"),
        ({"drug": "HUMIRA 40mg"}, "NHS number", "nothing found", "the line is of adalimumab"),
        (STRANGER, "NHS number", "nothing found", "no approval is held under it"),
    ],
)
def test_each_pass_says_why_it_found_what_it_did(
    changes: dict[str, str], name: str, result: str, why: str
) -> None:
    found = traced(**changes)[name]
    assert found[0] == result
    assert why in found[1]


def test_the_trace_names_the_pass_that_the_engine_names() -> None:
    for changes in ({}, {"nhs": ""}, {"provider": "DEMO2"}, {"reference": REFERENCE}, STRANGER):
        (line,) = run(snapshot(COVERAGE), cells(**changes))
        by = [name for name, (result, _) in traced(**changes).items() if result is Tried.FOUND]
        assert by == ([line.found_by] if line.found_by else [])
