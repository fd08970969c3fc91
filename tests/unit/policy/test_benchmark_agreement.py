"""The benchmark's rivals agree, value for value, on fewer forms and without a clock."""

from collections import Counter

import pytest

from app.policy import Section
from app.policy.present import findings
from benchmarks.criteria_by_hand import by_hand
from benchmarks.criteria_forms import benchmark_policy, edge_forms, random_forms
from benchmarks.criteria_zen import results_of, zen_form, zen_function

VERSION = benchmark_policy()
COMPILED = VERSION.compiled.sections[Section.START]


@pytest.fixture(scope="module")
def forms():
    return [*edge_forms(VERSION), *random_forms(VERSION, 2000, seed=7)]


def test_the_benchmark_has_fifteen_criteria_over_twenty_eight_questions():
    assert (len(VERSION.start), len(VERSION.questions)) == (15, 28)


def test_generated_and_hand_written_code_return_the_same_findings(forms):
    for form in forms:
        ours, hand = COMPILED.run(form), by_hand(form)
        assert ours == hand
        assert findings(VERSION.start, COMPILED, ours) == findings(VERSION.start, COMPILED, hand)


def test_zen_engine_reaches_the_same_results(forms):
    zen = zen_function(VERSION, with_findings=True)
    for form in forms:
        assert results_of(zen(zen_form(form)), 15) == COMPILED.run(form)[:15]


def test_the_forms_reach_every_result_of_every_criterion(forms):
    reached = Counter(
        (slot, result) for form in forms for slot, result in enumerate(COMPILED.run(form)[:15])
    )
    assert len(reached) == 45
