"""What is suspicious in the constructs of language version 2: picks, choices, arms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.authoring.reading import Chosen, Counted, Picked, Reading
from app.policy import Criterion, nodes

if TYPE_CHECKING:
    from app.authoring.lint import Lint, Linter


def language_2(linter: Linter) -> Iterator[Lint]:
    """Every remark on a version's picks, choices and arms."""
    yield from _unguarded(linter, linter.reading)
    yield from _always_the_same(linter, linter.reading)
    yield from _implied(linter)


def _unguarded(linter: Linter, reading: Reading) -> Iterator[Lint]:
    """A pick of a list that may be empty, in a test that does not count the list's rows."""
    for criterion in linter.criteria:
        tree = reading.tests[criterion.id]
        if tree is None:
            continue
        workings = reading.workings(tree)
        counted = {each.list_name for each in workings.values() if isinstance(each, Counted)}
        for name, each in workings.items():
            if isinstance(each, Picked) and each.list_name not in counted:
                yield linter.say(
                    "advice",
                    "unguarded-pick",
                    f"{name} is unknown where {each.list_name} has no row that counts, so its test "
                    "then waits for an answer for ever",
                    "Count the rows too, and write `count = 0 OR …` or `count >= 1 AND …`, unless "
                    "an empty list is to wait",
                    criterion,
                )


def _always_the_same(linter: Linter, reading: Reading) -> Iterator[Lint]:
    """A choice whose branches all have one and the same value."""
    for name, each in reading.derived.items():
        if isinstance(each, Chosen):
            values = {value for _, value in each.branches} | {each.otherwise}
            if len(values) == 1:
                yield linter.say(
                    "advice",
                    "choice-of-one",
                    f"every branch of {name} has the same value",
                    "Give the branches their own values, or derive the value itself",
                )


def _implied(linter: Linter) -> Iterator[Lint]:
    """An arm that asks for all that another asks for, and more: it never decides anything."""
    for criterion in linter.criteria:
        tree = linter.reading.tests[criterion.id]
        if not criterion.arms or not isinstance(tree, nodes.Or):
            continue
        tests = [_tests(part) for part in tree.parts]
        for arm, own in zip(criterion.arms, tests, strict=True):
            if any(other < own for other in tests):
                yield _needless(linter, criterion, arm.id)


def _needless(linter: Linter, criterion: Criterion, arm: str) -> Lint:
    return linter.say(
        "advice",
        "needless-arm",
        f"the arm {arm} asks for all that another arm asks for, and more, so it never decides",
        "Take it out, or mend its test",
        criterion,
    )


def _tests(node: nodes.Node) -> frozenset[nodes.Node]:
    """The tests that an arm joins with AND."""
    return frozenset(node.parts) if isinstance(node, nodes.And) else frozenset({node})
