"""Of a list that was begun before treatment a continuation has what was settled then."""

from typing import Any

import pytest

from app.approvals.lasting import rows_before
from app.policy import Kind, Question, QuestionType

BEGUN = {"measure": "onls", "fixed_beforehand": True, "score_before": "4"}
SINCE = {"score_after": "3", "meaningful": True}


def asked(name: str = "outcome_measures", without: str = "") -> Question:
    fields = {
        each: Question(each, QuestionType.TEXT, each)
        for each in (*BEGUN, *SINCE)
        if each != without
    }
    return Question(name, QuestionType.LIST, "Outcome measures", fields=fields)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([{**BEGUN, **SINCE}], [BEGUN]),
        ([BEGUN, {**BEGUN, "measure": "grip"}], [BEGUN, {**BEGUN, "measure": "grip"}]),
        ([{**BEGUN, "score_before": 0}], [{**BEGUN, "score_before": 0}]),
        ([{**BEGUN, "fixed_beforehand": False}], []),
        ([{**BEGUN, "score_before": None}], []),
        ([SINCE], []),
        ([], []),
        ("none", []),
        (["onls"], []),
    ],
)
def test_a_row_has_what_was_chosen_and_scored_before_treatment(rows: Any, found: Any) -> None:
    assert rows_before(asked(), Kind.CONTINUATION, {"value": rows}) == found


def test_no_other_list_and_no_first_request_has_any() -> None:
    answer = {"value": [BEGUN]}
    assert rows_before(asked("relapses"), Kind.CONTINUATION, answer) == []
    assert rows_before(asked(), Kind.INITIATION, answer) == []
    assert rows_before(asked(without="score_before"), Kind.CONTINUATION, answer) == []
