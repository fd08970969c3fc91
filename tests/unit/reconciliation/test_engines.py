"""The DuckDB engine gives what the plain one does, line for line and to the last place.

What holds of every submission on both is in `test_random_submissions`.
"""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reconciliation import Coverage
from app.reconciliation.engines import duckdb, in_sql, known, plain
from app.reconciliation.engines.choice import Matcher
from app.reconciliation.errors import EnginesDisagree
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import (
    cells,
    coverage,
    day,
    policy,
    snapshot,
    submission,
)
from tests.unit.reconciliation.nasty import packed

KNOWN = load_drugs(), load_organisations()
SOME = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**32)
CASES = 20  # submissions in one run


@SOME
@given(SEEDS)
def test_both_engines_say_the_same_of_every_line_of_nasty_submissions(seed: int) -> None:
    lines, snap = packed(random.Random(seed), CASES)
    expected = plain.match_submission(lines, snap, *KNOWN)
    assert duckdb.match_submission(lines, snap, *KNOWN) == expected


@pytest.mark.parametrize("name", ["start-by", "route", "commissioner", "duplicate"])
def test_each_result_of_the_newest_tests_is_among_what_is_compared(name: str) -> None:
    seen = {
        test.result.value
        for seed in range(3)
        for item in plain.match_submission(*packed(random.Random(seed), CASES), *KNOWN)
        for test in item.tests
        if test.name == name
    }
    assert seen == {"passed", "failed", "not testable"}


@pytest.mark.parametrize("engine", [plain.match_submission, duckdb.match_submission])
@pytest.mark.parametrize(
    ("died", "outcome"),
    [(None, "approval not required"), ("2025-06-01", "outside approval period")],
)
def test_a_late_start_means_nothing_where_the_drug_needs_no_approval(
    engine: Matcher, died: str | None, outcome: str
) -> None:
    late = coverage(
        start_by=day("2025-05-31"),
        first_dose=day("2025-06-05"),
        died_on=None if died is None else day(died),
    )
    held = snapshot(late, policies=[policy(approval_required=False)])
    assert engine(submission(cells()).lines, held, *KNOWN)[0].outcome == outcome


@pytest.mark.parametrize("total", ["1E-9", "1E+18"])
def test_a_number_too_wide_for_the_tables_is_taken_by_the_plain_engine(
    total: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intake reads none so wide; a draft or a later layout may bring one."""
    monkeypatch.setattr(in_sql, "steps", lambda: pytest.fail("the steps ran"))
    (line,) = submission(cells()).lines
    lines = [replace(line, total_cost=Decimal(total))]
    snap = snapshot(coverage())
    expected = plain.match_submission(lines, snap, *KNOWN)
    assert duckdb.match_submission(lines, snap, *KNOWN) == expected


def test_what_the_steps_do_not_look_at_sends_a_submission_to_the_plain_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if somebody had just taught the plain engine to look at late approvals."""
    unknown = {**known._KNOWN, Coverage: known._KNOWN[Coverage] - {"late"}}
    monkeypatch.setattr(known, "_KNOWN", unknown)
    monkeypatch.setattr(in_sql, "steps", lambda: pytest.fail("the steps ran"))
    lines = submission(cells()).lines
    snap = snapshot(coverage(late=True))
    assert duckdb.match_submission(lines, snap, *KNOWN)[0].outcome == "approved late"


def test_an_outcome_that_the_rules_do_not_give_stops_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = [
        replace(step, select=step.select.replace("'not recoverable'", "'matched'"))
        for step in in_sql.steps()
    ]
    monkeypatch.setattr(in_sql, "steps", lambda: wrong)
    lines = submission(cells()).lines
    with pytest.raises(EnginesDisagree, match="1 line"):
        duckdb.match_submission(lines, snapshot(coverage(funding_origin="trial")), *KNOWN)
