"""What the prover says of picks, choices and functions; each patient is replayed."""

from __future__ import annotations

from datetime import date

import pytest
import z3

from app.authoring.proofs import days, functions
from app.authoring.proofs.claims import Proof
from app.authoring.proofs.one import prove_version
from app.authoring.proofs.two import Verdict, compare_versions
from app.policy import Kind, PolicyVersion
from app.policy.functions import complete_months
from tests.policies.library import packaged_library
from tests.spec.test_language_2 import QUESTIONS
from tests.unit.authoring.test_replay_language_2 import DERIVE
from tests.unit.policy.makers import make_policy


def policy(*tests: str, **derive: object) -> PolicyVersion:
    return make_policy(
        language=2, questions=QUESTIONS, derive={**DERIVE, **derive}, start=list(tests)
    )


def whole(first: PolicyVersion, second: PolicyVersion) -> Verdict:
    found = compare_versions(first, second)
    return next(e.verdict for e in found if e.kind is Kind.INITIATION and e.criterion is None)


@pytest.mark.parametrize(
    "test",
    [
        "last >= 3",
        "last_ok < n",
        "first_kind = 'x'",
        "was_ok",
        "best - worst > 2",
        "last < limit",
        "word = 'x'",
        "ROUND(n, 1) = 4.2",
        "ROUND_DOWN(n, 2.5) = 5",
        "COMPLETE_MONTHS(d, decision_to_treat) >= 12",
        "LEAST(n, m) > 4",
    ],
)
def test_a_criterion_is_met_by_one_patient_and_just_missed_by_another(test: str) -> None:
    claims, near = prove_version(policy(test))

    assert claims[0].outcome is Proof.PROVEN
    assert claims[0].patient is not None
    assert [each.outcome for each in near] == [Proof.COUNTER_EXAMPLE]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("last >= 3", "last >= 4", Verdict.TIGHTENS),
        ("last >= 3", "NOT last < 3", Verdict.EQUALS),
        ("best >= 3", "worst >= 3", Verdict.NEITHER),
        ("ROUND(n, 0) >= 4", "n >= 3.5", Verdict.EQUALS),
        ("ROUND(n, 0) >= 5", "n >= 4.5", Verdict.LOOSENS),
        ("ROUND_DOWN(i, 5) >= 10", "i >= 10", Verdict.EQUALS),
        (
            "COMPLETE_MONTHS(d, decision_to_treat) >= 12",
            "d <= ADD_MONTHS(decision_to_treat, -12)",
            Verdict.TIGHTENS,
        ),
        ("GREATEST(n, m) > 2", "n > 2 AND m > 2", Verdict.TIGHTENS),
        ("LN(n) > 1", "LN(n) > 1 AND n > 0", Verdict.NOT_DECIDED),
    ],
)
def test_the_verdict_on_two_tests(before: str, after: str, verdict: Verdict) -> None:
    assert whole(policy(before), policy(after)) is verdict


def test_picks_that_cannot_both_hold_contradict() -> None:
    claims, _ = prove_version(policy("worst > 5", "best < 5", "kind_ok", kind_ok=KIND_OK))
    assert {c.criteria for c in claims if c.fault} == {("C-1", "C-2")}


KIND_OK = {"latest": "rows", "by": "at", "value": "ok"}


@pytest.mark.parametrize("first", [date(2024, 2, 29), date(2025, 1, 31), date(2026, 5, 30)])
@pytest.mark.parametrize("last", [date(2024, 2, 29), date(2025, 2, 28), date(2026, 6, 30)])
def test_months_are_completed_as_the_evaluator_has_it(first: date, last: date) -> None:
    calendar = days.Calendar()
    start, end = z3.Ints("start end")
    found = functions.complete_months(start, end, calendar)
    solver = z3.Solver()
    solver.add(*calendar.constraints, start == first.toordinal(), end == last.toordinal())
    assert solver.check() == z3.sat
    assert solver.model().eval(found).as_long() == complete_months(first, last)


def test_an_example_keeps_away_from_a_childs_ideal_weight_which_the_prover_leaves_free() -> None:
    version = packaged_library().get("immunoglobulin-mmn-long", "2021-12-01.3")

    claims, near = prove_version(version)

    assert [claim.text for claim in claims if claim.outcome is Proof.NOT_DECIDED] == []
    left = {each.criterion for each in near if each.outcome is Proof.NOT_DECIDED}
    assert left <= {"MMNL-HW", "MMNL-D3", "MMNL-CD3"}  # rows, and that weight itself
