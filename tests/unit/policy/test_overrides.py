"""A clinician's override: it lets a decision pass, and the finding keeps its true result."""

import datetime as dt
import json

import pytest

from app.policy import (
    Context,
    Kind,
    Outcome,
    Override,
    PolicyDecision,
    PolicyFileFaults,
    PolicyVersion,
    Result,
    decide,
    decision_from_json,
    decision_to_json,
    load_policy,
    override_fault,
    parse_answers,
    readable,
)
from tests.unit.policy.makers import make_policy, policy_text

RULE = {
    "reasons": {"disability": "The score is distorted by a disability", "language": "Language"},
    "source": "src",
    "evidence": "verified",
}
GATE = {"met_when": "score >= 5", "override": RULE}
DAY = dt.date(2026, 3, 1)


def version(**changes: object) -> PolicyVersion:
    given = {
        "language": 2,
        "start": [GATE, "flag"],
        "continue": ["other"],
        "stop": [{"met_when": "score < 2", "override": RULE}],
    }
    return make_policy(**{**given, **changes})


def decided(
    answers: dict[str, object],
    *overrides: Override,
    kind: Kind = Kind.INITIATION,
    policy: PolicyVersion | None = None,
) -> PolicyDecision:
    policy = policy or version()
    typed = parse_answers(policy, kind, answers, decision_to_treat=DAY, today=DAY)
    return decide(policy, kind, typed, Context(DAY), frozenset(), overrides)


BY = Override("C-1", "disability", "a-clinician")


@pytest.mark.parametrize(
    ("answers", "outcome", "result", "relied_on"),
    [
        ({"flag": True, "score": "3"}, Outcome.APPROVED, Result.NOT_MET, ("C-1",)),
        ({"flag": True}, Outcome.APPROVED, Result.NOT_ANSWERED, ("C-1",)),
        ({"flag": True, "score": "7"}, Outcome.APPROVED, Result.MET, ()),
        ({"flag": False, "score": "3"}, Outcome.CRITERIA_NOT_MET, Result.NOT_MET, ("C-1",)),
        ({"score": "3"}, Outcome.MORE_INFORMATION_NEEDED, Result.NOT_MET, ("C-1",)),
    ],
)
def test_an_override_stops_its_criterion_alone_from_blocking(
    answers: dict[str, object], outcome: Outcome, result: Result, relied_on: tuple[str, ...]
) -> None:
    found = decided(answers, BY)
    assert (found.outcome, found.findings[0].result) == (outcome, result)
    assert found.overridden == relied_on
    shown = found.findings[0].overridden
    assert shown is not None
    assert (shown.reason, shown.label, shown.by) == (
        "disability",
        "The score is distorted by a disability",
        "a-clinician",
    )
    assert shown.relied_on is bool(relied_on)
    assert found.findings[1].overridden is None


def test_without_the_override_the_same_answers_are_refused() -> None:
    found = decided({"flag": True, "score": "3"})
    assert (found.outcome, found.overridden) == (Outcome.CRITERIA_NOT_MET, ())


def test_the_reasons_say_which_criterion_was_overridden_and_why() -> None:
    found = decided({"flag": True, "score": "3"}, BY)
    assert found.reasons == (
        "Every other criterion is met.",
        "C-1 is not met, and the clinician overrode it: The score is distorted by a disability.",
    )
    assert decided({"flag": True, "score": "7"}, BY).reasons == ("Every criterion is met.",)


def test_a_stop_criterion_may_be_overridden_at_a_continuation() -> None:
    answers = {"other": True, "score": "1"}
    assert decided(answers, kind=Kind.CONTINUATION).outcome is Outcome.CRITERIA_NOT_MET
    found = decided(answers, Override("C-4", "language"), kind=Kind.CONTINUATION)
    assert (found.outcome, found.overridden) == (Outcome.APPROVED, ("C-4",))
    assert found.reasons[1] == "C-4 says to stop, and the clinician overrode it: Language."


@pytest.mark.parametrize(
    ("kind", "override", "words"),
    [
        (Kind.INITIATION, Override("C-2", "disability"), "may not be overridden"),
        (Kind.INITIATION, Override("C-1", "habit"), "one of these reasons: disability, language"),
        (Kind.INITIATION, Override("C-9", "disability"), "no criterion of that id"),
        (Kind.CONTINUATION, Override("C-1", "disability"), "no criterion of that id"),
        (Kind.STOP, Override("C-4", "disability"), "no criterion of that id"),
        (Kind.SWITCH, Override("C-1", "disability"), "no criterion of that id"),
    ],
)
def test_an_override_that_the_policy_does_not_allow_is_refused(
    kind: Kind, override: Override, words: str
) -> None:
    assert words in (override_fault(version(), kind, override) or "")
    if kind is not Kind.SWITCH:
        with pytest.raises(ValueError, match=words):
            decided({}, override, kind=kind)


def test_one_criterion_is_overridden_once() -> None:
    with pytest.raises(ValueError, match="C-1 is overridden twice"):
        decided({}, BY, Override("C-1", "language"))


def test_a_decision_with_overrides_survives_json_and_an_older_one_reads_as_without() -> None:
    found = decided({"flag": True, "score": "3"}, BY)
    plain = json.loads(json.dumps(decision_to_json(found)))
    assert decision_from_json(plain) == found
    del plain["overridden"]
    for finding in plain["findings"]:
        del finding["overridden"]
    assert decision_from_json(plain).findings[0].overridden is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"language": 1}, "an override needs language 2"),
        ({"start": [{**GATE, "override": {**RULE, "source": "none"}}]}, "there is no source none"),
        ({"start": [{**GATE, "override": {**RULE, "reasons": {}}}]}, "needs at least 1 entries"),
        ({"start": [{**GATE, "override": {"reasons": {"a": "A"}, "source": "src"}}]}, "evidence"),
    ],
)
def test_a_wrong_override_is_a_fault_of_the_file(changes: dict[str, object], words: str) -> None:
    given = {"language": 2, "start": [GATE], **changes}
    with pytest.raises(PolicyFileFaults) as faults:
        load_policy(policy_text(**given), "a.yaml")
    assert any(words in str(fault) for fault in faults.value.faults)


def test_an_unverified_override_makes_the_version_unverified() -> None:
    loose = {**GATE, "override": {**RULE, "evidence": "unverified"}}
    assert not make_policy(language=2, start=[GATE]).unverified
    assert make_policy(language=2, start=[loose]).unverified


def test_the_text_for_people_names_the_reasons() -> None:
    assert "because: The score is distorted by a disability; Language" in readable(version())
