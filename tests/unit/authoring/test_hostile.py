"""Hostile drafts are caught, each with a message that says what to do.

Each would otherwise take memory or time without end: a test that hangs has failed.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.authoring.lint import lint_version
from app.policy import PolicyFileFaults, load_policy
from tests.unit.authoring.golden import assert_golden
from tests.unit.policy.makers import make_policy, policy_text

BILLION = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)


def expression(text: str) -> str:
    return policy_text(start=[text])


def doubling(step: str, first: str, test: str = "{0}", levels: int = 40) -> str:
    """A policy whose derived values each use the one before, mostly twice."""
    derive: dict[str, Any] = {"recent": {"count": "relapses"}, "x0": {"value": first}}
    for level in range(1, levels):
        derive[f"x{level}"] = {"value": step.format(f"x{level - 1}")}
    return policy_text(derive=derive, start=[test.format(f"x{levels - 1}")])


DRAFTS: dict[str, str] = {
    "nested brackets": expression("(" * 2000 + "flag" + ")" * 2000),
    "a chain of NOT": expression("NOT " * 2000 + "flag"),
    "nested YAML": "a: " + "[" * 5000 + "]" * 5000,
    "a billion laughs": BILLION,
    "five megabytes": expression("flag AND " * 600_000 + "other"),
    "a subquery": expression("score > (SELECT max(score) FROM policies)"),
    "a function": expression("pg_sleep(10) > 1"),
    "a second statement": expression("flag; DROP TABLE policy_version"),
    "a comment": expression("flag -- AND other"),
    "a tag": "!!python/object/apply:os.system ['true']",
    "two documents": "a: 1\n---\nb: 2\n",
    "a hundred thousand keys": "".join(f"k{n}: 1\n" for n in range(100_000)),
    "twenty thousand keys in little room": "".join(f"k{n}:\n" for n in range(20_000)),
    "a billion laughs of derived values": doubling("{0} OR (third AND {0})", "flag AND other"),
    "a billion laughs of numbers": doubling("{0} / {0}", "score / score", "{0} > 3"),
    "a billion laughs of counts": doubling("{0} OR (recent > 1 AND {0})", "recent > 2"),
    "a chain of derived values": doubling("NOT (third AND {0})", "flag", levels=90),
}


@pytest.mark.parametrize("name", DRAFTS)
def test_a_hostile_file_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(PolicyFileFaults) as refused:
        load_policy(DRAFTS[name], "draft.yaml")
    assert all(fault.mend.strip() and len(str(fault)) < 1000 for fault in refused.value.faults)


def test_the_words_about_hostile_files() -> None:
    lines = []
    for name, text in DRAFTS.items():
        if name == "a function":  # its words list every function there is
            continue
        with pytest.raises(PolicyFileFaults) as refused:
            load_policy(text, "draft.yaml")
        lines += [f"{name}:", *(f"  {fault}" for fault in refused.value.faults[:2])]
    assert_golden("hostile", lines)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (["flag", "NOT flag"], "C-1 and C-2 contradict each other"),
        (["flag", "NOT flag"], "Mend C-1 or C-2"),
        (["score > 10"], "C-1 can never be satisfied"),
        (["score > 10"], "No patient can satisfy every criterion to start"),
        (
            [
                {
                    "met_when": "DAYS_BETWEEN(tested_on, decision_to_treat) <= 365",
                    "text": "Tested in the last 12 months",
                }
            ],
            "Write ADD_MONTHS(decision_to_treat, -12)",
        ),
    ],
)
def test_a_draft_that_cannot_be_meant_is_caught_by_check(start: list[Any], says: str) -> None:
    found = [str(each) for each in lint_version(make_policy(start=start)) if each.level == "fault"]
    assert any(says in each for each in found), json.dumps(found)
