"""Files of language version 2: what is refused, with its line; arms; sharing; gaps."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from app.policy import (
    Answer,
    Context,
    Kind,
    Outcome,
    PolicyFileFaults,
    Result,
    Shelf,
    decide,
    decision_from_json,
    decision_to_json,
    from_resolved,
    load_policy,
    read_shelf,
)
from tests.unit.policy.makers import BASE, make_policy, policy_data, policy_text

SCORES = {
    "type": "list",
    "label": "Scores",
    "of": {
        "at": {"type": "date", "label": "At"},
        "pasi": {"type": "number", "label": "PASI"},
        "remark": {"type": "text", "label": "Remark"},
    },
}
QUESTIONS = {**BASE["questions"], "scores": SCORES}
LAST = {"latest": "scores", "by": "at", "value": "pasi"}
ARMS = [
    {"id": "high", "text": "A high score", "met_when": "score >= 8 AND flag"},
    {"id": "both", "text": "Flag, other and third", "met_when": "flag AND other AND third"},
]
TODAY = Context(date(2026, 5, 31))


def codes(text, shelf=None):
    with pytest.raises(PolicyFileFaults) as refused:
        load_policy(text, "a.yaml", shelf=shelf)
    assert all(fault.line for fault in refused.value.faults)
    return [fault.code for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("derive", "start", "code"),
    [
        ({"x": LAST}, "x > 1", "language"),
        ({"x": {"choose": [{"when": "flag", "value": 1}], "else": 2}}, "x > 1", "language"),
        ({}, "ROUND(score, 1) > 1", "language"),
        ({"x": {"value": "LN(score)"}}, "x > 1", "language"),
        ({}, {"arms": ARMS}, "language"),
    ],
)
def test_what_is_new_needs_a_file_of_language_2(derive, start, code):
    changes = {"questions": QUESTIONS, "derive": {**BASE["derive"], **derive}, "start": [start]}
    assert set(codes(policy_text(**changes))) == {code}
    assert make_policy(language=2, **changes).language == 2


def test_a_file_of_language_1_may_name_a_question_as_a_new_function_is_named():
    questions = {**BASE["questions"], "exp": {"type": "boolean", "label": "Exp"}}
    assert make_policy(questions=questions, start=["exp"]).start[0].met_when == "exp"
    assert codes(policy_text(language=2, questions=questions, start=["exp"])) == ["reserved"]


@pytest.mark.parametrize(
    ("derive", "code"),
    [
        ({"latest": "score", "value": "pasi"}, "pick"),
        ({"latest": "scores", "value": "pasi"}, "pick"),  # no date orders the rows
        ({"latest": "scores", "by": "on", "value": "pasi"}, "pick"),
        ({"latest": "scores", "by": "at", "value": "remark"}, "pick"),
        ({"latest": "scores", "by": "at"}, "missing-value"),
        ({"highest": "scores", "value": "at"}, "pick"),
        ({"highest": "scores", "by": "at", "value": "pasi"}, "does-not-apply"),
        ({"latest": "scores", "earliest": "scores", "value": "at"}, "does-not-apply"),
        ({**LAST, "where": "flag"}, "pick"),
        ({**LAST, "where": "pasi"}, "not-a-test"),
        ({**LAST, "unit": "points"}, "does-not-apply"),
        ({"choose": [{"when": "flag", "value": 1}]}, "missing-else"),
        ({"choose": [], "else": 1}, "value"),
        ({"choose": [{"when": "score", "value": 1}], "else": 1}, "not-a-test"),
        ({"choose": [{"when": "flag", "value": 1}], "else": "tested_on"}, "choose"),
        ({"choose": [{"when": "flag", "value": "dose"}], "else": "weight"}, "unit"),
        ({"choose": [{"when": "flag", "value": "other"}], "else": "other"}, "choose"),
        ({"choose": [{"when": "flag", "value": "recent"}], "else": 1}, "choose"),
        ({"choose": [{"when": "flag", "value": "'a'"}], "else": "'b'"}, "choose"),
        ({"choose": [{"when": "flag", "value": "'a'"}], "else": "'b'", "options": {"a": "A"}},
         "choose"),
        ({"choose": [{"when": "flag", "value": "'a'"}], "else": "'a'",
          "options": {"a": "A", "b": "B"}}, "choose"),
        ({"choose": [{"when": "flag", "value": 1}], "else": 2, "options": {"a": "A"}}, "choose"),
        ({"value": "ROUND(score)"}, "arguments"),
        ({"value": "ROUND(score, other)"}, "arguments"),
        ({"value": "ROUND(score, 9)"}, "arguments"),
        ({"value": "ROUND_DOWN(score, 0)"}, "arguments"),
        ({"value": "ROUND_DOWN(score, -5)"}, "arguments"),
        ({"value": "ROUND_DOWN(score, weight)"}, "arguments"),
        ({"value": "LN(tested_on)"}, "type"),
        ({"value": "LN(recent)"}, "arguments"),
        ({"value": "EXP(3)"}, "arguments"),
        ({"value": "LEAST(score, tested_on)"}, "type"),
        ({"value": "LEAST(weight, dose)"}, "unit"),
        ({"value": "GREATEST(score)"}, "arguments"),
        ({"value": "COMPLETE_MONTHS(tested_on, score)"}, "type"),
        ({"value": "SQRT(weight)"}, "unit"),
    ],
)  # fmt: skip
def test_a_derived_value_of_language_2_that_means_nothing_is_refused(derive, code):
    changes = {"questions": QUESTIONS, "derive": {**BASE["derive"], "x": derive}, "language": 2}
    assert code in codes(policy_text(**changes))


@pytest.mark.parametrize(
    ("criterion", "code"),
    [
        ({"arms": ARMS[:1]}, "value"),
        ({"arms": ARMS, "met_when": "flag"}, "does-not-apply"),
        ({"arms": [ARMS[0], {**ARMS[1], "id": "high"}]}, "duplicate-id"),
        ({"arms": [ARMS[0], {**ARMS[0], "id": "same"}]}, "repeated"),
        ({"arms": [ARMS[0], {**ARMS[1], "met_when": "nobody"}]}, "unknown-name"),
        ({"text": "Neither a test nor arms", "id": "C-9"}, "missing-met_when"),
    ],
)
def test_arms_that_mean_nothing_are_refused(criterion, code):
    assert code in codes(policy_text(language=2, start=[criterion]))


def decided(version, answers):
    given = {name: Answer(value) for name, value in answers.items()}
    return decide(version, Kind.INITIATION, given, TODAY)


@pytest.mark.parametrize(
    ("answers", "results", "nearest"),
    [
        ({"score": Decimal(9), "flag": True, "other": False, "third": False}, ("met", "not met"),
         None),
        ({"score": Decimal(7), "flag": True, "other": True, "third": False},
         ("not met", "not met"), ("both", 2, 3)),
        ({"score": Decimal(9), "flag": False, "other": False, "third": True},
         ("not met", "not met"), ("high", 1, 2)),  # as many are met, but fewer are not
        ({"score": Decimal(7), "flag": False, "other": False, "third": False},
         ("not met", "not met"), ("high", 0, 2)),
        ({"score": Decimal(7), "flag": True, "other": True}, ("not met", "not answered"), None),
    ],
)  # fmt: skip
def test_each_arm_has_a_finding_and_a_refusal_says_which_came_nearest(answers, results, nearest):
    decision = decided(make_policy(language=2, start=[{"arms": ARMS}]), answers)
    (finding,) = decision.findings
    assert tuple(arm.result.value for arm in finding.arms) == results
    assert [arm.part for arm in finding.arms] == list(finding.part.parts)
    near = finding.nearest
    assert (None if near is None else (near.arm, near.met, near.of)) == nearest
    if nearest is not None:
        assert f"Nearest came {nearest[0]} ({nearest[1]} of its {nearest[2]} tests" in str(
            decision.reasons
        )
    assert decision_from_json(json.loads(json.dumps(decision_to_json(decision)))) == decision


def test_a_criterion_with_arms_is_their_or():
    version = make_policy(language=2, start=[{"arms": ARMS}])
    assert version.start[0].met_when == "(score >= 8 AND flag) OR (flag AND other AND third)"
    assert decided(version, {"score": Decimal(9), "flag": True}).outcome is Outcome.APPROVED


ROW = {"at": date(2026, 1, 1), "pasi": Decimal(3)}


@pytest.mark.parametrize(
    ("start", "answers", "reason"),
    [
        ("last <= 3", {}, "needs an answer to “Scores”."),
        ("last <= 3", {"scores": ()}, "needs a row in “Scores” that it can look at."),
        ("last <= 3", {"scores": (ROW, {"pasi": Decimal(5)})},
         "needs an answer to “Scores” (scores[2].at)."),
        ("last <= 3", {"scores": (ROW, {"at": date(2026, 2, 1)})},
         "needs an answer to “Scores” (scores[2].pasi)."),
        ("last <= 3", {"scores": (ROW, {**ROW, "pasi": Decimal(5)})},
         "rows of “Scores” with the same date have different values."),
        ("grade = 'a'", {}, "needs an answer to “Flag”."),
        ("grade = 'a'", {"flag": False}, "needs an answer to “Score”."),
        ("chosen > 2", {"flag": True}, "needs an answer to “Dose”."),
        ("logarithm > 2", {"score": Decimal(0)}, "LN takes a number above zero. Check “Score”."),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_exactly(start, answers, reason):
    derive = {
        "last": LAST,
        "grade": {
            "choose": [{"when": "flag", "value": "'a'"}, {"when": "score > 3", "value": "'b'"}],
            "else": "'c'",
            "options": {"a": "A", "b": "B", "c": "C"},
        },
        "chosen": {"choose": [{"when": "flag", "value": "dose"}], "else": "2 * dose", "unit": "mg"},
        "logarithm": {"value": "LN(score)"},
    }
    version = make_policy(language=2, questions=QUESTIONS, derive=derive, start=[start])
    decision = decided(version, answers)
    assert decision.findings[0].result is Result.NOT_ANSWERED
    assert len(decision.reasons) == 1
    assert decision.reasons[0].endswith(reason)


FORMULA = """
name: fall
title: A fall
from: 2026-01-01
parameters:
  before: {type: number, label: Before, unit: kg}
  now: {type: number, label: Now, unit: kg}
derive: {gap: {value: before - now}}
value: gap / before
source: {title: A source}
evidence: verified
cases: [{about: one, with: {before: 4, now: 2}, gives: 0.5}]
"""
SHARED = """
area: skin
from: 2026-01-01
what_changed: First.
questions: {shared_score: {type: number, label: Shared score, minimum: 0}}
"""
SHELF = read_shelf({
    "formulas/fall/2026-01-01.yaml": FORMULA,
    "skin/questions-2026-01-01.yaml": SHARED,
}).of_area("skin")  # fmt: skip
USE = {"formula": "fall", "version": "2026-01-01", "with": {"before": "weight", "now": "weight"}}


def test_a_formula_is_expanded_into_its_steps_and_stored_in_full():
    text = policy_text(language=2, derive={"loss": USE}, start=["loss > 0.1"])
    version = load_policy(text, "a.yaml", shelf=SHELF)
    assert version.derived["loss_gap"].value == "weight - weight"
    assert version.derived["loss"].value == "loss_gap / weight"
    assert version.derived["loss"].formula == "A fall, 2026-01-01 (A source)"
    assert from_resolved(version.resolved) == version


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({**USE, "formula": "fell"}, "formula"),
        ({**USE, "version": "2025-01-01"}, "formula"),
        ({**USE, "with": {"before": "weight"}}, "formula"),
        ({**USE, "with": {**USE["with"], "later": "weight"}}, "formula"),
        ({**USE, "with": {"before": "weight", "now": "dose"}}, "unit"),
        ({**USE, "with": {"before": "weight", "now": "tested_on"}}, "formula"),
        ({**USE, "with": {"before": "weight", "now": "nobody"}}, "unknown-name"),
        ({**USE, "value": "weight"}, "does-not-apply"),
    ],
)
def test_a_formula_that_is_not_there_or_takes_something_else_is_refused(entry, code):
    text = policy_text(language=2, derive={"loss": entry}, start=["loss > 0.1"])
    assert code in codes(text, SHELF)


def test_a_step_may_not_take_a_name_that_stands_for_something_else():
    derive = {"loss_gap": {"value": "weight - weight"}, "loss": USE}
    text = policy_text(language=2, derive=derive, start=["loss > 0.1", "loss_gap > 1"])
    assert "name-taken" in codes(text, SHELF)


@pytest.mark.parametrize("language", [1, 2])
def test_a_shared_question_leaves_no_trace_in_the_hash(language):
    definition = {"type": "number", "label": "Shared score", "minimum": 0}
    data = policy_data(language=language, start=["shared_score > 1"])
    first = {"shared_score": definition, **data["questions"]}
    written = json.dumps({**data, "questions": first})
    words = {**data, "questions": {**first, "shared_score": "shared"}, "shared": "2026-01-01"}
    shared = load_policy(json.dumps(words), "a.yaml", shelf=SHELF)
    assert shared.hash == load_policy(written, "a.yaml").hash
    assert shared == load_policy(written, "a.yaml")


@pytest.mark.parametrize(
    ("questions", "shared", "shelf"),
    [
        ({"other_score": "shared"}, "2026-01-01", SHELF),
        ({"shared_score": "shared"}, "2025-01-01", SHELF),
        ({"shared_score": "shared"}, None, SHELF),
        ({}, "2026-01-01", SHELF),
        ({"shared_score": "shared"}, "2026-01-01", Shelf()),
        ({"shared_score": "shared"}, "2026-01-01", SHELF.of_area("eyes")),
    ],
)
def test_sharing_what_is_not_there_is_refused(questions, shared, shelf):
    found = policy_data(questions={**BASE["questions"], **questions})
    found |= {} if shared is None else {"shared": shared}
    assert set(codes(json.dumps(found), shelf)) == {"shared"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("formulas/fell/2026-01-01.yaml", FORMULA),
        ("formulas/fall/2026-01-02.yaml", FORMULA),
        ("formulas/fall/2026-01-01.yaml", FORMULA.replace("before - now", "before - later")),
        ("formulas/fall/2026-01-01.yaml", FORMULA.replace("gap / before", "gap * 2")),
        ("formulas/fall/2026-01-01.yaml", FORMULA.replace("value: gap / before", "else: 2")),
        ("formulas/fall/2026-01-01.yaml", FORMULA.replace("evidence: verified\n", "")),
        ("skin/questions-2026-01-02.yaml", SHARED),
        ("skin/questions-2026-01-01.yaml", SHARED.replace("number", "numbr")),
        ("skin/others.yaml", SHARED),
    ],
)
def test_a_shared_file_at_fault_is_refused(file, text):
    with pytest.raises(PolicyFileFaults):
        read_shelf({file: text})
