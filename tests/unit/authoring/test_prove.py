"""What the prover says of invented policies; each patient has been through the evaluator."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import z3

from app.authoring.near_cases import append_cases, case_name
from app.authoring.proofs import days
from app.authoring.proofs.claims import Claim, Proof
from app.authoring.proofs.one import prove_version
from app.authoring.proofs.patients import replayed
from app.authoring.proofs.two import Verdict, compare_versions, loosened
from app.authoring.proofs.whole import prove_policies, prove_policy
from app.authoring.prove_summary import (
    summarise,
    summary_lines,
    summary_markdown,
    version_line,
)
from app.authoring.prove_text import comparison_lines, overlay_lines, proof_lines
from app.policy import Kind, Outcome, PolicyVersion, Result, apply_overlay, load_overlay
from app.policy.calendar import add_months
from app.policy.cases import read_cases, run_cases
from tests.policies.library import POLICIES, packaged_library
from tests.unit.authoring.golden import assert_golden
from tests.unit.policy.makers import make_policy

WINDOW = "tested_on BETWEEN ADD_MONTHS(decision_to_treat, -12) AND decision_to_treat"
DAYS_365 = "DAYS_BETWEEN(tested_on, decision_to_treat) BETWEEN 0 AND 365"


def faults(version: PolicyVersion) -> list[Claim]:
    return [claim for claim in prove_version(version)[0] if claim.fault]


def whole(first: PolicyVersion, second: PolicyVersion, kind: Kind = Kind.INITIATION) -> Verdict:
    found = compare_versions(first, second)
    return next(each.verdict for each in found if each.kind is kind and each.criterion is None)


# --- one version --------------------------------------------------------------------------------


def test_a_policy_that_can_be_approved_comes_with_a_patient_whom_it_approves() -> None:
    version = make_policy(start=["flag", "score >= 4", WINDOW, "recent >= 2"])

    claim = prove_version(version)[0][0]

    assert claim.outcome is Proof.PROVEN
    assert claim.patient is not None
    decision = replayed(version, Kind.INITIATION, claim.patient)
    assert decision is not None
    assert decision.outcome is Outcome.APPROVED


@pytest.mark.parametrize(
    ("start", "culprits"),
    [
        (["flag", "score > 6", "score < 5"], {"C-2", "C-3"}),
        (["route = 'iv'", "other", "route = 'sc'"], {"C-1", "C-3"}),
        (["recent >= 3", "flag", "recent <= 1"], {"C-1", "C-3"}),
        (["dose_per_kg > 4", "dose < 10 AND weight > 5"], {"C-1", "C-2"}),
        ([WINDOW, "DAYS_BETWEEN(tested_on, decision_to_treat) > 400"], {"C-1", "C-2"}),
        (["either", "NOT flag AND NOT other"], {"C-1", "C-2"}),
    ],
)
def test_criteria_that_contradict_each_other_are_named(
    start: list[str], culprits: set[str]
) -> None:
    found = faults(make_policy(start=start))

    assert {frozenset(claim.criteria) for claim in found} == {frozenset(culprits)}
    assert any("contradict each other" in claim.text for claim in found)


def test_a_criterion_that_no_answers_meet_is_named() -> None:
    found = faults(make_policy(start=["flag", "score > 10"]))

    assert {claim.criteria for claim in found} == {("C-2",)}
    assert any("can never be satisfied" in claim.text for claim in found)


def test_three_criteria_that_only_together_contradict_are_named_all_three() -> None:
    start = ["AT_LEAST(2, flag, other, third)", "NOT flag", "NOT other"]

    claim = faults(make_policy(start=start))[0]

    assert set(claim.criteria) == {"C-1", "C-2", "C-3"}


def test_whether_somebody_may_start_and_must_stop_is_proven_or_shown() -> None:
    version = make_policy(start=["flag", "score >= 4"], stop=["score < 2", "other"])

    found = {c.criteria: c for c in prove_version(version)[0] if c.about == "start and stop"}

    assert found[("C-3",)].outcome is Proof.PROVEN
    shown = found[("C-4",)]
    assert shown.outcome is Proof.COUNTER_EXAMPLE
    assert shown.patient is not None
    assert shown.patient.answers["other"] is True


def test_a_near_miss_fails_one_criterion_alone_and_by_the_least_step() -> None:
    version = make_policy(start=["flag", "score >= 4", WINDOW, "age >= 18", "recent >= 2"])

    near = {each.criterion: each for each in prove_version(version)[1]}

    for name, each in near.items():
        assert each.outcome is Proof.COUNTER_EXAMPLE
        assert each.decision is not None
        failed = [f.criterion for f in each.decision.findings if f.result is not Result.MET]
        assert failed == [name]
    assert near["C-2"].patient is not None
    assert near["C-2"].patient.answers["score"] == "3.9"
    assert near["C-4"].patient is not None
    assert near["C-4"].patient.answers["age"] == {"value": "17", "unit": "years"}
    patient = near["C-3"].patient
    assert patient is not None
    decided = patient.context.decision_to_treat
    edge = add_months(decided, -12)
    assert edge is not None
    near_edge = (edge - timedelta(days=1), decided + timedelta(days=1))
    assert patient.answers["tested_on"] in near_edge


def test_a_criterion_that_cannot_fail_is_proven_so() -> None:
    version = make_policy(start=["flag", "score >= 0"])

    near = {each.criterion: each for each in prove_version(version)[1]}

    assert near["C-2"].outcome is Proof.PROVEN
    assert "never fail" in near["C-2"].why


def test_near_misses_are_written_as_cases_that_pass_and_only_once(tmp_path: Path) -> None:
    version = make_policy(start=["flag", "score >= 4", WINDOW, "recent >= 2", "dose_per_kg < 2"])
    path = tmp_path / "cases.yaml"
    path.write_text(
        "cases:\n"
        "  - name: nothing is answered\n"
        '    version: "2026-01-01"\n'
        "    kind: initiation\n"
        "    decision_to_treat: 2026-06-01\n"
        "    expect: {outcome: more information needed}\n"
    )
    near = prove_version(version)[1]

    assert append_cases(path, version, near) == 5
    assert append_cases(path, version, near) == 0
    cases = read_cases(path.read_text("utf-8"), "cases.yaml")
    assert case_name(version, near[0]) in {case.name for case in cases}
    results = run_cases({version.version: version}, cases)
    assert [result.differences for result in results] == [()] * 6


def test_a_list_that_would_need_too_many_rows_is_not_decided_where_it_matters() -> None:
    version = make_policy(start=["recent >= 60", "flag"])

    claim = prove_version(version)[0][0]

    assert claim.outcome is Proof.NOT_DECIDED
    assert "rows" in claim.why


# --- two versions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (["flag", "score >= 4"], ["flag", "score >= 5"], Verdict.TIGHTENS),
        (["flag", "score >= 5"], ["flag", "score >= 4"], Verdict.LOOSENS),
        (["flag", "score > 4"], ["flag", "NOT score <= 4"], Verdict.EQUALS),
        (["score BETWEEN 2 AND 6"], ["score BETWEEN 3 AND 7"], Verdict.NEITHER),
        (["flag"], ["flag", "other"], Verdict.TIGHTENS),
        (["flag", "other"], ["flag"], Verdict.LOOSENS),
        (["flag OR other"], ["either"], Verdict.EQUALS),
        (["NOT (flag AND other)"], ["NOT flag OR NOT other"], Verdict.EQUALS),
        (["flag OR NOT flag"], ["flag OR NOT flag OR other"], Verdict.LOOSENS),
        (["recent >= 2"], ["recent >= 3"], Verdict.TIGHTENS),
        (["recent >= 2"], ["recent > 1"], Verdict.EQUALS),
        (["recent >= 1", "recent <= 2"], ["recent BETWEEN 1 AND 2"], Verdict.EQUALS),
        (["AT_LEAST(2, flag, other, third)"], ["flag AND other"], Verdict.TIGHTENS),
        (["dose_per_kg <= 2"], ["dose / weight <= 2"], Verdict.EQUALS),
        (["route IN ('iv')"], ["route = 'iv'"], Verdict.EQUALS),
        (["age >= 18"], ["age > 17"], Verdict.EQUALS),
        ([WINDOW], [DAYS_365], Verdict.TIGHTENS),
        ([WINDOW], [DAYS_365.replace("365", "366")], Verdict.LOOSENS),
    ],
)
def test_the_verdict_on_two_versions(before: list[str], after: list[str], verdict: Verdict) -> None:
    assert whole(make_policy(start=before), make_policy(start=after)) is verdict


def test_365_days_for_12_months_is_refuted_with_a_patient_of_a_leap_year() -> None:
    months, in_days = make_policy(start=[WINDOW]), make_policy(start=[DAYS_365])

    found = compare_versions(months, in_days)[-1]

    assert found.lost is not None
    tested, decided = found.lost.answers["tested_on"], found.lost.context.decision_to_treat
    assert (decided - tested).days == 366
    assert add_months(decided, -12) == tested


def test_a_count_in_a_window_of_days_is_refuted_too() -> None:
    where = "disabling AND DAYS_BETWEEN(on, decision_to_treat) <= 365"
    in_days = make_policy(
        start=["recent >= 2"], derive={"recent": {"count": "relapses", "where": where}}
    )
    months = make_policy(start=["recent >= 2"])

    found = compare_versions(months, in_days)[-1]

    assert found.lost is not None
    rows = found.lost.answers["relapses"]
    gaps = [(found.lost.context.decision_to_treat - row["on"]).days for row in rows]
    assert max(gaps) == 366


def test_a_question_that_changed_its_unit_is_two_questions() -> None:
    before = make_policy(start=["weight >= 50"])
    questions = {**_questions(), "weight": {"type": "number", "label": "Weight", "unit": "lb"}}
    after = make_policy(start=["weight >= 50"], questions=questions, derive=None)

    assert whole(before, after) is Verdict.NEITHER


def _questions() -> dict[str, object]:
    from tests.unit.policy.makers import BASE

    questions: dict[str, object] = dict(BASE["questions"])  # type: ignore[arg-type]
    return questions


def test_a_list_with_a_field_more_is_compared_on_each_versions_own_form() -> None:
    questions = _questions()
    fields = {"on": {"type": "date", "label": "Date"}, "severe": {"type": "boolean", "label": "S"}}
    questions["relapses"] = {"type": "list", "label": "Relapses", "of": fields}
    derive = {"recent": {"count": "relapses", "where": "severe"}}
    after = make_policy(start=["recent >= 2"], questions=questions, derive=derive)

    assert whole(make_policy(start=["recent >= 2"]), after) is Verdict.NEITHER


def test_a_stop_criterion_that_stops_fewer_loosens() -> None:
    before = make_policy(**{"continue": ["flag"]}, stop=["score > 5"])
    after = make_policy(**{"continue": ["flag"]}, stop=["score > 7"])

    assert whole(before, after, Kind.CONTINUATION) is Verdict.LOOSENS


# --- a version with an overlay on top -----------------------------------------------------------


def overlaid_version(start: str, **changes: object) -> PolicyVersion:
    overlay = load_overlay(overlay_text(start, **changes), "overlay.yaml")
    return apply_overlay(make_policy(start=["flag", "score >= 4"]), overlay)


def overlay_text(start: str, **changes: object) -> str:
    questions = {"local": {"type": "boolean", "label": "Seen locally"}}
    data = {
        "policy": "a-policy",
        "language": 1,
        "commissioner": "DEMQ1",
        "in_force": {"from": "2026-02-01"},
        "what_changed": "More is asked for.",
        "sources": {"pathway": {"title": "A local pathway"}},
        "questions": questions,
        "start": [{"id": "LOCAL", "text": "Local", "met_when": start, "source": "pathway",
                   "evidence": "verified"}],
        **changes,
    }  # fmt: skip
    return json.dumps(data)


@pytest.mark.parametrize(
    ("start", "verdict"),
    [("local", Verdict.TIGHTENS), ("score >= 6", Verdict.TIGHTENS), ("score >= 2", Verdict.EQUALS)],
)
def test_an_overlay_is_proven_only_to_tighten(start: str, verdict: Verdict) -> None:
    version = overlaid_version(start)
    assert version.base is not None

    found = compare_versions(version.base, version)

    assert next(each.verdict for each in found if each.criterion is None) is verdict
    assert loosened(found) == ()
    assert "  proven: nobody passes with the overlay who does not pass without it." in list(
        overlay_lines(version, found)
    )


def test_an_overlay_that_lets_somebody_pass_is_refuted_with_that_patient() -> None:
    strict = make_policy(start=["flag", "score >= 4", "other"])
    version = replace(overlaid_version("local"), base=strict)  # as if it took a criterion away

    found = compare_versions(strict, version)
    shown = loosened(found)[0]

    assert shown.gained is not None
    passed = replayed(version, Kind.INITIATION, shown.gained)
    refused = replayed(strict, Kind.INITIATION, shown.gained)
    assert passed is not None
    assert passed.outcome is Outcome.APPROVED
    assert refused is None or refused.outcome is not Outcome.APPROVED
    assert "counter-example: the overlay does not only tighten" in "\n".join(
        overlay_lines(version, found)
    )
    summary = summarise(prove_policy([version]))
    assert not summary.holds
    assert "the overlay lets somebody pass" in " ".join(summary.faults)


def test_the_whole_proof_holds_each_overlay_against_the_version_below_it() -> None:
    version = overlaid_version("local")
    assert version.base is not None

    proofs = prove_policy([version.base, version])
    summary = summarise(proofs)

    assert summary.holds
    assert (summary.versions, summary.overlaid) == (1, 1)
    assert sum(summary.verdicts.values()) == 0  # an overlay is no later version
    assert version_line(proofs[1]).startswith("a-policy 2026-01-01 with DEMQ1 2026-02-01: sound")
    row = next(each for each in summary.claims if each.what.startswith("Each overlay"))
    assert (row.proven, row.shown, row.undecided) == (1, 0, 0)


# --- the calendar, and the messages -------------------------------------------------------------


def test_months_are_added_as_the_evaluator_adds_them_on_every_edge() -> None:
    edges = [date(2024, 2, 29), date(2023, 3, 31), date(1999, 12, 31), date(2000, 2, 29)]
    edges += [date(2025, 1, 31), date(1920, 1, 1), date(2030, 12, 31), date(2001, 3, 1)]
    for day in edges:
        for months in (-1200, -216, -24, -13, -12, -11, -6, -1, 0, 1, 2, 11, 12, 13, 216):
            calendar = days.Calendar()
            start, moved = z3.Int("start"), add_months(day, months)
            assert moved is not None
            found = calendar.add_months(start, months)
            solver = z3.Solver()
            solver.add(*calendar.constraints, start == day.toordinal())
            assert solver.check() == z3.sat
            assert solver.model().eval(found).as_long() == moved.toordinal(), (day, months)


def test_the_words_of_a_proof() -> None:
    version = make_policy(
        start=["flag", "score > 6", "score < 5", "score >= 0"],
        stop=["other"],
        **{"continue": ["third"]},
    )
    claims, near = prove_version(version)
    assert_golden("prove", proof_lines(version, claims, near, patients=False))


def test_the_words_of_a_proof_with_a_patient() -> None:
    version = make_policy(
        start=["flag AND NOT other", "age = 18", "decision_to_treat = DATE '2026-03-31'"]
    )
    claims, _ = prove_version(version)
    assert_golden("prove_patient", proof_lines(version, claims, ()))


def test_the_words_of_a_comparison() -> None:
    before = make_policy(start=["flag", "age >= 18", "score > 4"])
    after = make_policy(start=["flag", "age >= 16", "score > 4.5"], in_force={"from": "2026-06-01"})
    comparisons = compare_versions(before, after)
    assert_golden("prove_against", comparison_lines(before, after, comparisons, patients=False))


def test_the_words_of_a_draft_that_contradicts_itself() -> None:
    version = make_policy(start=["flag", "score > 6", "other", "score < 5"])
    assert_golden("prove_contradiction", proof_lines(version, *prove_version(version)))


def test_the_words_of_a_draft_that_can_never_be_approved() -> None:
    start = ["AT_LEAST(2, flag, other, third)", "NOT flag", "NOT other", "score > 10"]
    version = make_policy(start=start)
    assert_golden("prove_never", proof_lines(version, *prove_version(version)))


def test_the_words_of_365_days_for_12_months() -> None:
    months = make_policy(start=["flag", WINDOW])
    in_days = make_policy(start=["flag", DAYS_365], in_force={"from": "2026-06-01"})
    comparisons = compare_versions(months, in_days)
    assert_golden("prove_window", comparison_lines(months, in_days, comparisons))


def test_the_words_of_somebody_who_may_start_and_must_stop() -> None:
    version = make_policy(start=["flag"], stop=["score < 2", "other"], **{"continue": ["third"]})
    assert_golden("prove_start_and_stop", proof_lines(version, *prove_version(version)))


# --- many policies ------------------------------------------------------------------------------


def drafts() -> list[list[PolicyVersion]]:
    first = make_policy(start=["flag", "score >= 4", WINDOW])
    later = make_policy(start=["flag", "score >= 5", WINDOW], in_force={"from": "2026-06-01"})
    wrong = make_policy(policy="wrong", start=["recent >= 60", "score > 6", "score < 5"])
    asks = make_policy(policy="asks", start=["score >= 0", "flag"])
    return [[first, later], [wrong], [asks]]


def test_many_policies_are_proved_alike_in_one_process_or_two() -> None:
    one, two = (list(prove_policies(drafts(), jobs)) for jobs in (1, 2))

    assert one == two
    assert [(each.policy, each.version) for each in one] == [
        (version.policy, version.version) for versions in drafts() for version in versions
    ]


def test_the_words_of_a_summary_with_a_fault_and_something_not_decided() -> None:
    proofs = [each for versions in drafts() for each in prove_policy(versions)]
    summary = summarise(proofs)

    assert not summary.holds
    lines = [*map(version_line, proofs), *summary_lines(summary)]
    assert_golden("prove_summary", lines)


def test_the_page_names_every_version_with_its_hash() -> None:
    proofs = prove_policy(drafts()[0])
    summary = summarise(proofs)

    assert summary.holds
    page = summary_markdown(summary, proofs)
    for version in drafts()[0]:
        assert f"| {version.policy} | {version.version} | `{version.hash[:12]}` | 3 of 3 |" in page


def test_a_question_with_no_steps_to_spend_is_not_decided_and_fails_the_summary() -> None:
    proofs = prove_policy(drafts()[0], effort=1)

    summary = summarise(proofs)

    assert not summary.holds
    assert summary.undecided
    assert summary.faults == ()


# --- the library --------------------------------------------------------------------------------

EVERY = 16


def test_a_sixteenth_of_the_library_has_no_fault_and_is_decided() -> None:
    library = packaged_library()
    some = [library.versions(policy) for policy in library.policies()[::EVERY]]

    summary = summarise([each for versions in some for each in prove_policy(versions)])

    assert summary.faults == ()
    assert summary.holds, summary.undecided


def test_the_page_of_proofs_is_about_the_versions_that_are_locked() -> None:
    page = (POLICIES.parent / "docs" / "proofs.md").read_text("utf-8")
    locked = (POLICIES / "versions.lock").read_text("utf-8")
    listed = re.findall(r"^\| (\S+) \| (\S+) \| `(\w{12})` \|", page, re.MULTILINE)

    assert len(listed) > 200
    for policy, version, digest in listed:
        assert f"{policy} {version} {digest}" in locked
