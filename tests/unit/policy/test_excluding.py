"""Which questions a form uses only to rule something out: of those one choice may say no to all."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.policy import Kind, PolicyVersion, Result, Section, excluding
from app.policy.cases import Case, run_cases
from tests.policies.library import cases, folders, versions
from tests.unit.policy.makers import BASE, make_policy

_LANGUAGE_2 = {
    "chosen": {"choose": [{"when": "NOT flag", "value": 1}], "else": 2},
    "neither": {"value": "NOT (flag OR other)"},
    "asked_of_rows": {"count": "relapses", "where": "disabling AND NOT flag"},
}
#: A test, the section that it stands in, and which questions only rule something out there.
RULES = [
    ("continue", "NOT flag", {"flag"}),
    ("continue", "flag", set()),
    ("stop", "flag", {"flag"}),
    ("stop", "NOT flag", set()),
    ("continue", "NOT (flag OR other)", {"flag", "other"}),
    ("continue", "NOT flag AND NOT other", {"flag", "other"}),
    ("continue", "NOT (flag OR other) OR third", {"flag", "other"}),
    ("continue", "NOT either", {"flag", "other"}),
    ("continue", "neither", {"flag", "other"}),
    ("stop", "flag AND score >= 6", {"flag"}),
    ("stop", "flag AND NOT other", {"flag"}),
    ("stop", "flag OR (other AND score > 1)", {"flag", "other"}),
    # A "no" that is one part of a way to qualify is more than an obstacle that is not there.
    ("continue", "third OR (NOT flag AND score >= 5)", set()),
    ("continue", "score > 1 AND NOT flag", {"flag"}),
    # Looked at in any other way.
    ("continue", "AT_LEAST(1, NOT flag, NOT other)", set()),
    ("continue", "asked_of_rows = 0", set()),
    ("continue", "chosen <= 1", set()),
]


def made(section: str, *tests: str) -> PolicyVersion:
    derive = {**BASE["derive"], **_LANGUAGE_2}  # type: ignore[dict-item]
    return make_policy(language=2, derive=derive, **{"start": ["third"], section: list(tests)})


@pytest.mark.parametrize(("section", "test", "found"), RULES)
def test_a_question_rules_out_by_how_it_stands(section: str, test: str, found: set[str]) -> None:
    assert excluding(made(section, test), Kind.CONTINUATION) == found


@pytest.mark.parametrize("wanting", ["flag", "flag OR other", "AT_LEAST(1, flag, other)"])
def test_what_any_criterion_of_the_form_wants_is_no_obstacle(wanting: str) -> None:
    version = made("continue", "NOT flag AND NOT third", wanting)
    assert excluding(version, Kind.CONTINUATION) == {"third"}


def test_a_request_to_stop_has_none_for_there_a_yes_is_what_is_said() -> None:
    version = made("stop", "flag")
    assert excluding(version, Kind.STOP) == frozenset()
    assert excluding(version, Kind.INITIATION) == frozenset()


def test_what_is_measured_or_was_before_treatment_is_asked_by_itself() -> None:
    version = made("continue", "NOT flag")
    for change in ({"measured": True}, {"carried": True}):
        other = replace(version.questions["flag"], **change)
        changed = replace(version, questions={**version.questions, "flag": other})
        assert excluding(changed, Kind.CONTINUATION) == frozenset()


def newest() -> Iterator[tuple[PolicyVersion, list[Case]]]:
    for folder in folders():
        held = versions(folder)
        version = max(held.values(), key=lambda each: (each.in_force.from_, each.version))
        yield version, [each for each in cases(folder) if each.version == version.version]


def test_of_no_packaged_policy_a_yes_to_one_ever_helps() -> None:
    """By deciding, not by reading: a yes meets no criterion, and spares no stop, that a no does
    not."""
    tried = 0
    for version, held in newest():
        for case in held[:6]:
            for name in excluding(version, case.kind):
                no, yes = (met(version, case, name, value) for value in (False, True))
                for key in no.keys() & yes.keys():
                    tried += 1
                    better, worse = (yes, no) if key[0] is Section.STOP else (no, yes)
                    assert better[key] or not worse[key], (version.policy, name, *key)
    assert tried > 3000


def met(
    version: PolicyVersion, case: Case, name: str, value: bool
) -> dict[tuple[Section, str], bool]:
    """Whether each criterion's test holds where the question is answered so."""
    answered = replace(case, answers={**case.answers, name: value})
    (result,) = run_cases({version.version: version}, [answered])
    if result.decision is None:
        return {}  # an answer that cannot be read
    return {(e.section, e.criterion): e.result is Result.MET for e in result.decision.findings}
