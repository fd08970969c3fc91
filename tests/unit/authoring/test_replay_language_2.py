"""What language version 2 adds is decided alike by DuckDB and by the evaluator, on nasty forms."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.authoring.replay.forms import as_table, table_forms
from app.authoring.replay.run import decide_row, replay, results_of
from app.policy import Kind, PolicyVersion
from tests.spec.test_language_2 import QUESTIONS
from tests.unit.authoring.random_forms import forms
from tests.unit.authoring.test_replay import RESULTS, assert_agreement
from tests.unit.policy.makers import make_policy

DERIVE = {
    "last": {"latest": "rows", "by": "at", "value": "v"},
    "last_ok": {"latest": "rows", "by": "at", "value": "v", "where": "ok"},
    "first_kind": {"earliest": "rows", "by": "at", "value": "kind", "where": "at <= d"},
    "last_day": {"latest": "rows", "by": "at", "value": "at", "where": "NOT ok OR v > n"},
    "was_ok": {"earliest": "rows", "by": "at", "value": "ok"},
    "best": {"highest": "rows", "value": "v", "where": "kind IN ('x', 'y')"},
    "worst": {"lowest": "rows", "value": "v"},
    "counted": {"count": "rows", "where": "ok"},
    "limit": {
        "choose": [{"when": "a AND b", "value": 5}, {"when": "counted >= 2", "value": "n"}],
        "else": "m * 2",
    },
    "word": {
        "choose": [{"when": "last > n", "value": "'x'"}, {"when": "a", "value": "'y'"}],
        "else": "'z'",
        "options": {"x": "X", "y": "Y", "z": "Z"},
    },
}
IN_SQL = [
    "last >= 3",
    "last_ok <= n",
    "first_kind = 'x' OR first_kind = 'z'",
    "last_day >= ADD_MONTHS(decision_to_treat, -12)",
    "was_ok",
    "best - worst > 2",
    "best / worst > 1.5",
    "last < limit",
    "word IN ('x', 'z')",
    "ROUND(n, 0) = 4",
    "ROUND(n - 5.5, 0) <> -2",
    "ROUND(n * 0.37, 1) < 2.3",
    "ROUND(i * 3, 2) > 30",
    "ROUND_DOWN(n, 2.5) >= 5",
    "ROUND_DOWN(n - 5, 0.3) < 1",
    "ROUND_DOWN(i, 7) = 14",
    "COMPLETE_MONTHS(d, decision_to_treat) >= 12",
    "COMPLETE_MONTHS(e, d) BETWEEN -3 AND 2",
    "COMPLETE_MONTHS(last_day, decision_to_treat) < 6",
    "LEAST(n, 5, m) > 4",
    "GREATEST(d, e) > ADD_MONTHS(decision_to_treat, -12)",
    "ROUND_DOWN(LEAST(last, best), 2) >= ROUND(GREATEST(n, m), 1)",
]
BY_EVALUATOR = ["LN(n) > 1", "SQRT(n) > 2", "EXP(n) < 90", "ROUND(n / m, 2) > 1.25"]


def policy(*tests: Any) -> PolicyVersion:
    return make_policy(language=2, questions=QUESTIONS, derive=DERIVE, start=list(tests))


@pytest.mark.parametrize("test", IN_SQL)
def test_each_pick_choice_and_function_is_decided_alike(test: str) -> None:
    assert_agreement(policy(test), Kind.INITIATION, 500, seed=11)


def test_named_arms_are_decided_alike() -> None:
    arms = [
        {"id": "HIGH", "text": "High", "met_when": "last >= 30"},
        {"id": "LOW", "text": "Lower, and often", "met_when": "last >= 15 AND counted >= 2"},
    ]
    version = policy({"arms": arms})
    assert_agreement(version, Kind.INITIATION, 500, seed=12)


@pytest.mark.parametrize("test", BY_EVALUATOR)
def test_what_has_no_exact_sql_is_left_to_the_evaluator(test: str) -> None:
    version = policy(test)
    rows = forms(version, 60, 13)
    for row in rows:
        row["outcome"] = decide_row(version, Kind.INITIATION, row).outcome.value
    result = replay(table_forms(version, as_table(version, rows)), version, Kind.INITIATION)
    assert result.by == "the evaluator"
    assert result.changed_count == 0
    assert len(result.matrix) > 1


# --- forms that Hypothesis makes: undated rows, ties, month ends --------------------------------

EDGES = [date(2024, 2, 29), date(2025, 2, 28), date(2026, 1, 31), date(2026, 5, 31)]
DAYS = st.builds(
    lambda day, days: day + timedelta(days=days), st.sampled_from(EDGES), st.integers(-1, 1)
)
NUMBERS = st.sampled_from(["0", "0.5", "1.5", "2.5", "4.49999999", "5", "7.5"]).map(Decimal)
ROW = st.fixed_dictionaries(
    {
        "at": st.none() | DAYS,
        "v": st.none() | NUMBERS,
        "ok": st.none() | st.booleans(),
        "kind": st.none() | st.sampled_from("xyz"),
    }
)
FORM = st.fixed_dictionaries(
    {
        "decision_to_treat": DAYS,
        "rows": st.none() | st.lists(ROW, max_size=4),
        **{name: st.none() | st.booleans() for name in "ab"},
        **{name: st.none() | NUMBERS for name in "nm"},
        **{name: st.none() | DAYS for name in "de"},
        "i": st.none() | st.integers(-20, 20),
        "k": st.none() | st.sampled_from("xyz"),
    }
)
WHOLE = policy(*IN_SQL[:18])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FORM, min_size=4, max_size=12))
def test_nasty_forms_are_decided_alike(rows: list[dict[str, Any]]) -> None:
    found = results_of(table_forms(WHOLE, as_table(WHOLE, rows)), WHOLE, Kind.INITIATION)
    for row, by_sql in zip(rows, found.to_pylist(), strict=True):
        decision = decide_row(WHOLE, Kind.INITIATION, row)
        assert by_sql == {each.criterion: RESULTS[each.result] for each in decision.findings}
