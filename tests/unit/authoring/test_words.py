"""What explain, diff, lint and coverage say, word for word, and how forms are read."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from app.approvals.library import Library
from app.authoring.coverage import coverage, coverage_lines
from app.authoring.diff import diff_lines, diff_versions
from app.authoring.errors import BenchRefused
from app.authoring.explain import explain
from app.authoring.filled_form import decide_form, read_form
from app.authoring.lint import Lint, lint_policy, lint_version
from app.authoring.overview import overview, table_lines
from app.authoring.unfailing import unfailing
from app.policy import Kind, Notice, PolicyVersion, apply_overlay, load_overlay
from app.policy.cases import read_cases, run_cases
from tests.policies.library import all_versions
from tests.unit.authoring.golden import assert_golden
from tests.unit.policy.makers import BASE, make_policy

FORM = {
    "policy": "a-policy",
    "kind": "initiation",
    "decision_to_treat": "2026-06-01",
    "birth_date": "1990-01-01",
    "answers": {
        "flag": True,
        "score": "7.5",
        "relapses": [{"on": "2026-05-01", "disabling": True}, {"on": "2026-01-01"}],
        "weight": {"value": "70", "unit": "kg"},
        "dose": {"value": "300", "unit": "mg"},
    },
}


# --- explain ------------------------------------------------------------------------------------


def explained(
    version: PolicyVersion, notices: tuple[Notice, ...] = (), **changes: Any
) -> list[str]:
    form = read_form(json.dumps({**FORM, **changes}))
    return list(explain(version, form.kind, decide_form(version, form, notices)))


def policy() -> PolicyVersion:
    return make_policy(
        title="An invented drug for an invented condition",
        start=[
            {"met_when": "flag", "text": "The diagnosis is confirmed"},
            {"met_when": "score <= 6.5 AND NOT other", "text": "A score of 6.5 or less"},
            {
                "met_when": "recent >= 2 OR third",
                "text": "Two relapses in a year, or a third thing",
                "evidence": "unverified",
            },
            {"met_when": "dose_per_kg <= 5", "text": "At most 5 mg/kg", "waivable": True},
        ],
        stop=[{"met_when": "other", "text": "Stop when the other thing holds"}],
        sources={
            "src": {
                "title": "A guidance, recommendation 1.1",
                "url": "https://example.org/a",
                "read_on": "2026-02-03",
            }
        },
    )


def test_the_words_of_a_decision() -> None:
    answered = {**FORM["answers"], "third": False}  # type: ignore[dict-item]
    lines = [
        *explained(policy()),
        "=== all but one answered ===",
        *explained(policy(), answers={**answered, "score": "6.0", "other": False}),
        "=== stopping ===",
        *explained(policy(), kind="stop", answers={"other": True}),
    ]
    assert_golden("explain", lines)


NOTICE = Notice(
    "2026-05-01-made-up", "A made-up warning", ("a-drug",), (), dt.date(2026, 5, 1), None, "refuse",
    "It is looked into", "Made up for tests", "https://example.org/n", "verified",
)  # fmt: skip
OVERLAY = """
policy: a-policy
language: 1
commissioner: DEMQ1
in_force: {from: 2026-02-01}
what_changed: The other thing first
sources: {local: {title: "A local form, made up", read_on: 2026-02-02}}
start:
  - {id: LOCAL, text: The other thing failed, met_when: other, source: local, evidence: verified}
"""
TERMS = {
    **BASE["approval"],  # type: ignore[dict-item]
    "max_dose": {"amount": "300", "unit": "mg", "per": "28 days"},
    "products": ["first", "second"],
}
DOSE = {"dose": {"amount": "600", "unit": "mg", "every_days": 28}}


def test_the_words_of_a_decision_under_an_overlay_a_notice_and_a_high_dose() -> None:
    version = make_policy(start=["flag"], approval=TERMS)
    merged = apply_overlay(version, load_overlay(OVERLAY, "overlay.yaml"))
    met = {"answers": {"flag": True, "other": True}, "details": DOSE}
    refused = {**met, "answers": {"flag": True, "other": False}}
    lines = [
        *explained(merged, **met),
        "=== the overlay's criterion fails ===",
        *explained(merged, **refused),
        "=== a safety notice refuses ===",
        *explained(merged, (NOTICE,), **met),
        "=== the day before the notice ===",
        *explained(merged, (NOTICE,), **met, decision_to_treat="2026-04-30"),
        "=== the commissioner is asked, not the policy ===",
        *explained(merged, (NOTICE,), **met, route="individual funding"),
    ]
    assert_golden("explain_layers", lines)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"details": {"product": "third"}}, "because of its details.product"),
        ({"details": {"dose": {"amount": "x"}}}, "details` cannot be read"),
        ({"details": {"dosis": 1}}, "no key dosis"),
        ({"details": 3}, "details` cannot be read"),
        ({"route": "panel"}, "`route` must be one of: policy"),
        ({"details": {"started_under": "trial"}}, "needs both"),
        ({"retrospective_reason": "urgent"}, "needs the day of that dose"),
    ],
)
def test_details_that_the_service_would_refuse_are_refused(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(BenchRefused, match=says):
        explained(make_policy(approval=TERMS), **changes)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("{", "not JSON"),
        ("[]", "no `answers`"),
        (json.dumps({**FORM, "anwsers": {}}), "no key anwsers"),
        (json.dumps({**FORM, "policy": None}), "which `policy`"),
        (json.dumps({**FORM, "kind": "switch"}), "must be one of"),
        (json.dumps({**FORM, "decision_to_treat": "1/6/26"}), "Write it as YYYY-MM-DD"),
        (json.dumps({**FORM, "decision_to_treat": None}), "has no `decision_to_treat`"),
        (json.dumps({**FORM, "sex": "M"}), "male or female"),
    ],
)
def test_a_form_that_cannot_be_read_says_what_to_do(form: str, says: str) -> None:
    with pytest.raises(BenchRefused, match=says):
        read_form(form)


def test_answers_that_are_not_accepted_are_all_named_without_their_values() -> None:
    form = read_form(json.dumps({**FORM, "answers": {"score": "99", "flgg": True}}))
    with pytest.raises(BenchRefused) as refused:
        decide_form(policy(), form)
    assert "flgg: there is no such question. Did you mean flag?" in str(refused.value)
    assert "score: this is above the most possible" in str(refused.value)
    assert "99" not in str(refused.value)


# --- diff ---------------------------------------------------------------------------------------


def test_the_words_of_a_diff() -> None:
    questions: dict[str, Any] = {**BASE["questions"]}  # type: ignore[dict-item]
    before = make_policy(start=["flag", "other", "score >= 4"], stop=["third"])
    score = {**questions.pop("score"), "maximum": 12}
    route = {**questions.pop("route"), "options": {"iv": "Vein", "po": "Mouth"}}
    after = make_policy(
        title="Another title",
        in_force={"from": "2026-07-01", "published": "2026-06-01"},
        questions={**questions, "score": score, "route": route},
        start=[
            {"met_when": "flag", "id": "C-1", "text": "Reworded"},
            {"met_when": "score >= 5", "id": "C-3", "on_failure": "refer"},
            {"met_when": "route = 'iv'", "id": "N-1", "text": "A new rule"},
        ],
        stop=[{"met_when": "third", "id": "C-4"}, {"met_when": "other", "id": "C-2"}],
        derive={"either": {"value": "flag AND other"}},
        approval={
            "pattern": "rolling",
            "lasts": {"months": 6},
            "grace": {"days": 28},
            "source": "src",
            "evidence": "verified",
        },
    )
    assert_golden("diff", diff_lines(before, after, diff_versions(before, after)))


def test_a_version_against_itself_has_no_change() -> None:
    version = make_policy()
    assert diff_versions(version, version) == ()
    assert "No change" in list(diff_lines(version, version, ()))[1]


@pytest.mark.parametrize("version", all_versions(), ids=lambda v: f"{v.policy} {v.version}")
def test_every_version_of_the_library_can_be_compared_with_an_empty_one(
    version: PolicyVersion,
) -> None:
    changes = diff_versions(make_policy(), version)
    names = {change.name for change in changes if change.what == "added"}
    assert {criterion.id for criterion in version.start} <= names


# --- lint ---------------------------------------------------------------------------------------


def codes(version: PolicyVersion, **options: Any) -> set[str]:
    return {each.code for each in lint_version(version, **options)}


CLEAN: dict[str, Any] = {
    "sources": {"src": {"title": "S", "url": "https://example.org", "read_on": "2026-01-01"}},
    "questions": {"flag": {"type": "boolean", "label": "Flag"}},
    "derive": None,
    "start": ["flag"],
    "continue": ["flag"],
    "stop": ["NOT flag"],
}


def test_a_clean_policy_has_no_remark() -> None:
    assert lint_version(make_policy(**CLEAN)) == []


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        (
            {"questions": {**CLEAN["questions"], "x": {"type": "date", "label": "X"}}},
            "unused-question",
            "advice",
        ),
        ({"derive": {"w": {"value": "NOT flag"}}}, "unused-working", "advice"),
        ({"continue": None}, "no-continuation", "advice"),
        ({"stop": None}, "no-stop", "advice"),
        ({"sources": {"src": {"title": "S", "url": "https://e.org"}}}, "not-read", "fault"),
        ({"sources": {"src": {"title": "S", "read_on": "2026-01-01"}}}, "no-address", "advice"),
        (
            {"sources": {**CLEAN["sources"], "more": {"title": "M"}}},
            "unused-source",
            "advice",
        ),
        (
            {"in_force": {"from": "2026-01-01", "last_new_start": "2025-01-01"}},
            "dates",
            "fault",
        ),
        ({"start": [{"met_when": "flag", "text": "Normally so"}]}, "vague", "advice"),
        (
            {"start": [{"met_when": "flag", "text": "A score over 5.1"}]},
            "wording-without-test",
            "advice",
        ),
        ({"start": ["flag OR NOT flag"]}, "never-fails", "advice"),
        ({"start": ["flag", "NOT flag"]}, "contradiction", "fault"),
        ({"start": ["flag", "NOT flag"]}, "never-approved", "fault"),
    ],
)
def test_what_is_suspicious_is_said(changes: dict[str, Any], code: str, level: str) -> None:
    found = [
        each for each in lint_version(make_policy(**{**CLEAN, **changes})) if each.code == code
    ]
    assert [each.level for each in found[:1]] == [level]


WINDOWS = [
    ("tested in the previous 12 months", "DAYS_BETWEEN(tested_on, decision_to_treat) <= 365", True),
    ("tested in the last year", "DAYS_BETWEEN(tested_on, decision_to_treat) <= 365", True),
    ("tested within twelve months", "DAYS_BETWEEN(tested_on, decision_to_treat) < 366", True),
    ("tested within 6 months", "DAYS_BETWEEN(tested_on, decision_to_treat) <= 180", True),
    ("tested in the last three months", "DAYS_BETWEEN(tested_on, decision_to_treat) <= 90", True),
    ("tested in the last 365 days", "DAYS_BETWEEN(tested_on, decision_to_treat) <= 365", False),
    ("tested within 4 weeks", "DAYS_BETWEEN(tested_on, decision_to_treat) <= 28", False),
    ("tested in the last year", "tested_on >= ADD_MONTHS(decision_to_treat, -12)", False),
    ("twelve months after, age 365", "age <= 365", False),
]


@pytest.mark.parametrize(("text", "test", "wrong"), WINDOWS)
def test_days_that_stand_for_months_are_a_fault(text: str, test: str, wrong: bool) -> None:
    version = make_policy(start=[{"met_when": test, "text": text}])
    assert ("days-for-months" in codes(version, prove=False)) is wrong


def test_days_for_months_are_found_in_a_count_and_through_a_working() -> None:
    where = "DAYS_BETWEEN(on, decision_to_treat) <= 365"
    version = make_policy(
        derive={"n": {"count": "relapses", "where": where}, "many": {"value": "n >= 2"}},
        start=[{"met_when": "many", "text": "Two relapses in a year"}],
    )
    assert "days-for-months" in codes(version, prove=False)


def test_versions_that_overlap_or_leave_a_gap_are_named() -> None:
    def version(day: str, last: str | None) -> PolicyVersion:
        return make_policy(in_force={"from": day, "last_new_start": last})

    overlapping = (version("2026-01-01", "2026-08-01"), version("2026-07-01", None))
    gap = (version("2026-01-01", "2026-05-01"), version("2026-07-01", None))
    exact = (version("2026-01-01", "2026-06-30"), version("2026-07-01", None))

    assert [each.code for each in lint_policy(overlapping)] == ["overlap"]
    assert [each.code for each in lint_policy(gap)] == ["gap"]
    assert lint_policy(exact) == []


def test_the_words_of_lint() -> None:
    version = make_policy(
        start=[
            "flag",
            "NOT flag",
            {
                "met_when": "DAYS_BETWEEN(tested_on, decision_to_treat) <= 365",
                "text": "Tested in the last 12 months",
            },
            {"met_when": "score >= 0", "text": "A score is recorded"},
        ],
    )
    found: list[Lint] = lint_version(version)
    assert_golden("check", [str(each) for each in found])


@pytest.mark.parametrize("version", all_versions(), ids=lambda v: f"{v.policy} {v.version}")
def test_no_version_of_the_library_has_a_lint_fault(version: PolicyVersion) -> None:
    assert [str(each) for each in lint_version(version, prove=False) if each.level == "fault"] == []


# --- coverage -----------------------------------------------------------------------------------


def test_coverage_counts_each_result_and_names_what_no_case_reaches() -> None:
    version = make_policy(start=["flag", "other"])
    cases = read_cases(
        "cases:\n"
        "  - {name: a, version: '2026-01-01', kind: initiation, decision_to_treat: 2026-06-01,\n"
        "     answers: {flag: true, other: true}, expect: {outcome: approved}}\n"
        "  - {name: b, version: '2026-01-01', kind: initiation, decision_to_treat: 2026-06-01,\n"
        "     answers: {flag: false}, expect: {outcome: criteria not met}}\n",
        "cases.yaml",
    )
    found = coverage({version.version: version}, run_cases({version.version: version}, cases))

    counts = [(each.criterion, each.met, each.failed, each.unanswered) for each in found]
    assert counts == [("C-1", 1, 1, 0), ("C-2", 1, 0, 1)]
    assert [each.complete for each in found] == [True, False]
    lines = list(coverage_lines("a-policy", found))
    assert "no case has it failed (2026-01-01)" in lines[3]
    assert lines[-1].strip().startswith("1 of 2 criteria")


@pytest.mark.parametrize(
    ("test", "never"),
    [
        ("score >= 0", True),  # the question takes 0 to 10
        ("0 <= score", True),
        ("score <= 10", True),
        ("score BETWEEN 0 AND 10", True),
        ("score > 0", False),
        ("score >= 1", False),
        ("score <= 9", False),
        ("score BETWEEN 0 AND 9", False),
        ("score >= 0 AND recent >= 0", True),
        ("score >= 0 AND flag", False),
        ("score >= 0 OR flag", True),
        ("flag OR other", False),
        ("flag", False),
        ("NOT flag", False),
    ],
)
def test_a_criterion_that_no_answer_can_fail_is_told_from_one_that_can(
    test: str, never: bool
) -> None:
    assert unfailing(make_policy(start=[test])) == (frozenset({"C-1"}) if never else frozenset())


def test_coverage_and_the_table_say_which_criteria_cannot_fail() -> None:
    version = make_policy(start=["flag", "score >= 0"])
    cases = read_cases(
        "cases:\n"
        "  - {name: a, version: '2026-01-01', kind: initiation, decision_to_treat: 2026-06-01,\n"
        "     answers: {flag: true, score: 3}, expect: {outcome: approved}}\n"
        "  - {name: b, version: '2026-01-01', kind: initiation, decision_to_treat: 2026-06-01,\n"
        "     answers: {flag: false}, expect: {outcome: criteria not met}}\n",
        "cases.yaml",
    )
    results = run_cases({version.version: version}, cases)
    lines = list(coverage_lines("a-policy", coverage({version.version: version}, results)))
    assert lines[3].endswith("   cannot fail")
    assert lines[-1].strip() == "1 only ask for an answer: none can fail them."

    (row,) = overview(Library([version]), {version.policy: cases})
    assert (row.covered, row.unfailing, row.tests) == (1, 1, 2)
    assert next(line for line in table_lines([row]) if "`a-policy`" in line).endswith(
        "| 1 of 2 | 1 |"
    )


def test_a_kind_is_said_as_it_is() -> None:
    assert explained(policy())[0].endswith(f"({'version 2026-01-01'}, {Kind.INITIATION})")
