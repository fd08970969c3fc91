"""The conformance cases on DuckDB: every table gives in SQL what the evaluator must give."""

from __future__ import annotations

from typing import Any

import pytest

from app.authoring.replay.forms import as_table, table_forms
from app.authoring.replay.run import decide_row, results_of
from app.authoring.replay.sql import NotTranslated
from app.policy import Kind, PolicyVersion, Result
from tests.spec import test_language_2 as two
from tests.spec import test_ternary_logic as one
from tests.unit.policy.makers import make_policy

RESULTS = {Result.MET: True, Result.NOT_MET: False, Result.NOT_ANSWERED: None}
NO_EXACT_SQL = ("LN(", "SQRT(", "EXP(", "/")


def in_sql(version: PolicyVersion, rows: list[dict[str, Any]]) -> list[bool | None]:
    relation = table_forms(version, as_table(version, rows))
    found = results_of(relation, version, Kind.INITIATION).to_pylist()
    return [result for row in found for result in row.values()]


@pytest.mark.parametrize("table", one.TABLES, ids=lambda table: table["expression"])
def test_a_missing_answer_is_neither_no_nor_yes_in_sql(table: dict[str, Any]) -> None:
    version = make_policy(questions=one.QUESTIONS, derive=one.DERIVE, start=[table["expression"]])
    named = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    rows = [
        {"decision_to_treat": one.DECISION_TO_TREAT}
        | {name: one._typed(name, value) for name, value in row.items() if name != "result"}
        for row in named
    ]
    assert in_sql(version, rows) == [row["result"] for row in named]


@pytest.mark.parametrize("table", two.TABLES, ids=lambda table: table["about"])
def test_a_test_of_language_2_gives_the_same_in_sql(table: dict[str, Any]) -> None:
    version = make_policy(
        language=2, questions=two.QUESTIONS, derive=table["derive"], start=[table["test"]]
    )
    day = {"decision_to_treat": two.CONTEXT.decision_to_treat}
    rows = [
        day | {name: two.typed(each) for name, each in answers.items()}
        for answers, _ in table["cases"]
    ]
    decisions = [decide_row(version, Kind.INITIATION, row) for row in rows]
    try:
        found = in_sql(version, rows)
    except NotTranslated:
        assert any(word in str(table["derive"]) for word in NO_EXACT_SQL)
        return
    assert found == [RESULTS[each.findings[0].result] for each in decisions]
