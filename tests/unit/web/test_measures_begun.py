"""Whose earlier measures a continuation begins its rows with: those of its own treatment alone."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from app.approvals.known_answers import KnownQuestion
from app.approvals.lifecycle import RequestState
from app.policy import Kind, Question, QuestionType
from app.web.filling import proposals
from tests.policies.library import POLICIES, versions

ROW = {"measure": "onls", "fixed_beforehand": True, "score_before": "4"}
FIELDS = {each: Question(each, QuestionType.TEXT, each) for each in (*ROW, "score_after")}
ASKED = Question("outcome_measures", QuestionType.LIST, "Outcome measures", fields=FIELDS)
VERSION = versions(POLICIES / "immunoglobulin" / "immunoglobulin-aiha")["2021-12-01.1"]
DAY = dt.date(2026, 6, 1)


def answered(treatment: str, state: RequestState, score: str) -> Any:
    request = SimpleNamespace(
        treatment_id=treatment, state=state, kind=Kind.INITIATION, decision_to_treat=DAY
    )
    value = [{**ROW, "score_before": score, "score_after": "3"}]
    return SimpleNamespace(answer={"value": value}, request=request, version=VERSION)


@pytest.mark.parametrize(
    ("answers", "begins_with"),
    [
        ([("this", RequestState.APPROVED, "4")], "4"),
        ([("another", RequestState.APPROVED, "4")], None),
        ([("this", RequestState.REFERRED, "4")], None),
        ([("another", RequestState.APPROVED, "9"), ("this", RequestState.APPROVED, "4")], "4"),
        ([("this", RequestState.REFERRED, "9"), ("this", RequestState.APPROVED, "4")], "4"),
    ],
)
def test_rows_come_from_an_approved_request_of_the_same_treatment(
    answers: Any, begins_with: str | None
) -> None:
    known: Any = SimpleNamespace(
        questions=[KnownQuestion(ASKED, tuple(answered(*each) for each in answers))]
    )
    form: Any = SimpleNamespace(
        draft=SimpleNamespace(answers={}),
        kind=Kind.CONTINUATION,
        treatment=SimpleNamespace(id="this"),
        version=VERSION,
        approved=None,
        patient=None,
        day=DAY,
    )
    put_in, told = proposals(known, form)
    assert put_in.get("outcome_measures") == (
        None if begins_with is None else {"value": [{**ROW, "score_before": begins_with}]}
    )
    assert bool(told["outcome_measures"].part) is (begins_with is not None)


def test_what_was_typed_already_is_left_alone() -> None:
    known: Any = SimpleNamespace(
        questions=[KnownQuestion(ASKED, (answered("this", RequestState.APPROVED, "4"),))]
    )
    form: Any = SimpleNamespace(draft=SimpleNamespace(answers={"outcome_measures": []}))
    assert proposals(known, form) == ({}, {})
