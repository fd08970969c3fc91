"""Lint of wording against its test: vague words under a hard test, numbers without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.authoring.lint_windows import parts_of
from app.authoring.reading import Chosen, Counted, Reading, Worked
from app.policy import nodes

if TYPE_CHECKING:
    from app.authoring.lint import Lint, Linter

_VAGUE = re.compile(r"\b(normally|usually|for example|such as|where appropriate|including)\b", re.I)


def wording(linter: Linter) -> Iterator[Lint]:
    """Vague words under a hard test, and numbers that no test compares."""
    for criterion in linter.criteria:
        vague = _VAGUE.search(criterion.text)
        if vague and criterion.on_failure == "not met" and not criterion.waivable:
            yield linter.say(
                "advice",
                "vague",
                f"its text says “{vague.group().lower()}”, but its test is hard",
                "Let it refer (`on_failure: refer`), or quote the exact rule",
                criterion,
            )
    yield from _untested(linter)


_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w|\.\d)")


def _untested(linter: Linter) -> Iterator[Lint]:
    """A number in the wording that stands nowhere in the test: wording without a test."""
    for criterion in linter.criteria:
        tree = linter.reading.tests[criterion.id]
        if tree is None or _is_citation(criterion.text):
            continue
        tested = set(_numbers(linter.reading, tree))
        said = {_value(each) for each in _NUMBER.findall(criterion.text)}
        if said and not tested:
            yield linter.say(
                "advice",
                "wording-without-test",
                f"its text speaks of {', '.join(sorted(said))}, but its test compares no number",
                "Ask the value itself and compare it, or accept that the prescriber attests it",
                criterion,
            )


def _value(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_citation(text: str) -> bool:
    return re.search(r"\b(TA|HST|SSC|NG|CG)\s?\d+", text) is not None


def _numbers(reading: Reading, node: nodes.Node) -> Iterator[str]:
    waiting = [node]
    workings = reading.workings(node)
    for working in workings.values():
        match working:
            case Worked(inner):
                waiting.append(inner)
            case Counted(_, where):
                yield "count"
                waiting += [] if where is None else [where]
            case Chosen() as chosen:
                waiting += parts_of(chosen)
            case _:
                yield "working"
    for each in waiting:
        for below in _all(each):
            if isinstance(below, nodes.Number):
                yield str(below.value)
            elif isinstance(below, nodes.AddMonths):
                yield str(abs(below.months))
            elif isinstance(below, nodes.AtLeast):
                yield str(below.number)


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in nodes.children(node):
        yield from _all(child)
